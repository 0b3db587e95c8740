// SPDX-License-Identifier: Apache-2.0
// The time by which rows are old. The clock of a machine may jump, years ahead when its battery is empty or a
// time server lies, and by such a clock every row is old. So the clock is held against what cannot jump: the
// time since the machine started, and across a restart, a bound on how long it may have been off. Pure; safe
// from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"

namespace hostclaw::approvals {

// What is kept between two looks, also across processes, under this setting.
inline constexpr const char* kRetentionClockKey = "runtime.retentionClock";

struct ClockLook {
  std::int64_t wall_ms = 0;    // what the clock says
  std::int64_t uptime_ms = 0;  // since the machine started, sleep included
  std::string boot;            // which start that was; empty: unknown
};

class RetentionClock {
 public:
  // Without a state the first look is believed.
  RetentionClock() = default;
  explicit RetentionClock(const Json& state);
  Json state() const;

  // The time to use: what the clock says, or what it would say without its jump. A jump ahead of more than an
  // hour is believed when the clock has gone on from there for a day; a machine that was started again may
  // have been off for 32 days.
  std::int64_t now(const ClockLook& look);
  // By how much the clock is ahead of what is believed; 0: it is believed.
  std::int64_t ahead_ms() const { return ahead_ms_; }

 private:
  bool known_ = false;
  std::int64_t believed_ms_ = 0;
  ClockLook last_;
  std::int64_t ahead_ms_ = 0;
  std::int64_t ahead_since_ms_ = 0;  // uptime
};

}  // namespace hostclaw::approvals
