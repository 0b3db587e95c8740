// SPDX-License-Identifier: Apache-2.0
// Agents that live elsewhere: the owner names the A2A endpoint of each, and what is delegated to one of them
// is carried there by the relay (clawlink/forward). Such an agent is registered and guarded, so that nobody
// here speaks as it, also when it has been taken away again; it is not forgotten while it is listed.
//
// Errors: AGENT_INVALID, AGENT_EXISTS, AGENTS_FULL, FORWARD_UNKNOWN, STORE_*.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clawlink/store/agents.h"
#include "clawlink/store/queue.h"
#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

// Of one message, before its task fails.
inline constexpr std::int64_t kForwardTries = 12;

struct Forward {
  std::string agent_id;
  std::string url;         // of JSON-RPC; may hold a key
  std::string where;       // "host:port", which is shown and recorded
  std::string token_file;  // in the relay's state directory; empty: the endpoint asks for none
};
// The agent and where it lives; in the place of what was said before of the same forward. What is on its way
// is sent anew when the URL is another one. AGENT_EXISTS: an agent of that id is registered here.
Result<void> put_forward(StoreSession& session, const Forward& forward, const Agent& agent,
                         const std::string& by);
Result<std::vector<Forward>> list_forwards(StoreSession& session);
Result<std::optional<Forward>> find_forward(StoreSession& session, std::string_view agent_id);
// With the agent and what waits for it. FORWARD_UNKNOWN.
Result<Forward> remove_forward(StoreSession& session, const std::string& agent_id, const std::string& by);

// A task that its endpoint has taken. It is asked about until it has ended there; whoever restarts the relay
// finds it here.
struct Forwarded {
  std::string task_id;
  std::string agent_id;
  std::string message_id;             // under which it was sent last
  std::string body;                   // what was sent last: the delegation, as its agent would get it
  std::string foreign_task_id;        // empty: to be sent (again)
  std::string foreign_context_id;     // empty: none was named
  std::int64_t due_ms = 0;            // of the next look
  std::int64_t wait_ms = 0;           // between the last two looks
  std::int64_t failing_since_ms = 0;  // nobody answered since then; 0: somebody did
  bool sent_again = false;            // because the endpoint had forgotten it
  bool asks = false;                  // it waits there for an answer, or for somebody who logs in
  std::string told = {};              // what it asked last, so that it is told once
};
// When its task has ended here meanwhile it is due at once, unless that `is_known` already.
Result<void> put_forwarded(StoreSession& session, const Forwarded& forwarded, bool is_known = false);
Result<void> remove_forwarded(StoreSession& session, std::string_view task_id);
Result<std::optional<Forwarded>> find_forwarded(StoreSession& session, std::string_view task_id);
// Those of an agent that are due, the longest due first. One is due when its task has ended here.
Result<std::vector<Forwarded>> due_forwarded(StoreSession& session, std::string_view agent_id,
                                             std::size_t most);
// When the next one of an agent is due; 0: there is none.
Result<std::int64_t> next_forwarded_ms(StoreSession& session, std::string_view agent_id);
Result<std::int64_t> count_followed(StoreSession& session, std::string_view agent_id);

// Whether an earlier message about the same task still waits: messages of a task are sent in their order.
Result<bool> has_earlier_message(StoreSession& session, const Leased& message);
// The task was never continued: its last message is all that was said.
Result<bool> has_one_message(StoreSession& session, std::string_view task_id);
// What waits about this task is due now.
Result<void> bring_up(StoreSession& session, std::string_view task_id);
// Out of the queue, whoever has leased it.
Result<void> take_out(StoreSession& session, const Leased& message);
// Back into the queue as if it had not been handed out.
Result<void> postpone(StoreSession& session, const Leased& message, std::int64_t delay_ms);

}  // namespace hostclaw::clawlink
