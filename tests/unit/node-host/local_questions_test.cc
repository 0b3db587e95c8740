// SPDX-License-Identifier: Apache-2.0
// What a person is asked, and what the key of a question binds.
#include "node-host/questions/local_questions.h"

#include <catch2/catch.hpp>

#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::node_host {
namespace {

using approvals::GrantScope;
using policy::LocalAnswer;
using policy::Machine;

Askable asked(Machine& machine, const Json& params) {
  machine.context.answer = LocalAnswer::kNone;
  const policy::RunDecision refused = policy::decide_run(params, machine.document, machine.context);
  REQUIRE(refused.evaluation.decision.verdict == policy::Verdict::kAsk);
  machine.context.answer = LocalAnswer::kGranted;
  const policy::RunDecision granted = policy::decide_run(params, machine.document, machine.context);
  REQUIRE(granted.evaluation.decision.verdict == policy::Verdict::kAllow);
  return askable(refused, granted, "gateway wss://gateway.example:443");
}

Json with(Json params, const char* name, const Json& value) {
  params[name] = value;
  return params;
}

}  // namespace

TEST_CASE(
    "the key of a question is the same for the same request and differs with everything that it binds") {
  Machine machine;
  const Json request = Machine::request({"id", "-u", ""});
  const std::string key = asked(machine, request).question.key;
  CHECK(key.size() == 64);
  CHECK(asked(machine, with(request, "runId", "another")).question.key == key);
  const Json others[] = {Machine::request({"id", "-u"}),
                         Machine::request({"id", "", "-u"}),
                         Machine::request({"id", "-g", ""}),
                         Machine::request({"uname", "-u", ""}),
                         Machine::request({"id", "-u ", ""}),
                         with(request, "agentId", "other"),
                         with(request, "sessionKey", "agent:main:x"),
                         with(request, "cwd", "/home/u"),
                         with(request, "env", {{"SOME_NAME", "a"}}),
                         with(request, "env", {{"SOME_NAME", "b"}}),
                         Machine::carried("id -u ''; uname"),
                         Machine::carried("id -u '' && uname"),
                         Machine::carried("id -u '' | uname"),
                         Machine::carried("! id -u ''")};
  std::vector<std::string> keys = {key};
  for (const Json& other : others) {
    const std::string its_key = asked(machine, other).question.key;
    INFO(dump_json(other));
    CHECK(std::find(keys.begin(), keys.end(), its_key) == keys.end());
    keys.push_back(its_key);
  }
}

TEST_CASE("the key of a question binds the content of a script") {
  Machine machine;
  const Json request = Machine::request({"/home/u/work/script.sh"});
  const std::string before = asked(machine, request).question.key;
  machine.files.remove("/home/u/work/script.sh");
  machine.files.add_file("/home/u/work/script.sh", "#!/bin/sh\necho ho\n", true, 1500);
  CHECK(asked(machine, request).question.key != before);
}

TEST_CASE("a grant stands in for a person as far as the reason of the question goes") {
  Machine machine;
  CHECK(asked(machine, Machine::request({"id"})).request.widest == GrantScope::kExecutable);

  machine.list({"/usr/bin/find"});
  CHECK(asked(machine, Machine::request({"find", ".", "-exec", "id", ";"})).request.widest ==
        GrantScope::kExact);

  machine.policy("allowlist", "always", {{{"pattern", "/usr/bin/uname"}}});
  CHECK(asked(machine, Machine::request({"uname"})).request.widest == GrantScope::kPlan);

  Machine suppressing;
  const Json suppress = Machine::request({"git", "config", "security.audit.suppressions", "on"});
  CHECK(asked(suppressing, suppress).request.widest == GrantScope::kPlan);

  const Askable moving = asked(suppressing, Machine::carried("cd /home/u && id"));
  CHECK(moving.request.widest == GrantScope::kPlan);
  CHECK_FALSE(moving.question.lasting_refused.empty());
}

TEST_CASE("what a person sees holds no secret, and what is kept for them does") {
  Machine machine;
  const std::string secret = "ghp_" + std::string(36, 'a');
  const Askable what = asked(machine, Machine::request({"id", "--token", secret}));
  CHECK(what.question.shown_text.find(secret) == std::string::npos);
  CHECK(what.question.command_text.find(secret) != std::string::npos);
  CHECK(dump_json(what.question.details).find(secret) == std::string::npos);
  REQUIRE(what.question.commands.size() == 1);
  CHECK(what.question.commands[0].executable == "/usr/bin/id");
}

TEST_CASE("text that was not understood says so to the person") {
  Machine machine;
  const Askable what = asked(machine, Machine::carried("id $(uname)"));
  CHECK(dump_json(what.question.details).find("was not understood") != std::string::npos);
  CHECK(what.request.widest == GrantScope::kPlan);
}

}  // namespace hostclaw::node_host
