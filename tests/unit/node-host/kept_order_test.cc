// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/kept_order.h"

#include <catch2/catch.hpp>

namespace hostclaw::node_host {
namespace {

KeptOrder an_order() {
  KeptOrder order;
  policy::PlannedCommand first;
  first.argv = {"printf", "", "a b", "\xff\xfe", "line\nfeed"};
  first.executable = "/usr/bin/printf";
  first.identity = {true, 7, ~std::uint64_t{0}, 42, -5, 1000};
  first.content_sha256 = std::string(64, 'a');
  first.script = policy::ScriptOperand{2, "/srv/up \xe9", {true, 1, 2, 3, 4, 5}, std::nullopt};
  policy::PlannedCommand second;
  second.argv = {"true"};
  second.builtin = policy::Builtin::kTrue;
  order.plan.pipelines = {{policy::Connector::kFirst, true, {first, second}, {true, false}},
                          {policy::Connector::kOr, false, {second}, {false}}};
  order.plan.cwd = "/srv";
  order.plan.cwd_identity = {true, 9, 8, 7, 6, 5};
  order.plan.environment = {{"A", "1"}, {"A", "again"}, {"EMPTY", ""}};
  order.states = {{"/srv", "1 2"}, {"/usr/bin/printf", "3 4"}};
  order.timeout = std::chrono::milliseconds(1500);
  order.limits.raw = OutputLimits::Raw{10, 20};
  order.leaves_background = true;
  order.mark = "mark";
  order.row = 12;
  order.output = {"run-1", "/o", "/e", 99, "/stop", "/all", 1000};
  order.directory = "/state/node.kept/run-1";
  return order;
}

TEST_CASE("an order to keep a run says to the keeper what was decided, byte for byte") {
  const KeptOrder order = an_order();
  const std::string bytes = bytes_of(order);
  const auto read = order_from(bytes);
  REQUIRE(read.has_value());
  CHECK(bytes_of(*read) == bytes);
  CHECK(read->plan.pipelines[0].commands[0].argv == order.plan.pipelines[0].commands[0].argv);
  CHECK(read->plan.pipelines[0].commands[0].identity == order.plan.pipelines[0].commands[0].identity);
  CHECK(read->plan.pipelines[0].commands[0].script->path == "/srv/up \xe9");
  CHECK(read->plan.pipelines[0].commands[1].builtin == policy::Builtin::kTrue);
  CHECK(read->plan.pipelines[1].connector == policy::Connector::kOr);
  CHECK(read->plan.environment == order.plan.environment);
  CHECK(read->timeout == order.timeout);
  CHECK(judged_paths(read->plan) == std::vector<std::string>{"/srv", "/usr/bin/printf", "/srv/up \xe9"});
}

TEST_CASE("what is no whole order is none") {
  const std::string bytes = bytes_of(an_order());
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, bytes.size() / 2, bytes.size() - 1}) {
    const auto read = order_from(std::string_view(bytes).substr(0, length));
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().code == "KEPT_ORDER_UNREADABLE");
  }
  CHECK_FALSE(order_from("{}").has_value());
  CHECK_FALSE(order_from("\xa0").has_value());  // an object without members
}

TEST_CASE("an end that was written down is the end that was") {
  RunOutcome outcome;
  outcome.signal = 15;
  outcome.timed_out = true;
  outcome.standard_output.text = "text";
  outcome.standard_output.total_bytes = 5'000'000'000;
  outcome.used.of = ResourceUse::Of::kGroup;
  outcome.used.cpu = std::chrono::microseconds(3);
  outcome.duration = std::chrono::nanoseconds(77);
  outcome.ended_at_ms = 5;
  const auto read = outcome_from(json_of(outcome));
  REQUIRE(read.has_value());
  CHECK(json_of(*read) == json_of(outcome));
  CHECK(read->signal == 15);
  CHECK_FALSE(read->exit_code);
  CHECK(read->used.cpu == outcome.used.cpu);
  CHECK_FALSE(outcome_from(Json::object()));
  CHECK_FALSE(outcome_from(Json{{"exitCode", "0"}}));
}

}  // namespace
}  // namespace hostclaw::node_host
