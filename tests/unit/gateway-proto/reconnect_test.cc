// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/reconnect.h"

#include <catch2/catch.hpp>

using namespace hostclaw::gateway_proto;
using std::chrono::milliseconds;

TEST_CASE("waits double from one second to thirty and start again after a hello") {
  ReconnectSchedule schedule;
  for (const int expected : {1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000}) {
    CHECK(schedule.after_loss(0.0) == milliseconds(expected));
  }
  schedule.connected();
  CHECK(schedule.after_loss(0.0) == milliseconds(1000));
}

TEST_CASE("jitter adds at most a fifth and the peer's lower bound is kept") {
  ReconnectSchedule schedule;
  CHECK(schedule.after_loss(1.0) == milliseconds(1200));
  CHECK(schedule.after_loss(0.0, 299'600) == milliseconds(299'600));
}

TEST_CASE("waiting for an operator slows down to thirty seconds and never ends") {
  ReconnectSchedule schedule;
  milliseconds last{0};
  for (int i = 0; i < 20; ++i) last = schedule.while_waiting_for_operator(0.0);
  CHECK(last == milliseconds(30'000));
}
