// SPDX-License-Identifier: Apache-2.0
#include "policy/decide/grants.h"

#include <catch2/catch.hpp>

#include "policy/decide/run_request.h"
#include "policy/document/effective_policy.h"
#include "policy/request/command_text.h"
#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

constexpr const char* kHere = "/home/u/work";

Coverage coverage_of(Machine& machine, const Json& params) {
  RunRequest request;
  const RunParameters read = read_run_parameters(params);
  const Asker gateway{read.agent_id, read.session_key, true, {}};
  REQUIRE_FALSE(check_run_command(read.command, gateway, machine.context, request));
  const EffectivePolicy policy =
      resolve_policy(machine.document, "main", machine.context.settings, Platform::kPosix);
  const Environment environment = sanitized_environment(machine.context.host_environment, Platform::kPosix);
  std::vector<TraceStep> trace;
  const AnalysisInput input{request, policy, machine.context, kHere, environment, trace};
  CommandAnalysis analysis = analyse_command(input);
  match_segments(input, analysis);
  return allow_always_coverage(analysis, kHere, machine.context);
}

std::string arguments_here(const std::vector<std::string>& arguments) {
  return cwd_argv_pattern(kHere, arguments, Platform::kPosix);
}

TEST_CASE("grants: a program is granted with its arguments and directory, once") {
  Machine machine;
  const Coverage plain = coverage_of(machine, Machine::request({"uname", "-s"}));
  CHECK(plain.complete);
  REQUIRE(plain.patterns.size() == 1);
  CHECK(plain.patterns[0].pattern == "/usr/bin/uname");
  CHECK(plain.patterns[0].arg_pattern == arguments_here({"-s"}));
  const Coverage chain = coverage_of(machine, Machine::carried("uname -s && id && uname -s && uname"));
  CHECK(chain.complete);
  REQUIRE(chain.patterns.size() == 3);
  CHECK(chain.patterns[1].pattern == "/usr/bin/id");
  CHECK(chain.patterns[2].arg_pattern == arguments_here({}));
}

TEST_CASE("grants: one of many names of a file is granted by that name alone") {
  Machine machine;
  machine.files.add_file("/usr/bin/allinone", "x", true);
  for (const char* name : {"stat", "tac", "rm"})
    machine.files.add_symlink(std::string("/usr/bin/") + name, "allinone");
  machine.context.settings.strictness = GENERATE(Strictness::kHardened, Strictness::kOfficial);
  const Coverage coverage = coverage_of(machine, Machine::request({"stat", "-r", "x"}));
  CHECK(coverage.complete);
  REQUIRE(coverage.patterns.size() == 1);
  CHECK(coverage.patterns[0].pattern == "/usr/bin/stat");
  const auto granted = [&](const std::string& pattern) {
    machine.policy(
        "allowlist", "on-miss",
        {{{"pattern", pattern}, {"argPattern", arguments_here({"-r", "x"})}, {"source", "allow-always"}}});
  };
  granted("/usr/bin/stat");
  CHECK(machine.run({"stat", "-r", "x"}).decision.verdict == Verdict::kAllow);
  CHECK(machine.run({"rm", "-r", "x"}).decision.verdict == Verdict::kAsk);
  // As grants were stored before.
  granted("/usr/bin/allinone");
  CHECK(machine.run({"rm", "-r", "x"}).decision.verdict == Verdict::kAsk);
  machine.context.answer = LocalAnswer::kGranted;
  const RunEvaluation asked = machine.run({"rm", "-r", "y"});
  REQUIRE(asked.decision.verdict == Verdict::kAllow);
  CHECK(asked.plan.pipelines[0].commands[0].executable == "/usr/bin/allinone");
  CHECK(asked.plan.pipelines[0].commands[0].called_as == "/usr/bin/rm");
}

TEST_CASE("grants: what follows a cd is elsewhere and is not granted") {
  Machine machine;
  const Coverage after = coverage_of(machine, Machine::carried("uname && cd /opt && id"));
  CHECK_FALSE(after.complete);
  REQUIRE(after.patterns.size() == 1);
  CHECK(after.patterns[0].pattern == "/usr/bin/uname");
  // A built-in that changes nothing does not get in the way, but is nothing to grant by itself.
  CHECK(coverage_of(machine, Machine::carried("true && uname")).complete);
  const Coverage nothing = coverage_of(machine, Machine::carried("cd /opt"));
  CHECK_FALSE(nothing.complete);
  CHECK(nothing.patterns.empty());
}

TEST_CASE("grants: a shell is granted with its script alone, and never as the whole command") {
  Machine machine;
  const Coverage script = coverage_of(machine, Machine::request({"bash", "script.sh", "one", "two"}));
  CHECK_FALSE(script.complete);
  REQUIRE(script.patterns.size() == 1);
  CHECK(script.patterns[0].pattern == "/home/u/work/script.sh");
  CHECK(script.patterns[0].arg_pattern == arguments_here({"one", "two"}));
  for (const std::vector<std::string>& argv :
       std::vector<std::vector<std::string>>{{"bash", "-x"},
                                             {"bash"},
                                             {"bash", "-s"},
                                             {"bash", "missing.sh"},
                                             {"bash", "/home/u/work"},
                                             {"bash", "-c", "id", "script.sh"}}) {
    INFO(command_text(argv));
    const Coverage none = coverage_of(machine, Machine::request(argv));
    CHECK_FALSE(none.complete);
    CHECK(none.patterns.empty());
  }
}

TEST_CASE("grants: the programs in a shell's text are granted, not the shell") {
  Machine machine;
  const Coverage text = coverage_of(machine, Machine::request({"bash", "-c", "id && uname"}));
  CHECK(text.complete);
  REQUIRE(text.patterns.size() == 2);
  CHECK(text.patterns[0].pattern == "/usr/bin/id");
  CHECK(text.patterns[1].pattern == "/usr/bin/uname");
}

TEST_CASE("grants: programs that run what they are given are granted for once only") {
  Machine machine;
  for (const char* name : {"busybox", "npx", "env"})
    machine.files.add_file(std::string("/usr/bin/") + name, "x", true);
  machine.files.add_symlink("/usr/bin/tidy-name", "busybox");
  machine.files.add_symlink("/usr/bin/snake", "python3.11");
  for (const std::vector<std::string>& argv : std::vector<std::vector<std::string>>{{"busybox", "ls"},
                                                                                    {"tidy-name", "ls"},
                                                                                    {"npx", "tool"},
                                                                                    {"python3", "script.py"},
                                                                                    {"snake", "script.py"},
                                                                                    {"awk", "{print}"},
                                                                                    {"sudo", "id"},
                                                                                    {"nosuchprogram"}}) {
    INFO(command_text(argv));
    const Coverage none = coverage_of(machine, Machine::request(argv));
    CHECK_FALSE(none.complete);
    CHECK(none.patterns.empty());
  }
  const Coverage partly = coverage_of(machine, Machine::carried("uname && python3 script.py"));
  CHECK_FALSE(partly.complete);
  CHECK(partly.patterns.size() == 1);
}

TEST_CASE("grants: with strictInlineEval an interpreter's script may be granted, inline code never") {
  Machine machine;
  machine.context.settings.strict_inline_eval = true;
  const Coverage script = coverage_of(machine, Machine::request({"python3", "script.py"}));
  CHECK(script.complete);
  REQUIRE(script.patterns.size() == 1);
  CHECK(script.patterns[0].pattern == "/usr/bin/python3.11");
  CHECK(coverage_of(machine, Machine::request({"python3", "-c", "print(1)"})).patterns.empty());
}

TEST_CASE("grants: a command that was not understood leaves nothing") {
  Machine machine;
  const Coverage text = coverage_of(machine, Machine::carried("uname $(id)"));
  CHECK_FALSE(text.complete);
  CHECK(text.patterns.empty());
}

TEST_CASE("grants: a marker is bound to the text and has no arguments") {
  const GrantToStore marker = node_command_marker("uname -s");
  CHECK(marker.pattern.starts_with("=node-command:"));
  CHECK_FALSE(marker.arg_pattern.has_value());
  CHECK(marker.pattern != node_command_marker("uname  -s").pattern);
}

}  // namespace
}  // namespace hostclaw::policy
