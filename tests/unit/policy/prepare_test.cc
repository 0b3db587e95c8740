// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "policy/request/command_text.h"
#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

using Commands = std::vector<std::vector<std::string>>;

PrepareEvaluation prepare(Machine& machine, Json params) {
  return prepare_run(params, machine.document, machine.context);
}

// The run that the gateway sends after a prepare, as it stands in the plan.
Json run_of(const PrepareEvaluation& prepared) {
  const Json& plan = prepared.payload["plan"];
  Json params = {{"command", plan["argv"]},
                 {"rawCommand", plan["commandText"]},
                 {"cwd", plan["cwd"]},
                 {"agentId", plan["agentId"]},
                 {"systemRunPlan", plan}};
  return params;
}

RunEvaluation run_again(Machine& machine, const PrepareEvaluation& prepared, bool approved = false) {
  Json params = run_of(prepared);
  if (approved) {
    params["approved"] = true;
    params["approvalDecision"] = "allow-once";
  }
  machine.context.remembered = &prepared.remember;
  const RunEvaluation run = machine.decide(params);
  machine.context.remembered = nullptr;
  return run;
}

TEST_CASE("prepare: a listed command gets a direct plan that runs without a question") {
  for (const char* entry : {"/usr/bin/uname", "uname", "/usr/bin/un*"}) {
    Machine machine;
    machine.list({entry});
    const PrepareEvaluation prepared = prepare(machine, Machine::carried("uname -s"));
    REQUIRE(prepared.ok);
    const Json& plan = prepared.payload["plan"];
    CHECK(plan["argv"] == Json({"/usr/bin/uname", "-s"}));
    CHECK(plan["commandText"] == "/usr/bin/uname -s");
    CHECK(plan["commandPreview"].is_null());
    CHECK(prepared.payload["execPolicy"] == Json({{"security", "full"}, {"ask", "off"}}));
    const RunEvaluation run = run_again(machine, prepared);
    CHECK(run.decision.verdict == Verdict::kAllow);
    CHECK(spawned(run) == Commands{{"/usr/bin/uname", "-s"}});
  }
}

TEST_CASE("prepare: an older gateway is shown a grant for the very text of a listed command") {
  Machine machine;
  machine.list({"/usr/bin/uname"});
  machine.context.older_peer = true;
  const PrepareEvaluation prepared = prepare(machine, Machine::carried("uname -s"));
  REQUIRE(prepared.visible_markers.size() == 1);
  CHECK(prepared.visible_markers[0].pattern == "=command:" + std::string(command_key("/usr/bin/uname -s")));
  CHECK(prepare(machine, Machine::carried("id -u")).visible_markers.empty());
}

TEST_CASE("prepare: what is asked about although its program is listed is worded so that a gateway asks") {
  Machine machine;
  const char* entry = GENERATE("/usr/bin/git", "/usr/bin/g*");
  machine.list({entry});
  const std::string text = GENERATE("git -c core.pager=id log", "/usr/bin/git -c core.pager=id log",
                                    "git status && git -c core.pager=id log");
  CAPTURE(entry, text);
  const PrepareEvaluation prepared = prepare(machine, Machine::carried(text));
  REQUIRE(prepared.ok);
  CHECK(prepared.run.decision.code == DecisionCode::kCarriedCode);
  CHECK(prepared.payload["execPolicy"] == Json({{"security", "allowlist"}, {"ask", "on-miss"}}));
  const Json& plan = prepared.payload["plan"];
  const std::string words = text.starts_with("/usr/bin/") ? text.substr(9) : text;
  // A gateway finds a path of the list again, and no bare name.
  CHECK(plan["argv"] == Json({"/bin/sh", "-c", words}));
  CHECK(plan["commandPreview"] == words);
  CHECK(prepared.payload["allowAlwaysCoverage"]["complete"] == true);
  CHECK(run_again(machine, prepared).decision.verdict == Verdict::kAsk);
  const RunEvaluation approved = run_again(machine, prepared, true);
  CHECK(approved.decision.code == DecisionCode::kAllowedByApproval);
  CHECK(spawned(approved).back() == std::vector<std::string>{"git", "-c", "core.pager=id", "log"});
  CHECK(approved.plan.pipelines.back().commands.back().executable == "/usr/bin/git");
}

TEST_CASE("prepare: a name of an approved plan that leads elsewhere when it runs is refused") {
  Machine machine;
  machine.list({"/usr/bin/git"});
  const PrepareEvaluation prepared = prepare(machine, Machine::carried("git -c core.pager=id log"));
  REQUIRE(prepared.ok);
  machine.files.add_file("/opt/tools/git",
                         "\x7f"
                         "ELF",
                         true);
  machine.context.host_environment = {{"PATH", "/opt/tools:/usr/bin"}, {"HOME", "/home/u"}};
  const RunEvaluation run = run_again(machine, prepared, true);
  CHECK(run.decision.verdict == Verdict::kDeny);
  CHECK(run.decision.code == DecisionCode::kOperandChanged);
}

TEST_CASE("prepare: a program that its user can change stays bound by its content") {
  Machine machine;
  machine.files.add_directory("/home/u/bin", 1500);
  machine.files.add_file("/home/u/bin/git",
                         "\x7f"
                         "ELF",
                         true, 1500);
  machine.context.host_environment = {{"PATH", "/home/u/bin:/usr/bin"}, {"HOME", "/home/u"}};
  machine.list({"/home/u/bin/git"});
  const PrepareEvaluation prepared = prepare(machine, Machine::carried("git -c core.pager=id log"));
  REQUIRE(prepared.ok);
  INFO(prepared.payload.dump());
  CHECK(prepared.payload["plan"]["argv"] == Json({"/bin/sh", "-c", "git -c core.pager=id log"}));
  CHECK(prepared.payload["execPolicy"]["ask"] == "on-miss");
  CHECK(prepared.payload["allowAlwaysCoverage"]["complete"] == true);
  const RunEvaluation approved = run_again(machine, prepared, true);
  REQUIRE(approved.decision.verdict == Verdict::kAllow);
  const PlannedCommand& spawned_command = approved.plan.pipelines.back().commands.back();
  CHECK(spawned_command.executable == "/home/u/bin/git");
  REQUIRE(spawned_command.script);
  CHECK(spawned_command.script->index == 0);
  CHECK(spawned_command.script->sha256 == machine.files.content_sha256("/home/u/bin/git"));
  machine.files.add_file("/home/u/bin/git",
                         "\x7f"
                         "ELF other",
                         true, 1500);
  CHECK(run_again(machine, prepared, true).decision.code == DecisionCode::kOperandChanged);
}

TEST_CASE("prepare: where everything is listed, a gateway is told to ask always") {
  Machine machine;
  machine.list({"*"});
  const PrepareEvaluation prepared = prepare(machine, Machine::carried("git -c core.pager=id log"));
  REQUIRE(prepared.ok);
  CHECK(prepared.payload["execPolicy"] == Json({{"security", "allowlist"}, {"ask", "always"}}));
}

TEST_CASE("prepare: an unlisted program keeps its path in the question") {
  Machine machine;
  machine.list({"/usr/bin/uname"});
  const PrepareEvaluation prepared = prepare(machine, Machine::carried("id -u"));
  REQUIRE(prepared.ok);
  CHECK(prepared.payload["plan"]["argv"] == Json({"/usr/bin/id", "-u"}));
}

TEST_CASE(
    "allow-always for what a listed program was asked about covers these arguments in this directory alone") {
  Machine machine;
  machine.list({"/usr/bin/git"});
  const std::string text = "git -c core.pager=id log";
  const PrepareEvaluation prepared = prepare(machine, Machine::carried(text));
  Json params = run_of(prepared);
  params["approved"] = true;
  params["approvalDecision"] = "allow-always";
  machine.context.remembered = &prepared.remember;
  const RunEvaluation run = machine.decide(params);
  machine.context.remembered = nullptr;
  REQUIRE(run.decision.verdict == Verdict::kAllow);
  REQUIRE_FALSE(run.grants.empty());
  OrderedJson entries = OrderedJson::array({{{"pattern", "/usr/bin/git"}}});
  for (const GrantToStore& grant : run.grants) {
    OrderedJson entry{{"pattern", grant.pattern}, {"source", "allow-always"}};
    if (grant.arg_pattern) entry["argPattern"] = *grant.arg_pattern;
    entries.push_back(std::move(entry));
  }
  machine.policy("allowlist", "on-miss", std::move(entries));
  CHECK(prepare(machine, Machine::carried(text)).run.decision.verdict == Verdict::kAllow);
  CHECK(prepare(machine, Machine::carried("git -c core.pager=id show")).run.decision.verdict ==
        Verdict::kAsk);
  Json elsewhere = Machine::carried(text);
  elsewhere["cwd"] = "/home/u";
  CHECK(prepare(machine, elsewhere).run.decision.verdict == Verdict::kAsk);
}

TEST_CASE("prepare: markers are shown only where the gateway cannot see the match by itself") {
  Machine machine;
  machine.list({"/usr/bin/uname"});
  CHECK(prepare(machine, Machine::carried("uname -s")).visible_markers.empty());
  machine.list({"uname"});
  const PrepareEvaluation named = prepare(machine, Machine::carried("uname -s"));
  REQUIRE(named.visible_markers.size() == 2);
  CHECK(named.visible_markers[0].pattern == "/usr/bin/uname");
  CHECK(named.visible_markers[1].pattern == "=node-command:" + command_key("/usr/bin/uname -s"));
  CHECK(named.payload["allowAlwaysCoverage"]["complete"] == true);
}

TEST_CASE("prepare: listed chains and pipelines are rewritten with resolved words and run as programs") {
  Machine machine;
  machine.list({"uname", "/usr/bin/git"});
  const PrepareEvaluation prepared =
      prepare(machine, Machine::carried("uname -s && git log 'a b' | wc -l; cd .. || true"));
  REQUIRE(prepared.ok);
  const Json& plan = prepared.payload["plan"];
  const std::string text = "/usr/bin/uname -s && /usr/bin/git log 'a b' | /usr/bin/wc -l; cd .. || true";
  CHECK(plan["argv"] == Json({"/bin/sh", "-c", text}));
  CHECK(plan["commandPreview"] == text);
  CHECK(plan["commandText"] == command_text({"/bin/sh", "-c", text}));
  CHECK(prepared.payload["execPolicy"]["security"] == "full");
  const RunEvaluation run = run_again(machine, prepared);
  REQUIRE(run.decision.verdict == Verdict::kAllow);
  CHECK(spawned(run) == Commands{{"/usr/bin/uname", "-s"},
                                 {"/usr/bin/git", "log", "a b"},
                                 {"/usr/bin/wc", "-l"},
                                 {"cd", ".."},
                                 {"true"}});
}

TEST_CASE("prepare: what was listed when it was prepared is judged again when it runs") {
  Machine machine;
  machine.list({"uname"});
  const PrepareEvaluation prepared = prepare(machine, Machine::carried("uname -s"));
  machine.list({"git"});
  CHECK(run_again(machine, prepared).decision.verdict == Verdict::kAsk);
}

TEST_CASE("prepare: an absolute word matches a name pattern only in a plan of this node") {
  Machine machine;
  machine.list({"uname"});
  CHECK(machine.run({"/usr/bin/uname", "-s"}).decision.verdict == Verdict::kAsk);
  const RememberedPlan forged{nullptr, true, {"git"}};
  machine.context.remembered = &forged;
  machine.list({"git"});
  CHECK(machine.run({"/usr/bin/uname", "-s"}).decision.verdict == Verdict::kAsk);
}

TEST_CASE("prepare: an unlisted command can be asked about, and runs once a person approved it") {
  Machine machine;
  for (const char* text : {"id -u", "id -u && uname -s", "id | wc -l"}) {
    const PrepareEvaluation prepared = prepare(machine, Machine::carried(text));
    REQUIRE(prepared.ok);
    CHECK(prepared.payload["execPolicy"] == Json({{"security", "allowlist"}, {"ask", "on-miss"}}));
    CHECK(prepared.run.decision.verdict == Verdict::kAsk);
    CHECK(run_again(machine, prepared).decision.verdict == Verdict::kAsk);
    const RunEvaluation run = run_again(machine, prepared, true);
    CHECK(run.decision.verdict == Verdict::kAllow);
    CHECK(run.approved_by_gateway);
    for (const auto& command : spawned(run)) CHECK(command.front() != "/bin/sh");
  }
}

TEST_CASE("prepare: a chain that depends on a file that can change is not offered for approval") {
  Machine machine;
  const PrepareEvaluation prepared = prepare(machine, Machine::carried("uname -s && python3 script.py"));
  CHECK_FALSE(prepared.ok);
  CHECK(prepared.refusal.reason == Reason::kHiddenCommand);
  CHECK(prepared.refusal.explanation.find("`python3`") != std::string::npos);
}

TEST_CASE("prepare: a refusal is reported as the policy and not as an error") {
  Machine machine;
  machine.policy("deny", "off");
  const PrepareEvaluation prepared = prepare(machine, Machine::request({"uname"}));
  REQUIRE(prepared.ok);
  CHECK(prepared.payload["execPolicy"]["security"] == "deny");
}

TEST_CASE("prepare: an explicit full caller on a full node gets the command back as it is") {
  Machine machine;
  machine.policy("full", "off");
  Json params = Machine::request({"uname", "-s"});
  params["security"] = "full";
  params["ask"] = "off";
  const PrepareEvaluation prepared = prepare(machine, params);
  CHECK(prepared.payload["plan"]["argv"] == Json({"uname", "-s"}));
  CHECK(prepared.payload["allowAlwaysCoverage"]["complete"] == false);
  params.erase("ask");
  CHECK(prepare(machine, params).payload["plan"]["argv"] == Json({"/usr/bin/uname", "-s"}));
}

TEST_CASE("prepare: an older gateway that names no policy gets a plan for every text of a full node") {
  Machine machine;
  machine.policy("full", "off");
  CHECK_FALSE(prepare(machine, Machine::carried("a && b > c")).ok);
  machine.context.older_peer = true;
  CHECK(prepare(machine, Machine::carried("a && b > c")).ok);
}

TEST_CASE("prepare: a script is bound by its content") {
  Machine machine;
  const PrepareEvaluation prepared = prepare(machine, Machine::request({"python3", "script.py"}));
  REQUIRE(prepared.ok);
  const Json& operand = prepared.payload["plan"]["mutableFileOperand"];
  CHECK(operand["argvIndex"] == 1);
  CHECK(operand["path"] == "/home/u/work/script.py");
  CHECK(run_again(machine, prepared, true).decision.verdict == Verdict::kAllow);
  machine.files.add_file("/home/u/work/script.py", "print(2)\n", false, 1500);
  CHECK(run_again(machine, prepared, true).decision.code == DecisionCode::kOperandChanged);
}

TEST_CASE("prepare: approval ends when the policy changes, but not when a rule is added") {
  Machine machine;
  const PrepareEvaluation prepared = prepare(machine, Machine::request({"uname"}));
  machine.list({"/usr/bin/id"});
  CHECK(run_again(machine, prepared, true).decision.verdict == Verdict::kAllow);
  machine.policy("allowlist", "always");
  const RunEvaluation run = run_again(machine, prepared, true);
  CHECK(run.decision.code == DecisionCode::kPolicyChanged);
}

TEST_CASE("prepare: allow-always stores the program with its arguments and directory") {
  Machine machine;
  const PrepareEvaluation prepared = prepare(machine, Machine::carried("uname -s"));
  Json params = run_of(prepared);
  params["approvalDecision"] = "allow-always";
  const RunEvaluation run = machine.decide(params);
  REQUIRE(run.grants.size() == 2);
  CHECK(run.grants[0].pattern == "/usr/bin/uname");
  CHECK(run.grants[0].arg_pattern == cwd_argv_pattern("/home/u/work", {"-s"}, Platform::kPosix));
  CHECK(run.grants[1].pattern.starts_with("=node-command:"));
}

TEST_CASE("prepare: nothing is stored for programs that run other programs' code") {
  Machine machine;
  const PrepareEvaluation prepared = prepare(machine, Machine::request({"python3", "script.py"}));
  Json params = run_of(prepared);
  params["approvalDecision"] = "allow-always";
  CHECK(machine.decide(params).grants.empty());
}

TEST_CASE("prepare: the ask fallback narrows and never widens") {
  for (const auto& [fallback, verdict] : std::vector<std::pair<std::string, Verdict>>{
           {"deny", Verdict::kDeny}, {"allowlist", Verdict::kDeny}, {"full", Verdict::kAllow}}) {
    Machine machine;
    machine.document = Machine::read(
        {{"version", 1}, {"defaults", {{"security", "full"}, {"ask", "always"}, {"askFallback", fallback}}}});
    const PrepareEvaluation prepared = prepare(machine, Machine::request({"uname"}));
    Json params = run_of(prepared);
    params["approvalSource"] = "ask-fallback";
    CHECK(machine.decide(params).decision.verdict == verdict);
  }
}

TEST_CASE("prepare: the same plan has the same key, and every bound member counts") {
  const Json plan = {{"argv", {"a", "b"}}, {"commandText", "a b"}, {"cwd", "/x"}, {"agentId", nullptr}};
  CHECK(plan_key(plan) == plan_key(Json::parse(plan.dump())));
  CHECK(plan_key({{"argv", {"a b"}}, {"commandText", "a b"}, {"cwd", "/x"}}) != plan_key(plan));
  for (const char* member : {"cwd", "agentId", "sessionKey", "commandText"}) {
    Json other = plan;
    other[member] = "other";
    CHECK(plan_key(other) != plan_key(plan));
  }
  CHECK(plan_key({}).empty());
}

TEST_CASE("prepare: malformed parameters are told apart") {
  Machine machine;
  CHECK(prepare(machine, {{"rawCommand", "x"}}).refusal.reason == Reason::kRawCommandAlone);
  CHECK(prepare(machine, Json()).refusal.reason == Reason::kCommandMissing);
  CHECK(prepare(machine, Json::object()).refusal.verdict == Verdict::kInvalid);
}

}  // namespace
}  // namespace hostclaw::policy
