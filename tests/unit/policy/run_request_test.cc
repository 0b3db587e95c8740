// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <charconv>
#include <cmath>
#include <cstring>
#include <random>

#include "policy/decide/run_request.h"
#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

Reason invalid(Machine& machine, const Json& params) {
  const RunEvaluation run = machine.decide(params);
  CHECK(run.decision.verdict == Verdict::kInvalid);
  CHECK(run.decision.layer == "request");
  CHECK(run.decision.code == code_of(run.decision.reason));
  return run.decision.reason;
}

Json plan_for(const std::vector<std::string>& argv) {
  return {{"argv", argv}, {"commandText", command_text(argv)}, {"cwd", "/home/u/work"}, {"agentId", "main"}};
}

TEST_CASE("request: anything but a non-empty array of words is no command") {
  Machine machine;
  for (const char* params : {"null", "5", "[]", "{}", R"({"command":[]})", R"({"command":"x"})",
                             R"({"command":{"0":"x"}})", R"({"command":null})"}) {
    CHECK(invalid(machine, Json::parse(params)) == Reason::kCommandMissing);
  }
}

TEST_CASE("request: words that are no strings are spelled as ECMAScript spells them") {
  CHECK(to_ecmascript_string(Json::parse("[1,null,[true,\"x\"]]")) == "1,,true,x");
  CHECK(to_ecmascript_string(1.5) == "1.5");
  CHECK(to_ecmascript_string(1e21) == "1e+21");
  CHECK(to_ecmascript_string(123456789012.0) == "123456789012");
  CHECK(to_ecmascript_string(1e-7) == "1e-7");
  CHECK(to_ecmascript_string(-0.25) == "-0.25");
  CHECK(to_ecmascript_string(0.1) == "0.1");
  CHECK(to_ecmascript_string(5e-324) == "5e-324");
  CHECK(to_ecmascript_string(1.7976931348623157e308) == "1.7976931348623157e+308");
  CHECK(to_ecmascript_string(std::ldexp(1, -44)) == "5.684341886080802e-14");
  CHECK(to_ecmascript_string(Json::object()) == "[object Object]");
  Machine machine;
  machine.policy("full", "off");
  CHECK(machine.decide(Json{{"command", {"echo", 1, true, nullptr}}}).argv ==
        std::vector<std::string>{"echo", "1", "true", "null"});
}

TEST_CASE("request: a number is spelled with the fewest digits that read back as it") {
  std::mt19937_64 random(20261130);
  for (int round = 0; round < 20'000; ++round) {
    double value = 0;
    const std::uint64_t bits = round % 4 == 0 ? (random() % 2047) << 52 : random() >> 1;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value) || value == 0) continue;
    char text[64];
    const std::string fewest(
        text, std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr);
    const auto digits_of = [](std::string number) {
      number.resize(std::min(number.find('e'), number.size()));
      std::erase(number, '.');
      number.erase(0, number.find_first_not_of('0'));
      return number.substr(0, number.find_last_not_of('0') + 1);
    };
    const std::string spelled = to_ecmascript_string(value);
    CAPTURE(spelled, fewest);
    REQUIRE(digits_of(spelled) == digits_of(fewest));
    double read = 0;
    std::from_chars(spelled.data(), spelled.data() + spelled.size(), read);
    REQUIRE(read == value);
  }
}

TEST_CASE("request: rawCommand has to say what command says") {
  Machine machine;
  Json params = Machine::request({"echo", "a b"});
  params["rawCommand"] = "echo 'a b'";
  CHECK(invalid(machine, params) == Reason::kRawCommandDiffers);
  params["rawCommand"] = " echo \"a b\" ";
  CHECK(machine.decide(params).decision.verdict != Verdict::kInvalid);
  params["rawCommand"] = 5;
  CHECK(machine.decide(params).decision.verdict != Verdict::kInvalid);
}

TEST_CASE("request: a plan has to be whole") {
  Machine machine;
  for (const char* plan :
       {"null", "{}", R"({"argv":[],"commandText":"x"})", R"({"argv":["x"]})",
        R"({"argv":[1],"commandText":"x"})", R"({"argv":["x"],"commandText":"x","mutableFileOperand":null})",
        R"({"argv":["x"],"commandText":"x","policySnapshot":{}})"}) {
    Json params = Machine::request({"uname"});
    params["systemRunPlan"] = Json::parse(plan);
    CHECK(invalid(machine, params) == Reason::kPlanMalformed);
  }
  Json params = Machine::request({"uname"});
  params["systemRunPlan"] = {{"argv", {"zzz"}}, {"rawCommand", "zzz"}, {"extra", 1}};
  CHECK(machine.decide(params).decision.verdict != Verdict::kInvalid);
}

TEST_CASE("request: approval members are checked in order") {
  Machine machine;
  Json params = Machine::request({"/usr/bin/uname"});
  params["approvalSource"] = "bogus";
  CHECK(invalid(machine, params) == Reason::kApprovalSourceUnknown);
  params["approvalSource"] = "ask-fallback";
  params["approved"] = false;
  CHECK(invalid(machine, params) == Reason::kApprovalSourceWithApproval);
  params.erase("approved");
  CHECK(invalid(machine, params) == Reason::kApprovalSourceWithoutPlan);
  params.erase("approvalSource");
  params["approvalDecision"] = "allow-once";
  CHECK(invalid(machine, params) == Reason::kApprovalWithoutPlan);
  params["systemRunPlan"] = plan_for({"/usr/bin/uname"});
  CHECK(invalid(machine, params) == Reason::kApprovalWithoutSnapshot);
  params["approvalDecision"] = "deny";
  CHECK(machine.decide(params).decision.verdict == Verdict::kAsk);
}

TEST_CASE("request: every member that a plan binds is compared") {
  Machine machine;
  for (const char* member : {"cwd", "agentId", "sessionKey", "commandText"}) {
    Json params = Machine::request({"/usr/bin/uname"});
    params["approved"] = true;
    params["systemRunPlan"] = plan_for({"/usr/bin/uname"});
    params["systemRunPlan"][member] = "/other";
    CHECK(invalid(machine, params) == Reason::kApprovalWithoutPlan);
  }
}

TEST_CASE("request: a remembered snapshot stands in for one that the gateway dropped") {
  Machine machine;
  Json params = Machine::request({"/usr/bin/uname"});
  params["approved"] = true;
  params["systemRunPlan"] = plan_for({"/usr/bin/uname"});
  const PrepareEvaluation prepared =
      prepare_run(Machine::request({"uname"}), machine.document, machine.context);
  machine.context.remembered = &prepared.remember;
  CHECK(machine.decide(params).decision.verdict == Verdict::kAllow);
}

TEST_CASE("request: variables that no request may set are named") {
  using Names = std::vector<std::string>;
  Machine machine;
  Json params = Machine::request({"env", "LD_PRELOAD=x", "uname"});
  CHECK(invalid(machine, params) == Reason::kAssignmentRefused);
  CHECK(machine.decide(params).decision.names == Names{"LD_PRELOAD"});
  params = Machine::request({"uname"});
  params["env"] = {{"PATH", "/x"}, {"A B", "1"}};
  CHECK(invalid(machine, params) == Reason::kVariableRefused);
  CHECK(machine.decide(params).decision.names == Names{"PATH"});
  CHECK(machine.decide(params).decision.other_names == Names{"A B"});
}

TEST_CASE("request: timeouts are whole milliseconds within bounds") {
  Machine machine;
  const auto timeout = [&](Json value) {
    Json params = Machine::request({"uname"});
    params["timeoutMs"] = std::move(value);
    return machine.decide(params).timeout_ms;
  };
  CHECK_FALSE(timeout(0));
  CHECK_FALSE(timeout(-5));
  CHECK_FALSE(timeout("5"));
  CHECK(timeout(0.5) == 1);
  CHECK(timeout(1500.9) == 1500);
  CHECK(timeout(1e12) == 2147000000);
}

TEST_CASE("request: identity members are trimmed and other types are ignored") {
  Machine machine;
  Json params = Machine::request({"uname"});
  params["agentId"] = " main ";
  params["sessionKey"] = 5;
  params["runId"] = " r ";
  params["suppressNotifyOnExit"] = "true";
  const RunEvaluation run = machine.decide(params);
  CHECK(run.agent_id == "main");
  CHECK(run.session_key == "node");
  CHECK(run.run_id == "r");
  CHECK_FALSE(run.suppress_notify_on_exit);
}

}  // namespace
}  // namespace hostclaw::policy
