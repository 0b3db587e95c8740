// SPDX-License-Identifier: Apache-2.0
// What waits for an agent, and who has it at the moment.
//
// A message that is handed out is leased: nobody else gets it until the lease is acknowledged (the message is
// gone), given back, or over (it waits again, later each time). A lease names itself with a word of its own
// that is new each time, so that whoever comes too late is told (LEASE_STALE) and can neither take away nor
// keep what somebody else has by now. Urgent messages first, then in the order in which they came.
//
// Errors: QUEUE_FULL (of this agent), QUEUES_FULL (of too many ids that nobody is registered with),
// LEASE_STALE, STORE_*.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clawlink/model/task.h"
#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

struct NewDelivery {
  std::string to_agent;
  std::string kind;          // the `type` of the message
  std::string body;          // text of a JSON object
  std::string task_id = {};  // empty: none
  Priority priority = Priority::kNormal;
  std::int64_t expires_ms = 0;  // 0: as the limits say
};
Result<std::int64_t> enqueue(StoreSession& session, const NewDelivery& delivery);

// The same text to many, kept once. Agents whose queue is full are left out; answers how many got it.
Result<std::int64_t> enqueue_for_all(StoreSession& session, const std::vector<std::string>& agents,
                                     const std::string& kind, const std::string& body);

// What waits for an agent, handed out or not.
Result<std::int64_t> count_waiting(StoreSession& session, const std::string& agent);

struct LeaseWish {
  std::string agent;
  std::size_t most = 1;                // messages
  std::size_t most_bytes = 4'000'000;  // but one at least
  std::int64_t lease_ms = 0;           // requires: > 0
  bool of_connection = false;          // held while an answer is written; over when the process is
};
struct Leased {
  std::int64_t delivery_id = 0;
  std::string lease;
  std::string kind;
  std::string task_id;
  std::string body;
  std::int64_t queued_at_ms = 0;
  std::int64_t lease_until_ms = 0;
  std::int64_t tries = 0;  // this one included
};
Result<std::vector<Leased>> lease_messages(StoreSession& session, const LeaseWish& wish);
// The message as it is sent: `queued_at`, and with `leased` the members about the lease.
std::string message_text(const Leased& message, bool leased);

// Of a lease that is in force: whose queue it is.
Result<std::string> agent_of_lease(StoreSession& session, std::string_view lease);
Result<void> acknowledge(StoreSession& session, std::string_view lease);
// Acknowledges, and keeps the message for streams that resume: answers the number of the event.
Result<std::int64_t> acknowledge_as_event(StoreSession& session, std::string_view lease,
                                          const std::string& text);
// The end of the lease as it is then.
Result<std::int64_t> extend_lease(StoreSession& session, std::string_view lease, std::int64_t lease_ms);
// Back into the queue, due in `delay_ms`; a delegation whose task has ended is gone instead.
Result<void> give_back(StoreSession& session, std::string_view lease, std::int64_t delay_ms);
// Leases whose answer could not be written: as if they had not been handed out. Stale ones are passed over.
Result<void> free_leases(StoreSession& session, const std::vector<std::string>& leases);
// Leases of connections of a process that is gone.
Result<void> free_connection_leases(StoreSession& session);

// What streams have sent to an agent after `after`, oldest first; one at least, whatever its length.
struct SentEvent {
  std::int64_t event_id = 0;
  std::string text;
};
Result<std::vector<SentEvent>> sent_events(StoreSession& session, const std::string& agent,
                                           std::int64_t after, std::size_t most,
                                           std::size_t most_bytes = 4'000'000);

// Takes away what waits about a task and is leased to nobody; answers how many. What is leased goes when its
// lease ends, for a task that has ended is handed out no more.
Result<std::int64_t> withdraw(StoreSession& session, const std::string& task_id, std::string_view kind);

std::int64_t backoff_ms(const RelayLimits& limits, std::int64_t tries);

}  // namespace hostclaw::clawlink
