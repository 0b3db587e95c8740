// SPDX-License-Identifier: Apache-2.0
// What time does: leases end, messages expire and become dead letters, deadlines pass, agents that nobody has
// heard of leave, what is kept for a while only goes.
#pragma once

#include <cstdint>
#include <optional>

#include "clawlink/store/retention.h"
#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

// What is known from one look to the next. One look at a time.
struct House {
  std::int64_t looked_at_ms = 0;                   // who waits for what became due since then is woken
  std::optional<approvals::ClockLook> clock = {};  // of this moment, for retention
  Retention retention = {};
};

// Does a bounded part of what is due. The next moment to look is in the session's effects: at once when more
// is left. Answers what retention has removed.
Result<Removed> keep_house(StoreSession& session, House& house);

}  // namespace hostclaw::clawlink
