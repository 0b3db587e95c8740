// SPDX-License-Identifier: Apache-2.0
// What the methods share. For the files of this folder alone.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "clawlink/a2a/methods.h"
#include "clawlink/store/push.h"

namespace hostclaw::clawlink {

struct MethodCall {
  StoreSession& session;
  const RouteConfig& config;
  const Caller& caller;
  const A2aCall& call;
  std::string from;  // the caller's name as a delegator
};

inline A2aOutcome refusal(A2aError error) {
  A2aOutcome out;
  out.error = std::move(error);
  return out;
}
inline A2aOutcome refusal(const Error& error) { return refusal(a2a_error(error)); }
inline A2aOutcome invalid(const std::string& what) { return refusal(a2a_error("INVALID_PARAMS", what)); }

// The caller's own task at this agent; everybody else's looks like none. TASK_UNKNOWN.
Result<Task> own_task(const MethodCall& call, const std::string& id);

bool wants_token(const AccessRules& access);

A2aOutcome create_push_config(const MethodCall& call);
A2aOutcome get_push_config(const MethodCall& call);
A2aOutcome show_push_configs(const MethodCall& call);
A2aOutcome delete_push_config(const MethodCall& call);

// A config as it was given, its URL judged. The task and the caller are not filled in. PUSH_NOT_SUPPORTED,
// BAD_REQUEST, PUSH_*.
Result<PushConfig> read_push_config(const RouteConfig& config, const Json& given);
// Answers it as it was stored. PUSH_CONFIGS_FULL, STORE_*.
Result<PushConfig> add_push_config(const MethodCall& call, const Task& task, PushConfig config);

}  // namespace hostclaw::clawlink
