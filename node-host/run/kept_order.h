// SPDX-License-Identifier: Apache-2.0
// What a keeper is told to do, and what it writes down at the end (kept_runs.h), as bytes. Pure; safe from
// any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "node-host/run/run_executor.h"

namespace hostclaw::node_host {

struct KeptOrder {
  policy::ExecutionPlan plan;
  std::map<std::string, std::string> states;  // OpenedFiles::state of each judged path
  std::optional<std::chrono::milliseconds> timeout;
  OutputLimits limits;
  std::chrono::milliseconds kill_grace{300};
  std::chrono::milliseconds give_up{10'000};
  bool leaves_background = false;
  std::string mark;
  std::string rest_of_mark;
  std::int64_t row = 0;
  KeptOutput output;
  std::string directory;       // where the end is written
  std::string live_output;     // empty: nowhere
  std::string control_groups;  // the directory of the groups; empty: none
};

// The paths whose files the plan was judged by.
std::vector<std::string> judged_paths(const policy::ExecutionPlan& plan);

// Words are bytes and need not be UTF-8.
std::string bytes_of(const KeptOrder& order);
// Errors: KEPT_ORDER_UNREADABLE.
Result<KeptOrder> order_from(std::string_view bytes);

Json json_of(const RunOutcome& outcome);
// nullopt: it is no such object.
std::optional<RunOutcome> outcome_from(const Json& json);

}  // namespace hostclaw::node_host
