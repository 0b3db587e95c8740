// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/reconnect.h"

#include <algorithm>

namespace hostclaw::gateway_proto {
namespace {

constexpr std::int64_t kFirstMs = 1000;
constexpr std::int64_t kCapMs = 30'000;
// Pairing is often approved within seconds: start at two seconds, then the cap.
constexpr std::int64_t kWaitMs[] = {2000, 2000, 3000, 5000, 5000, 10'000};

std::chrono::milliseconds with_jitter(std::int64_t base, double jitter, std::int64_t at_least_ms) {
  const auto wait =
      base + static_cast<std::int64_t>(static_cast<double>(base) * 0.2 * std::clamp(jitter, 0.0, 1.0));
  return std::chrono::milliseconds(std::max(wait, at_least_ms));
}

}  // namespace

std::chrono::milliseconds ReconnectSchedule::after_loss(double jitter, std::int64_t at_least_ms) {
  const std::int64_t base = std::min(kCapMs, kFirstMs << std::min(failures_, 5));
  ++failures_;
  waits_ = 0;
  return with_jitter(base, jitter, at_least_ms);
}

std::chrono::milliseconds ReconnectSchedule::while_waiting_for_operator(double jitter,
                                                                        std::int64_t at_least_ms) {
  const std::size_t index = static_cast<std::size_t>(waits_);
  const std::int64_t base = index < std::size(kWaitMs) ? kWaitMs[index] : kCapMs;
  if (index < std::size(kWaitMs)) ++waits_;
  return with_jitter(base, jitter, at_least_ms);
}

}  // namespace hostclaw::gateway_proto
