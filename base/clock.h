// SPDX-License-Identifier: Apache-2.0
// The wall clock, for what is stored and shown. Deadlines use std::chrono::steady_clock. Safe from any
// thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace hostclaw {

// Milliseconds since 1970-01-01 UTC.
inline std::int64_t unix_ms_now() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
}

// The wall clock as a part that tests replace. Safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t unix_ms() const = 0;
};

class SystemClock final : public Clock {
 public:
  std::int64_t unix_ms() const override { return unix_ms_now(); }
};

}  // namespace hostclaw
