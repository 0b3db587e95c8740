// SPDX-License-Identifier: Apache-2.0
#include "approvals/store/retention_clock.h"

#include <catch2/catch.hpp>

namespace hostclaw::approvals {
namespace {

constexpr std::int64_t kHour = 3'600'000;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kBegin = 1'800'000'000'000;

// A machine whose clock can be set.
struct Machine {
  std::int64_t wall = kBegin;
  std::int64_t uptime = kHour;
  std::string boot = "first";
  void pass(std::int64_t ms) {
    wall += ms;
    uptime += ms;
  }
  void restart(std::int64_t off_for, const std::string& next = "second") {
    wall += off_for;
    uptime = 1'000;
    boot = next;
  }
  ClockLook look() const { return {wall, uptime, boot}; }
};

TEST_CASE("a clock that goes on as it should is believed", "[retention]") {
  Machine machine;
  RetentionClock clock;
  for (int i = 0; i < 100; ++i) {
    CHECK(clock.now(machine.look()) == machine.wall);
    CHECK(clock.ahead_ms() == 0);
    machine.pass(kDay);
  }
}

TEST_CASE("a clock that jumps ahead is not believed before it has held for a day", "[retention]") {
  Machine machine;
  RetentionClock clock;
  clock.now(machine.look());
  machine.pass(kHour);
  machine.wall += 400 * kDay;
  CHECK(clock.now(machine.look()) == kBegin + kHour);
  CHECK(clock.ahead_ms() == 400 * kDay);
  machine.pass(23 * kHour);
  CHECK(clock.now(machine.look()) == kBegin + kDay);
  machine.pass(kHour);
  CHECK(clock.now(machine.look()) == machine.wall);
  CHECK(clock.ahead_ms() == 0);
}

TEST_CASE("a jump that is taken back leaves nothing behind", "[retention]") {
  Machine machine;
  RetentionClock clock;
  clock.now(machine.look());
  machine.wall += 400 * kDay;
  clock.now(machine.look());
  machine.pass(2 * kHour);
  machine.wall -= 400 * kDay;
  CHECK(clock.now(machine.look()) == machine.wall);
  CHECK(clock.ahead_ms() == 0);
  // A later one waits anew.
  machine.pass(30 * kDay);
  machine.wall += 400 * kDay;
  CHECK(clock.now(machine.look()) < machine.wall);
}

TEST_CASE("what is known holds across processes", "[retention]") {
  Machine machine;
  Json state;
  {
    RetentionClock clock;
    clock.now(machine.look());
    state = clock.state();
  }
  machine.pass(kHour);
  machine.wall += 400 * kDay;
  RetentionClock next(state);
  CHECK(next.now(machine.look()) == kBegin + kHour);
}

TEST_CASE("a machine may have been off for a month, and not for a year", "[retention]") {
  Machine machine;
  RetentionClock clock;
  clock.now(machine.look());
  machine.restart(30 * kDay);
  CHECK(clock.now(machine.look()) == machine.wall);
  machine.restart(400 * kDay, "third");
  CHECK(clock.now(machine.look()) < machine.wall - 300 * kDay);
  CHECK(clock.ahead_ms() > 300 * kDay);
  // Started again meanwhile, the day begins anew; held for a day, it is believed.
  machine.pass(20 * kHour);
  clock.now(machine.look());
  machine.restart(kHour, "fourth");
  CHECK(clock.now(machine.look()) < machine.wall - 300 * kDay);
  machine.pass(23 * kHour);
  CHECK(clock.now(machine.look()) < machine.wall - 300 * kDay);
  machine.pass(2 * kHour);
  CHECK(clock.now(machine.look()) == machine.wall);
}

TEST_CASE("a state that is none is no state", "[retention]") {
  Machine machine;
  for (const char* text : {"null", "[]", "{}", "{\"believedMs\":\"x\"}", "{\"believedMs\":-5,\"boot\":7}"}) {
    RetentionClock clock(Json::parse(text));
    CHECK(clock.now(machine.look()) == machine.wall);
  }
}

}  // namespace
}  // namespace hostclaw::approvals
