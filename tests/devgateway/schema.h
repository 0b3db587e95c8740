// SPDX-License-Identifier: Apache-2.0
// Closed schemas of everything a node may send. Unknown members, nulls and empty strings are refused where
// the contract says so. Each function returns what is wrong ("at /client/displayName: ..."), or nothing.
// Source: transport contract sections 1.5, 2.2, 5.2, 6 and 7.1. Pure; safe from any thread.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"

namespace hostclaw::devgateway {

using SchemaProblem = std::optional<std::string>;

SchemaProblem check_request_frame(const Json& frame, int protocol);
SchemaProblem check_connect_params(const Json& params, int protocol);
SchemaProblem check_invoke_result(const Json& params);
SchemaProblem check_invoke_progress(const Json& params);
SchemaProblem check_node_event(const Json& params);
SchemaProblem check_runner_inventory(const Json& params);
SchemaProblem check_skills_update(const Json& params);
SchemaProblem check_plugin_tools_update(const Json& params);
SchemaProblem check_empty_params(const Json& params);
// node.host.stats; the gateway answers invalid_payload instead of an error.
SchemaProblem check_host_stats(const Json& payload);
// `file` of exec.approvals.node.set, and the answer of system.execApprovals.get and set.
SchemaProblem check_approvals_file(const Json& file);
SchemaProblem check_approvals_snapshot(const Json& snapshot);

}  // namespace hostclaw::devgateway
