// SPDX-License-Identifier: Apache-2.0
#include "policy/lint/lint.h"

#include <catch2/catch.hpp>

#include "policy/rules/rules.h"
#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

std::vector<std::string> codes(const Machine& machine) {
  std::vector<std::string> out;
  for (const LintFinding& finding : lint_policy(machine.document, machine.context)) {
    CHECK_FALSE(finding.message.empty());
    out.push_back(finding.code);
  }
  return out;
}

TEST_CASE("lint: entries that open a general door are named") {
  Machine machine;
  machine.list({"*"});
  CHECK(codes(machine) == std::vector<std::string>{"OPENS_EVERYTHING"});
  for (const char* pattern : {"/usr/bin/bash", "python3", "/usr/bin/find"}) {
    machine.list({pattern});
    REQUIRE_FALSE(codes(machine).empty());
    CHECK(codes(machine).back() == "GENERAL_DOOR");
  }
  machine.list({"/usr/bin/uname"});
  CHECK(codes(machine).empty());
}

TEST_CASE("lint: an entry that names its arguments is no general door") {
  Machine machine;
  machine.policy("allowlist", "off", {{{"pattern", "/usr/bin/find"}, {"argPattern", "^\\. -name x$"}}});
  CHECK(codes(machine).empty());
}

TEST_CASE("lint: entries that never match are named, with what would") {
  Machine machine;
  machine.list({"/bin/uname"});
  const std::vector<LintFinding> findings = lint_policy(machine.document, machine.context);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].code == "NEVER_MATCHES");
  CHECK(findings[0].instead.find("/usr/bin/uname") != std::string::npos);
  machine.policy("allowlist", "off", {{{"pattern", "/usr/bin/git"}, {"argPattern", "(?=a)b"}}});
  CHECK(codes(machine) == std::vector<std::string>{"NEVER_MATCHES"});
}

TEST_CASE("lint: an entry that is written for a shell names nothing, and is told so") {
  Machine machine;
  const auto first = [&](const char* pattern) {
    machine.list({pattern});
    const std::vector<LintFinding> findings = lint_policy(machine.document, machine.context);
    return findings.empty() ? LintFinding{} : findings.front();
  };
  for (const char* pattern : {"git log", "'git'", "\"git\"", "$HOME", "%TOOLS%", "$HOME/bin/x", "bin/uname",
                              "./uname", "~other/x", "bin/*"}) {
    INFO(pattern);
    CHECK(first(pattern).code == "NEVER_MATCHES");
  }
  CHECK(first("git log").instead == "hostclaw approvals allowlist add git --arg-pattern '^log( |$)'");
  CHECK(first("$HOME/bin/x").message.find("variables are not replaced") != std::string::npos);
  CHECK(first("'git'").message.find("quotes") != std::string::npos);
  const LintFinding misspelt = first("unmae");
  CHECK(misspelt.code == "PATH_MISSING");
  CHECK(misspelt.severity == LintFinding::Severity::kNote);
  for (const char* pattern : {"uname", "/usr/bin/uname", "~/bin/x", "/usr/bin/unam?", "un*"}) {
    INFO(pattern);
    CHECK(first(pattern).code.empty());
  }
}

TEST_CASE("lint: a wildcard that takes in shells names them") {
  Machine machine;
  machine.list({"/usr/bin/*"});
  const std::vector<LintFinding> findings = lint_policy(machine.document, machine.context);
  REQUIRE(codes(machine) == std::vector<std::string>{"WIDE_PATTERN"});
  CHECK(findings[0].message.find("bash") != std::string::npos);
  machine.list({"/usr/**"});
  CHECK(codes(machine) == std::vector<std::string>{"WIDE_PATTERN"});
  machine.list({"*sh"});
  CHECK(codes(machine) == std::vector<std::string>{"WIDE_PATTERN"});
  machine.list({"**"});
  CHECK(codes(machine) == std::vector<std::string>{"OPENS_EVERYTHING"});
  machine.list({"/opt/tools/*"});
  CHECK(codes(machine).empty());
}

TEST_CASE("lint: patterns that any directory satisfies and open policies are named") {
  Machine machine;
  machine.list({"**/git"});
  CHECK(codes(machine) == std::vector<std::string>{"WIDE_PATTERN"});
  machine.policy("full", "off");
  CHECK(codes(machine) == std::vector<std::string>{"POLICY_OPEN"});
}

// Severity and code of each finding, e.g. "note GENERAL_DOOR".
std::vector<std::string> graded(const std::vector<LintFinding>& findings) {
  std::vector<std::string> out;
  for (const LintFinding& finding : findings) {
    out.push_back((finding.severity == LintFinding::Severity::kNote ? "note " : "warning ") + finding.code);
  }
  return out;
}

Rule watching(const char* program, RuleEffect effect = RuleEffect::kAsk) {
  Rule rule;
  rule.id = "mine";
  rule.effect = effect;
  rule.program = program;
  rule.arguments = {"...", "push", "..."};
  rule.note = "why";
  return rule;
}

void use_rules(Machine& machine, std::vector<Rule> rules) {
  machine.context.settings.rules = std::make_shared<const RuleSet>(std::move(rules));
}

std::vector<std::string> graded_entries(const Machine& machine) {
  return graded(lint_policy(machine.document, machine.context));
}

const std::vector<std::string> kOnlyANote = {"note GENERAL_DOOR"};
const std::vector<std::string> kWarned = {"warning GENERAL_DOOR"};

TEST_CASE("lint: a general door that the owner's rules watch is a note that names them") {
  Machine machine;
  machine.list({"/usr/bin/git", "docker", "curl"});
  CHECK(graded_entries(machine) ==
        std::vector<std::string>{"warning GENERAL_DOOR", "warning GENERAL_DOOR", "warning GENERAL_DOOR"});
  use_rules(machine, starter_rules());
  CHECK(graded_entries(machine) ==
        std::vector<std::string>{"note GENERAL_DOOR", "note GENERAL_DOOR", "note GENERAL_DOOR"});
  const std::vector<LintFinding> findings = lint_policy(machine.document, machine.context);
  CHECK(findings[0].message.find("git-push-force") != std::string::npos);
  CHECK(findings[0].message.find("docker") == std::string::npos);
}

TEST_CASE("lint: only rules that are about this program, this agent and now take the warning away") {
  Machine machine;
  machine.list({"/usr/bin/git"});
  machine.context.now_ms = 1000;
  for (const char* program : {"git", "/usr/bin/git", "g*", "/usr/**"}) {
    use_rules(machine, {watching(program)});
    CHECK(graded_entries(machine) == kOnlyANote);
  }
  for (const char* program : {"docker", "/opt/git", "gi"}) {
    use_rules(machine, {watching(program)});
    CHECK(graded_entries(machine) == kWarned);
  }
  Rule rule = watching("git");
  const auto with = [&](auto change) {
    Rule changed = rule;
    change(changed);
    use_rules(machine, {changed});
    return graded_entries(machine);
  };
  CHECK(with([](Rule& it) { it.agent = "main"; }) == kOnlyANote);
  CHECK(with([](Rule& it) { it.agent = "other"; }) == kWarned);
  CHECK(with([](Rule& it) { it.expires_at_ms = 1001; }) == kOnlyANote);
  CHECK(with([](Rule& it) { it.expires_at_ms = 1000; }) == kWarned);
  CHECK(with([](Rule& it) { it.effect = RuleEffect::kDeny; }) == kOnlyANote);
  CHECK(with([](Rule& it) { it.effect = RuleEffect::kAllow; }) == kWarned);
  CHECK(with([](Rule& it) { it.content_sha256 = std::string(64, '0'); }) == kWarned);
  CHECK(with([](Rule& it) { it.arguments = std::vector<std::string>{}; }) == kWarned);
  CHECK(with([](Rule& it) { it.arguments.reset(); }) == kOnlyANote);
}

TEST_CASE("lint: no rule makes a shell or an interpreter harmless, nor git in official mode") {
  Machine machine;
  use_rules(machine, {watching("*")});
  for (const char* pattern : {"/usr/bin/bash", "/usr/bin/python3.11", "busybox", "perl", "docker-compose"}) {
    machine.list({pattern});
    INFO(pattern);
    CHECK(graded_entries(machine) == kWarned);
  }
  machine.list({"/usr/bin/git"});
  CHECK(graded_entries(machine) == kOnlyANote);
  machine.context.settings.strictness = Strictness::kOfficial;
  CHECK(graded_entries(machine) == kWarned);
}

TEST_CASE("lint: a policy that cannot be read is one finding that says what to do") {
  Machine machine;
  machine.document = deny_all_document("defaults: must be an object");
  const std::vector<LintFinding> findings = lint_policy(machine.document, machine.context);
  REQUIRE(graded(findings) == std::vector<std::string>{"warning POLICY_MALFORMED"});
  CHECK(findings[0].message.find("defaults") != std::string::npos);
  CHECK_FALSE(findings[0].instead.empty());
}

TEST_CASE("lint: full security counts only as far as the owner's limit lets it") {
  Machine machine;
  machine.policy("full", "off");
  CHECK(graded_entries(machine) == std::vector<std::string>{"warning POLICY_OPEN"});
  machine.context.settings.security_limit = Security::kAllowlist;
  CHECK(graded_entries(machine).empty());
}

TEST_CASE("lint: entries that an approval stored are left alone, written ones are not") {
  Machine machine;
  machine.policy(
      "allowlist", "off",
      {{{"pattern", "/usr/bin/bash"}, {"source", "allow-always"}}, {{"pattern", "/usr/bin/bash"}}});
  const std::vector<LintFinding> findings = lint_policy(machine.document, machine.context);
  REQUIRE(graded(findings) == kWarned);
  CHECK(findings[0].index == 1);
  CHECK(findings[0].agent == "main");
}

TEST_CASE("lint: wildcards that stand for any program or any directory are named") {
  Machine machine;
  machine.policy("allowlist", "off", {{{"pattern", "*"}, {"argPattern", "^--version$"}}});
  CHECK(graded_entries(machine) == std::vector<std::string>{"warning NEVER_MATCHES"});
  machine.policy("allowlist", "off", {{{"pattern", "*"}, {"argPattern", ""}}});
  CHECK(graded_entries(machine) == std::vector<std::string>{"warning OPENS_EVERYTHING"});
  for (const char* pattern : {"/*/git", "/**", "/u?r/bin/git"}) {
    machine.list({pattern});
    INFO(pattern);
    CHECK(graded_entries(machine) == std::vector<std::string>{"warning WIDE_PATTERN"});
  }
  machine.list({"/opt/tools/*", "gi*"});
  CHECK(graded_entries(machine).empty());
}

TEST_CASE("lint: without files to look at, links are not told but doors are") {
  Machine machine;
  machine.list({"/bin/uname", "/bin/sh"});
  machine.context.files = nullptr;
  CHECK(graded_entries(machine) == kWarned);
}

TEST_CASE("lint: a change is told about what it adds, not about what was there") {
  Machine before;
  before.policy("allowlist", "off", {{{"pattern", "/usr/bin/bash"}}});
  Machine after;
  after.policy("allowlist", "off", {{{"pattern", "/usr/bin/bash"}}, {{"pattern", "/usr/bin/find"}}});
  const auto changes = [&] { return lint_changes(before.document, after.document, after.context); };
  REQUIRE(changes().size() == 1);
  CHECK(changes()[0].pattern == "/usr/bin/find");
  // The same program with other arguments is a new entry.
  before.policy("allowlist", "off", {{{"pattern", "/usr/bin/find"}, {"argPattern", "^x$"}}});
  CHECK(changes().size() == 2);
  // Neither is the openness of the whole.
  after.policy("full", "off", {{{"pattern", "/usr/bin/find"}}});
  CHECK(graded(changes()) == kWarned);
  // An agent that the old document does not have.
  before.document = fresh_document();
  CHECK(graded(changes()) == kWarned);
}

TEST_CASE("lint: rules that open everything, a door or nothing any more are named by their id") {
  EngineContext context;
  context.now_ms = 1000;
  const auto look = [&](Rule rule) { return graded(lint_rules({std::move(rule)}, context)); };
  Rule allow = watching("git", RuleEffect::kAllow);
  CHECK(look(allow).empty());
  allow.arguments.reset();
  CHECK(look(allow) == std::vector<std::string>{"warning RULE_GENERAL_DOOR"});
  allow.program = "uname";
  CHECK(look(allow).empty());
  for (const char* program : {"*", "**"}) {
    allow.program = program;
    CHECK(look(allow) == std::vector<std::string>{"warning RULE_OPENS_EVERYTHING"});
  }
  Rule ask = watching("bash");
  ask.arguments.reset();
  CHECK(look(ask).empty());
  ask.expires_at_ms = 999;
  CHECK(look(ask) == std::vector<std::string>{"note RULE_EXPIRED"});
  const std::vector<LintFinding> findings = lint_rules({ask}, context);
  CHECK(findings[0].pattern == "mine");
  CHECK(findings[0].instead == "hostclaw policy remove mine");
}

TEST_CASE("lint: a rule for a directory that is none, and a script that has changed, are told") {
  Machine machine;
  const auto look = [&](const Rule& rule) { return graded(lint_rules({rule}, machine.context)); };
  Rule allow = watching("git", RuleEffect::kAllow);
  allow.directory = "/home/u/work";
  CHECK(look(allow).empty());
  for (const char* directory : {"/home/u/link", "/home/u/missing", "/usr/bin/git"}) {
    allow.directory = directory;
    CHECK(look(allow) == std::vector<std::string>{"note RULE_DIRECTORY"});
  }
  Rule script = watching("/home/u/work/script.sh", RuleEffect::kAllow);
  script.interpreter = "/usr/bin/dash";
  script.content_sha256 = machine.files.content_sha256(script.program);
  CHECK(look(script).empty());
  script.content_sha256 = std::string(64, 'a');
  CHECK(look(script) == std::vector<std::string>{"note RULE_SCRIPT_CHANGED"});
}

}  // namespace
}  // namespace hostclaw::policy
