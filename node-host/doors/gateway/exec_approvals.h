// SPDX-License-Identifier: Apache-2.0
// The approvals document as OpenClaw users see it: `get`, `set`, and the local edits of the command line.
// One implementation for every door. Source: exec contract 5.6.
// Thread rule: the thread that owns the store.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "approvals/policy/policy_cache.h"
#include "approvals/store/store.h"
#include "base/json.h"
#include "base/result.h"
#include "policy/decide/engine.h"

namespace hostclaw::node_host {

// {path, exists, hash, file, resolvedDefaults}. Creates the fresh document when there is none.
Result<OrderedJson> approvals_snapshot(approvals::Store& store, approvals::PolicyCache& cache);

// The same of a node that has stored nothing yet, in `directory`; stores nothing.
OrderedJson fresh_approvals_snapshot(const std::string& directory);

struct ReplaceRequest {
  OrderedJson params;  // {file, baseHash?}
  approvals::Actor actor;
  // Entries that were shown for a moment and must not come back as policy.
  std::vector<policy::GrantToStore> shown_only;
};

// Compare-and-swap on baseHash. Errors: INVALID_REQUEST with OpenClaw's texts, or naming the member that is
// wrong; STORE_*. On success answers the new snapshot (without resolvedDefaults).
Result<OrderedJson> replace_approvals(approvals::Store& store, approvals::PolicyCache& cache,
                                      ReplaceRequest request);

// Local edits. `agent` is a key under `agents` ("*" for every agent). Errors: INVALID_REQUEST, STORE_*;
// ENTRY_NOT_FOUND for what is not there to be removed, with the agent that has it.
Result<OrderedJson> add_to_allowlist(approvals::Store& store, approvals::PolicyCache& cache,
                                     const std::string& agent, const std::string& pattern,
                                     const std::optional<std::string>& arg_pattern,
                                     const approvals::Actor& actor);
Result<OrderedJson> remove_from_allowlist(approvals::Store& store, approvals::PolicyCache& cache,
                                          const std::string& agent, const std::string& pattern,
                                          const std::optional<std::string>& arg_pattern,
                                          const approvals::Actor& actor);

// Sets defaults.security, .ask, .askFallback; a member that is nullopt is left alone.
struct DefaultsEdit {
  std::optional<policy::Security> security;
  std::optional<policy::Ask> ask;
  std::optional<policy::Security> ask_fallback;
};
Result<OrderedJson> edit_defaults(approvals::Store& store, approvals::PolicyCache& cache,
                                  const DefaultsEdit& edit, const approvals::Actor& actor);

// Any edit of the document by its owner; what comes out must be a valid document.
Result<OrderedJson> edit_approvals(approvals::Store& store, approvals::PolicyCache& cache,
                                   const std::function<void(OrderedJson&)>& edit,
                                   const approvals::Actor& actor);

}  // namespace hostclaw::node_host
