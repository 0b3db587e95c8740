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

}  // namespace hostclaw
