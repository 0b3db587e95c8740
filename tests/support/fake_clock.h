// SPDX-License-Identifier: Apache-2.0
// A clock that stands still until a test moves it. Safe from any thread.
#pragma once

#include <atomic>
#include <chrono>

#include "base/clock.h"

namespace hostclaw::test {

class FakeClock final : public Clock {
 public:
  std::int64_t unix_ms() const override { return now_.load(); }
  void advance(std::chrono::milliseconds by) { now_ += by.count(); }

 private:
  std::atomic<std::int64_t> now_{1'800'000'000'000};
};

}  // namespace hostclaw::test
