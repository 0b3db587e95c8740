// SPDX-License-Identifier: Apache-2.0
// How much of everything there is, for GET /metrics. What grows without a small bound is counted as it
// changes, not when it is asked for.
#pragma once

#include <array>
#include <cstdint>

#include "clawlink/model/task.h"
#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

struct RelayNumbers {
  std::int64_t agents = 0;
  std::int64_t agents_online = 0;
  std::int64_t queues = 0;
  std::int64_t queued = 0;
  std::int64_t queued_bytes = 0;
  std::int64_t longest_queue = 0;
  std::int64_t leases = 0;
  std::array<std::int64_t, static_cast<std::size_t>(TaskState::kCancelled) + 1> tasks{};  // by TaskState
  std::int64_t dead_letters = 0;  // messages; what push gave up is counted by itself
  std::int64_t files = 0;
  std::int64_t push_configs = 0;
  std::int64_t push_waiting = 0;
};
Result<RelayNumbers> count_all(StoreSession& session);

}  // namespace hostclaw::clawlink
