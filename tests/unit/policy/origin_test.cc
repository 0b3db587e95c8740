// SPDX-License-Identifier: Apache-2.0
// Who asks is what the door says, never what the request says.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "policy/decide/run_decision.h"
#include "policy/model/decision_codes.h"
#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

constexpr const char* kProgram = "/usr/bin/uname";

// A door that vouches for the agent itself and takes no approval from its callers.
Asker container() { return {"boxed", "", false, "hostlink tokens/ci"}; }

RunDecision decide_for(Machine& machine, const Asker& asker, const Json& params) {
  return decide_run(read_run_parameters(params).command, asker, machine.document, machine.context);
}

RunDecision decide_for_gateway(Machine& machine, const Json& params) {
  const RunParameters read = read_run_parameters(params);
  return decide_run(read.command, {read.agent_id, read.session_key, true, "gateway"}, machine.document,
                    machine.context);
}

// What the gateway sends back after a person approved it.
Json prepared_plan(Machine& machine) {
  Json params = Machine::request({kProgram});
  params["sessionKey"] = "agent:main:main";
  const PrepareEvaluation prepared = prepare_run(params, machine.document, machine.context);
  REQUIRE(prepared.ok);
  return prepared.payload.at("plan");
}

// Each member that a caller might assert, with a value that helps them, and what a gateway sends beside it.
std::map<std::string, Json> claims(const Json& plan) {
  return {{"agentId", {{"agentId", "main"}}},
          {"sessionKey", {{"sessionKey", "agent:main:main"}}},
          {"runId", {{"runId", "approval-1"}}},
          {"approved", {{"approved", true}, {"systemRunPlan", plan}}},
          {"approvalDecision", {{"approvalDecision", "allow-always"}, {"systemRunPlan", plan}}},
          {"approvalSource", {{"approvalSource", "auto-review"}, {"systemRunPlan", plan}}},
          {"systemRunPlan", {{"systemRunPlan", plan}}},
          {"policySnapshot", {{"policySnapshot", plan.at("policySnapshot")}}},
          {"security", {{"security", "full"}}},
          {"ask", {{"ask", "off"}}},
          {"askFallback", {{"askFallback", "full"}}},
          {"autoAllowSkills", {{"autoAllowSkills", true}}},
          {"strictInlineEval", {{"strictInlineEval", false}}},
          {"suppressNotifyOnExit", {{"suppressNotifyOnExit", true}}}};
}

Json command_only() { return {{"command", {kProgram}}, {"cwd", "/home/u/work"}}; }

}  // namespace

TEST_CASE("origin: the table of claims names every member that speaks with somebody else's authority") {
  Machine machine;
  std::vector<std::string> tested;
  for (const auto& [name, members] : claims(prepared_plan(machine))) tested.push_back(name);
  std::vector<std::string> known(authority_members().begin(), authority_members().end());
  std::sort(known.begin(), known.end());
  CHECK(tested == known);
}

TEST_CASE(
    "origin: each member that a caller might assert is refused by name where the door carries no approval") {
  Machine machine;
  machine.policy("full", "off");
  for (const auto& [name, members] : claims(prepared_plan(machine))) {
    INFO(name);
    Json params = command_only();
    params[name] = members.at(name);
    const RunDecision decided = decide_for(machine, container(), params);
    const Decision& decision = decided.evaluation.decision;
    CHECK(decision.verdict == Verdict::kDeny);
    CHECK(decision.code == DecisionCode::kOriginMemberRefused);
    CHECK(decision.layer == "origin");
    CHECK(decision.next.ends_with("without " + name));
    // What the record keeps is the door's word, and nothing that could run.
    CHECK(decided.evaluation.agent_id == "boxed");
    CHECK(decided.evaluation.session_key == "node");
    CHECK(decided.evaluation.run_id.empty());
    CHECK_FALSE(decided.evaluation.suppress_notify_on_exit);
    CHECK(decided.evaluation.argv == std::vector<std::string>{kProgram});
    CHECK(decided.evaluation.plan.empty());
    CHECK(decided.evaluation.trace.front().stage == "origin");
    CHECK(decided.evaluation.trace.front().text == "hostlink tokens/ci");
  }
}

TEST_CASE("origin: the same members from a gateway are taken as they always were") {
  Machine machine;
  machine.policy("full", "off");
  for (const auto& [name, members] : claims(prepared_plan(machine))) {
    INFO(name);
    Json params = Machine::request({kProgram});
    params["sessionKey"] = "agent:main:main";
    params.update(members);
    const RunDecision decided = decide_for_gateway(machine, params);
    INFO(decided.evaluation.decision.explanation);
    CHECK(decided.evaluation.decision.verdict == Verdict::kAllow);
    CHECK(decided.evaluation.agent_id == "main");
  }
}

TEST_CASE("origin: a door that fills in an approval by mistake is refused like a caller who claims one") {
  Machine machine;
  machine.policy("full", "off");
  RunCommand command = read_run_parameters(command_only()).command;
  CHECK(decide_run(command, container(), machine.document, machine.context).evaluation.decision.verdict ==
        Verdict::kAllow);
  command.approved = true;
  command.decision = ApprovalDecision::kAllowAlways;
  const RunDecision decided = decide_run(command, container(), machine.document, machine.context);
  CHECK(decided.evaluation.decision.code == DecisionCode::kOriginMemberRefused);
  CHECK(decided.evaluation.grants.empty());
  CHECK(refused_claims(command) == std::vector<std::string>{"approvalDecision"});
}

TEST_CASE("origin: the agent of the door is judged, not the one that a request names") {
  Machine machine;
  machine.document = Machine::read(
      {{"version", 1},
       {"defaults", {{"security", "deny"}, {"ask", "off"}}},
       {"agents", {{"main", {{"security", "full"}, {"ask", "off"}}}, {"boxed", {{"security", "deny"}}}}}});
  CHECK(decide_for(machine, container(), command_only()).evaluation.decision.code ==
        DecisionCode::kSecurityDeny);
  Asker main = container();
  main.agent_id = "main";
  CHECK(decide_for(machine, main, command_only()).evaluation.decision.verdict == Verdict::kAllow);
}

TEST_CASE("origin: while the node only observes, a refused claim stays refused") {
  Machine machine;
  machine.context.settings.observe = true;
  Json params = command_only();
  params["approved"] = true;
  CHECK(decide_for(machine, container(), params).evaluation.decision.code ==
        DecisionCode::kOriginMemberRefused);
  params.erase("approved");
  CHECK(decide_for(machine, container(), params).evaluation.decision.verdict == Verdict::kAllow);
}

TEST_CASE("origin: null members claim nothing") {
  Machine machine;
  machine.policy("full", "off");
  Json params = command_only();
  params["agentId"] = nullptr;
  params["approved"] = nullptr;
  CHECK(decide_for(machine, container(), params).evaluation.decision.verdict == Verdict::kAllow);
}

}  // namespace hostclaw::policy
