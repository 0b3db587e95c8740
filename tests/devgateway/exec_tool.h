// SPDX-License-Identifier: Apache-2.0
// The gateway's exec tool with host=node, as the operator method `dev.exec`: prepare, own check, question,
// run. Source: exec contract sections 12.1 to 12.5. Thread rule: the server's thread.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "tests/devgateway/reply.h"

namespace hostclaw::devgateway {

class Gateway;

// params: {command, nodeId, agentId?, sessionKey?, cwd?, env?, timeoutMs?, callerSecurity?, callerAsk?,
//          interactive?, askTimeoutMs?}. callerSecurity/callerAsk default to full/off.
// payload: {outcome: completed | denied | failed, stage, asked, approvalId?, decision?, message?, prepare?,
//           runParams?, run?, nodeError?}
void run_exec_tool(Gateway& gateway, const Json& params, Respond respond);

// The display form of argv that plans are bound to.
std::string command_text(const std::vector<std::string>& argv);

// What the gateway itself can tell about a plan with an empty PATH: only absolute words, grants and markers
// count. `snapshot` is the answer of system.execApprovals.get (null: none).
bool gateway_allowlist_matches(const Json& plan, const Json& coverage, const Json& snapshot,
                               const std::string& agent_id);

}  // namespace hostclaw::devgateway
