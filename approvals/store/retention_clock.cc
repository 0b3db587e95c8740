// SPDX-License-Identifier: Apache-2.0
#include "approvals/store/retention_clock.h"

#include <algorithm>
#include <cstdlib>

namespace hostclaw::approvals {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
constexpr std::int64_t kMayHaveBeenOffMs = 32 * kDayMs;

std::int64_t number_at(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

}  // namespace

RetentionClock::RetentionClock(const Json& state) {
  if (!state.is_object() || number_at(state, "believedMs") <= 0) return;
  known_ = true;
  believed_ms_ = number_at(state, "believedMs");
  last_.uptime_ms = number_at(state, "uptimeMs");
  if (const auto boot = state.find("boot"); boot != state.end() && boot->is_string())
    last_.boot = boot->get<std::string>();
  ahead_ms_ = number_at(state, "aheadMs");
  ahead_since_ms_ = number_at(state, "aheadSinceMs");
}

Json RetentionClock::state() const {
  return Json{{"believedMs", believed_ms_},
              {"uptimeMs", last_.uptime_ms},
              {"boot", last_.boot},
              {"aheadMs", ahead_ms_},
              {"aheadSinceMs", ahead_since_ms_}};
}

std::int64_t RetentionClock::now(const ClockLook& look) {
  const bool same_boot = look.boot == last_.boot && look.uptime_ms >= last_.uptime_ms;
  std::int64_t expected = look.wall_ms;
  if (known_ && same_boot) expected = believed_ms_ + (look.uptime_ms - last_.uptime_ms);
  if (known_ && !same_boot) expected = believed_ms_ + look.uptime_ms + kMayHaveBeenOffMs;
  const std::int64_t ahead = look.wall_ms - expected;
  if (ahead <= kHourMs) {
    believed_ms_ = look.wall_ms;
    ahead_ms_ = 0;
  } else if (ahead_ms_ > 0 && same_boot && std::llabs(ahead - ahead_ms_) <= kHourMs) {
    believed_ms_ = expected;
    if (look.uptime_ms - ahead_since_ms_ >= kDayMs) {
      believed_ms_ = look.wall_ms;
      ahead_ms_ = 0;
    }
  } else {
    // Not the bound itself: how long it was off is not known, and rows stay for longer than they had to.
    if (!same_boot) expected = believed_ms_ + look.uptime_ms;
    believed_ms_ = expected;
    ahead_ms_ = look.wall_ms - expected;
    ahead_since_ms_ = look.uptime_ms;
  }
  known_ = true;
  last_ = look;
  return believed_ms_;
}

}  // namespace hostclaw::approvals
