// SPDX-License-Identifier: Apache-2.0
// What is over is kept for a while and up to a number (RelayLimits) and then goes, the oldest first: tasks
// that have ended, with their histories and artifacts; dead letters; rows of the record.
//
// Never goes: a task that has not ended, and one about which a message still waits for somebody. That
// something went is a row of the record; of the record itself a `pruned` row, by which the rest verifies.
//
// What is old is told by a clock that is held against the machine's uptime: one that jumps years ahead makes
// nothing old (approvals/store/retention_clock.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "approvals/store/retention_clock.h"
#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

struct Removed {
  std::int64_t tasks = 0;
  std::int64_t dead_letters = 0;
  std::int64_t rows = 0;            // of the record
  std::int64_t clock_ahead_ms = 0;  // of what is believed; 0: the clock is believed
  bool more = false;                // call again at once

  bool anything() const { return tasks + dead_letters + rows > 0; }
};

// How far it has come, between one call and the next. Thread rule: one call at a time.
class Retention {
 public:
  // Removes a bounded part of what may go. `look`: of this moment; nullopt: the session's time is believed.
  Result<Removed> remove_some(StoreSession& session, const std::optional<approvals::ClockLook>& look);

 private:
  Result<std::int64_t> time_by(StoreSession& session, const approvals::ClockLook& look);
  Result<void> remove_tasks(StoreSession& session, std::int64_t now_ms, Removed& removed);

  std::optional<approvals::RetentionClock> clock_;
  std::int64_t clock_kept_at_ms_ = 0;  // uptime
  // The last task that was looked at, of those that have ended, in the order of their ends.
  std::int64_t walked_ms_ = 0;
  std::string walked_id_;
};

}  // namespace hostclaw::clawlink
