// SPDX-License-Identifier: Apache-2.0
// Agents that live elsewhere: the owner names the A2A endpoint of each, and what is delegated to one of them
// is carried there by the relay (clawlink/forward). Such an agent is registered and guarded, so that nobody
// here speaks as it; it is not forgotten while it is listed.
//
// Errors: AGENT_INVALID, AGENT_EXISTS, AGENTS_FULL, FORWARD_UNKNOWN, STORE_*.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clawlink/store/agents.h"
#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

struct Forward {
  std::string agent_id;
  std::string url;         // of JSON-RPC
  std::string token_file;  // in the relay's state directory; empty: the endpoint asks for none
};
// The agent and where it lives; in the place of what was said before of the same forward. AGENT_EXISTS: an
// agent of that id is registered here.
Result<void> put_forward(StoreSession& session, const Forward& forward, const Agent& agent,
                         const std::string& by);
Result<std::vector<Forward>> list_forwards(StoreSession& session);
Result<std::optional<Forward>> find_forward(StoreSession& session, std::string_view agent_id);
// With the agent and what waits for it. FORWARD_UNKNOWN.
Result<Forward> remove_forward(StoreSession& session, const std::string& agent_id, const std::string& by);

// What a task is called at its endpoint, and for which message it was last sent there: after a restart of the
// relay the same message is asked about, not sent again.
struct Forwarded {
  std::string task_id;
  std::int64_t delivery_id = 0;
  std::string foreign_task_id;
  std::string foreign_context_id;
};
Result<void> put_forwarded(StoreSession& session, const Forwarded& forwarded);
Result<std::optional<Forwarded>> find_forwarded(StoreSession& session, std::string_view task_id);

}  // namespace hostclaw::clawlink
