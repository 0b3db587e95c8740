// SPDX-License-Identifier: Apache-2.0
// What a person's answer on this node changes about a decision, and what it does not.
#include <catch2/catch.hpp>

#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

RunEvaluation answered(Machine& machine, const Json& params, LocalAnswer answer) {
  machine.context.answer = answer;
  RunEvaluation run = machine.decide(params);
  machine.context.answer = LocalAnswer::kNone;
  return run;
}

// A rule about every call of `id`.
std::shared_ptr<const RuleSet> rule_about_id(RuleEffect effect) {
  Rule rule;
  rule.id = "about-id";
  rule.effect = effect;
  rule.program = "id";
  rule.note = "because";
  return std::make_shared<const RuleSet>(std::vector<Rule>{rule});
}

}  // namespace

TEST_CASE("answer: what a person allowed runs, bound to its file") {
  Machine machine;
  const Json request = Machine::request({"id", "-u"});
  CHECK(answered(machine, request, LocalAnswer::kNone).decision.verdict == Verdict::kAsk);
  const RunEvaluation run = answered(machine, request, LocalAnswer::kGranted);
  CHECK(run.decision.verdict == Verdict::kAllow);
  CHECK(run.decision.code == DecisionCode::kAllowedByAnswer);
  CHECK_FALSE(run.approved_by_gateway);
  REQUIRE(run.plan.pipelines.size() == 1);
  CHECK(run.plan.pipelines[0].commands[0].executable == "/usr/bin/id");
  CHECK(run.plan.pipelines[0].commands[0].identity.known);
}

TEST_CASE("answer: allowed text runs as the analysed programs, without its shell") {
  Machine machine;
  const RunEvaluation run = answered(machine, Machine::carried("id -u && uname"), LocalAnswer::kGranted);
  REQUIRE(run.decision.verdict == Verdict::kAllow);
  CHECK(spawned(run) == std::vector<std::vector<std::string>>{{"id", "-u"}, {"uname"}});
}

TEST_CASE("answer: a script that a person allowed is bound by its content") {
  Machine machine;
  const RunEvaluation run =
      answered(machine, Machine::request({"/home/u/work/script.sh"}), LocalAnswer::kGranted);
  REQUIRE(run.decision.verdict == Verdict::kAllow);
  const PlannedCommand& command = run.plan.pipelines[0].commands[0];
  REQUIRE(command.script.has_value());
  CHECK(command.script->sha256.has_value());
}

TEST_CASE("answer: no answer loosens a policy that denies, nor a rule that does") {
  for (const LocalAnswer answer : {LocalAnswer::kGranted, LocalAnswer::kCovered, LocalAnswer::kUnanswered}) {
    Machine machine;
    machine.policy("deny", "on-miss");
    const RunEvaluation by_policy = answered(machine, Machine::request({"id"}), answer);
    CHECK(by_policy.decision.verdict == Verdict::kDeny);
    CHECK(by_policy.decision.code == DecisionCode::kSecurityDeny);

    Machine ruled;
    ruled.list({"/usr/bin/id"});
    ruled.context.settings.rules = rule_about_id(RuleEffect::kDeny);
    const RunEvaluation by_rule = answered(ruled, Machine::request({"id"}), answer);
    CHECK(by_rule.decision.verdict == Verdict::kDeny);
    CHECK(by_rule.decision.code ==
          (answer == LocalAnswer::kUnanswered ? DecisionCode::kUnanswered : DecisionCode::kRuleDeny));
  }
}

TEST_CASE("answer: a rule that asks is satisfied by a person, and refused without one") {
  Machine machine;
  machine.list({"/usr/bin/id"});
  machine.context.settings.rules = rule_about_id(RuleEffect::kAsk);
  const Json request = Machine::request({"id"});
  CHECK(answered(machine, request, LocalAnswer::kNone).decision.code == DecisionCode::kRuleAsk);
  CHECK(answered(machine, request, LocalAnswer::kGranted).decision.verdict == Verdict::kAllow);
  CHECK(answered(machine, request, LocalAnswer::kUnanswered).decision.code == DecisionCode::kUnanswered);
  CHECK(answered(machine, request, LocalAnswer::kDenied).decision.code == DecisionCode::kAnsweredDeny);
}

TEST_CASE("answer: a no, a change and silence are refusals of their own") {
  Machine machine;
  const Json request = Machine::request({"id"});
  const std::pair<LocalAnswer, DecisionCode> rows[] = {
      {LocalAnswer::kDenied, DecisionCode::kAnsweredDeny},
      {LocalAnswer::kChanged, DecisionCode::kChangedSinceAsked},
      {LocalAnswer::kUnanswered, DecisionCode::kUnanswered}};
  for (const auto& [answer, code] : rows) {
    const RunEvaluation run = answered(machine, request, answer);
    CHECK(run.decision.verdict == Verdict::kDeny);
    CHECK(run.decision.code == code);
    CHECK_FALSE(run.decision.explanation.empty());
    CHECK_FALSE(run.decision.next.empty());
    CHECK(run.plan.empty());
  }
}

TEST_CASE("answer: silence lets run what askFallback lets run") {
  Machine machine;
  const auto fallback = [&](const char* security, const char* value) {
    machine.document =
        Machine::read({{"version", 1},
                       {"defaults", {{"security", security}, {"ask", "always"}, {"askFallback", value}}},
                       {"agents", {{"main", {{"allowlist", {{{"pattern", "/usr/bin/uname"}}}}}}}}});
    return [&](const char* program) {
      return answered(machine, Machine::request({program}), LocalAnswer::kUnanswered).decision;
    };
  };
  CHECK(fallback("full", "full")("id").code == DecisionCode::kAllowedByFallback);
  CHECK(fallback("full", "allowlist")("uname").verdict == Verdict::kAllow);
  CHECK(fallback("full", "allowlist")("id").verdict == Verdict::kDeny);
  CHECK(fallback("allowlist", "deny")("uname").code == DecisionCode::kUnanswered);
}

TEST_CASE("answer: variables reach the program that a person saw them with, not one that a grant covers") {
  Machine machine;
  Json request = Machine::request({"id"});
  request["env"] = {{"SOME_NAME", "value"}};
  const auto has = [](const RunEvaluation& run) {
    for (const auto& [name, value] : run.plan.environment) {
      if (name == "SOME_NAME") return true;
    }
    return false;
  };
  CHECK(has(answered(machine, request, LocalAnswer::kGranted)));
  CHECK_FALSE(has(answered(machine, request, LocalAnswer::kCovered)));
}

TEST_CASE("answer: a program that is not there cannot be allowed") {
  Machine machine;
  const RunEvaluation run = answered(machine, Machine::request({"/usr/bin/missing"}), LocalAnswer::kGranted);
  CHECK(run.decision.verdict == Verdict::kDeny);
  CHECK(run.decision.code == DecisionCode::kExecutableUnresolved);
}

TEST_CASE("answer: a command about the suppression of audit findings says that it needs a person") {
  Machine machine;
  const RunEvaluation run = machine.run({"git", "config", "security.audit.suppressions", "on"});
  CHECK(run.decision.verdict == Verdict::kAsk);
  CHECK(run.needs_person);
}

}  // namespace hostclaw::policy
