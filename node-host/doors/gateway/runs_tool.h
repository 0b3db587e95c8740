// SPDX-License-Identifier: Apache-2.0
// `hostclaw_runs`: a tool that this node publishes, so that an agent sees its own runs, their state and their
// output. It reads; nothing is run, asked or changed by it. Whose runs, the envelope says, which the gateway
// writes: the agent and the session of its session key, never a word of the arguments. Without both nothing
// is shown.
//
// Gateways from 2026.8.2 on take published tools; for those before, `hostclaw runs` through exec does the
// same. Pure, apart from reading the store and the live output; the store's thread. Source: node commands
// contract, sections 5.3 to 6.
#pragma once

#include <string>
#include <string_view>

#include "approvals/store/store.h"
#include "base/clock.h"
#include "base/json.h"
#include "gateway-proto/messages.h"

namespace hostclaw::node_host {

// The command by which a gateway calls a node's tools.
inline constexpr const char* kToolCommand = "mcp.tools.call.v1";

// Params of `node.pluginTools.update`, as JSON text.
std::string published_tools();

// Answers a call of a published tool. `session_key`: the envelope's. `live_output`: the directory of
// live_output.h.
gateway_proto::InvokeResult call_tool(approvals::Store& store, const Json& params,
                                      std::string_view session_key, const std::string& live_output,
                                      const Clock& clock);

}  // namespace hostclaw::node_host
