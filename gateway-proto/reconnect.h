// SPDX-License-Identifier: Apache-2.0
// When to try again. A pure state machine: time and chance come from the caller.
// Source: transport contract section 1.9 (1, 2, 4, 8, 16, 30, 30 ... seconds; reset by hello-ok).
#pragma once

#include <chrono>
#include <cstdint>

#include "gateway-proto/connect.h"

namespace hostclaw::gateway_proto {

class ReconnectSchedule {
 public:
  // After a lost connection or an ordinary refusal. `jitter` is in [0, 1): up to 20 % is added.
  std::chrono::milliseconds after_loss(double jitter, std::int64_t at_least_ms = 0);
  // An operator has to act: the slow pace at once, so that the pending request stays fresh.
  std::chrono::milliseconds while_waiting_for_operator(double jitter, std::int64_t at_least_ms = 0);
  // The one-shot device-token retry.
  static std::chrono::milliseconds immediate() { return std::chrono::milliseconds(250); }
  void connected() { failures_ = 0; }

 private:
  int failures_ = 0;
  int waits_ = 0;
};

}  // namespace hostclaw::gateway_proto
