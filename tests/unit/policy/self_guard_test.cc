// SPDX-License-Identifier: Apache-2.0
// Commands that would use hostclaw on itself, and their twins that only look or only name it.
#include "policy/decide/self_guard.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "policy/lint/lint.h"
#include "policy/model/decision_codes.h"
#include "tests/unit/policy/decision_fixture.h"
#include "tests/unit/policy/windows_machine.h"

namespace hostclaw::policy {
namespace {

struct OwnMachine : Machine {
  OwnProgram own;
  OwnMachine() {
    const std::string content =
        "\x7f"
        "ELF hostclaw itself";
    files.add_file("/usr/bin/hostclaw", content, true);
    files.add_symlink("/opt/tools/hc", "/usr/bin/hostclaw");
    files.add_file("/opt/tools/copy", content, true);
    files.add_file("/opt/tools/other",
                   "\x7f"
                   "ELF some other thing",
                   true);
    for (const char* name : {"sudo", "xargs", "systemd-run", "grep", "make", "unshare"})
      files.add_file(std::string("/usr/bin/") + name,
                     "\x7f"
                     "ELF",
                     true);
    own = {"/usr/bin/hostclaw", files.facts("/usr/bin/hostclaw").identity};
    context.own_program = &own;
    policy("full", "off");
  }
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("self: a verb that changes something is refused under every policy, its allow twin runs") {
  OwnMachine machine;
  const auto [security, ask] =
      GENERATE(std::pair{"full", "off"}, std::pair{"full", "always"}, std::pair{"allowlist", "on-miss"},
               std::pair{"allowlist", "off"}, std::pair{"deny", "off"});
  machine.policy(security, ask, {{{"pattern", "/usr/bin/hostclaw"}}, {{"pattern", "*"}}});
  const RunEvaluation refused = machine.run({"hostclaw", "exec-policy", "preset", "yolo"});
  CHECK(refused.decision.verdict == Verdict::kDeny);
  CHECK(refused.decision.code == DecisionCode::kSelfPolicy);
  CHECK(refused.decision.layer == "node-policy");
  CHECK(refused.decision.explanation.find("exec-policy preset") != std::string::npos);
  CHECK(refused.decision.explanation.find("yolo") == std::string::npos);
  const RunEvaluation read = machine.run({"hostclaw", "exec-policy", "show"});
  CHECK(read.decision.code != DecisionCode::kSelfPolicy);
  if (std::string(security) != "deny" && std::string(ask) != "always")
    CHECK(read.decision.verdict == Verdict::kAllow);
}

TEST_CASE("self: neither an approval, an answer, a rule, a grant nor observing lifts it") {
  OwnMachine machine;
  machine.list({"/usr/bin/hostclaw"});
  const Words command{"/usr/bin/hostclaw", "exec-policy", "preset", "yolo"};
  Json approved = Machine::request(command);
  approved["approved"] = true;
  approved["approvalDecision"] = "allow-always";
  const RunEvaluation by_gateway = machine.decide(approved);
  CHECK(by_gateway.decision.verdict != Verdict::kAllow);
  for (const LocalAnswer answer : {LocalAnswer::kGranted, LocalAnswer::kCovered, LocalAnswer::kUnanswered}) {
    machine.context.answer = answer;
    CHECK(machine.run(command).decision.code == DecisionCode::kSelfPolicy);
  }
  machine.context.answer = LocalAnswer::kNone;
  machine.context.settings.observe = true;
  CHECK(machine.run(command).decision.code == DecisionCode::kSelfPolicy);
  CHECK_FALSE(is_observable(DecisionCode::kSelfPolicy));
}

TEST_CASE("self: it is found behind wrappers, in chains, in text and under other names") {
  OwnMachine machine;
  for (const Words& command : std::vector<Words>{
           {"hostclaw", "exec-policy", "preset", "yolo"},
           {"/usr/bin/hostclaw", "approvals", "set", "--stdin"},
           {"/opt/tools/hc", "policy", "add", "allow", "id"},
           {"/opt/tools/copy", "policy", "remove", "x"},
           {"/usr/bin/../bin/hostclaw", "audit", "prune"},
           {"nice", "hostclaw", "approvals", "resolve", "1", "allow-once"},
           {"env", "-i", "A=1", "hostclaw", "exec-policy", "set"},
           {"env", "-S", "hostclaw exec-policy set"},
           {"timeout", "5", "/opt/tools/hc", "exec-policy", "set"},
           {"sudo", "-u", "node", "hostclaw", "exec-policy", "preset", "yolo"},
           {"systemd-run", "--user", "hostclaw", "exec-policy", "preset", "yolo"},
           {"unshare", "-Urpf", "/opt/tools/hc", "exec-policy", "preset", "yolo"},
           {"xargs", "/opt/tools/copy", "exec-policy", "preset"},
           {"find", ".", "-exec", "hostclaw", "approvals", "set", ";"},
           {"sh", "-c", "hostclaw exec-policy preset yolo"},
           {"bash", "-lc", "id; X=1 hostclaw exec-policy preset yolo > /dev/null"},
           {"sudo", "sh", "-c", "hostclaw exec-policy preset yolo"},
           {"python3", "-c", "import os; os.system('hostclaw exec-policy preset yolo')"},
           {"hostclaw", "exec-approvals", "set"},
           {"xargs", "hostclaw", "--json", "exec-policy", "set"},
           {"hostclaw", "--frobnicate", "exec-policy", "show"},
           {"hostclaw", "later-verb"},
           {"hostclaw", "approvals", "later-verb"},
           {"hostclaw", "node", "run", "--host", "x"},
       }) {
    CAPTURE(command);
    CHECK(machine.run(command).decision.code == DecisionCode::kSelfPolicy);
  }
  for (const char* text :
       {"hostclaw exec-policy preset yolo", "uname && hostclaw exec-policy preset yolo",
        "uname | /opt/tools/hc approvals set --stdin", "uname > x; hostclaw policy remove a",
        "echo $(h\"ostcla\"w exec-policy preset yolo)", "sh -c 'sh -c \"hostclaw node stop\"'",
        "if id; then hostclaw node stop; fi"}) {
    CAPTURE(text);
    CHECK(machine.text(text).decision.code == DecisionCode::kSelfPolicy);
  }
}

TEST_CASE("self: without a file to compare it is known by its name, and by its file under another name") {
  OwnMachine machine;
  machine.context.own_program = nullptr;
  CHECK(machine.run({"hostclaw", "exec-policy", "preset", "yolo"}).decision.code ==
        DecisionCode::kSelfPolicy);
  CHECK(machine.run({"/opt/tools/other", "exec-policy", "preset", "yolo"}).decision.verdict ==
        Verdict::kAllow);
  // A hard link: the file is the same, whatever name the process was started by.
  machine.own = {"/somewhere/else", machine.files.facts("/opt/tools/other").identity};
  machine.context.own_program = &machine.own;
  CHECK(machine.run({"/opt/tools/other", "exec-policy", "preset", "yolo"}).decision.code ==
        DecisionCode::kSelfPolicy);
}

TEST_CASE("self: its own runs are shown without an entry, and nothing else of it is") {
  OwnMachine machine;
  machine.policy("allowlist", "off");
  for (const Words& command : std::vector<Words>{{"hostclaw", "runs"},
                                                 {"/usr/bin/hostclaw", "runs", "3f2a"},
                                                 {"hostclaw", "runs", "show", "--follow", "3f2a"},
                                                 {"hostclaw", "runs", "list", "--json"}}) {
    CAPTURE(command);
    CHECK(machine.run(command).decision.verdict == Verdict::kAllow);
  }
  CHECK(machine.text("hostclaw runs 3f2a").decision.verdict == Verdict::kAllow);
  for (const Words& command : std::vector<Words>{{"hostclaw", "runs", "cancel", "3f2a"},
                                                 {"hostclaw", "status"},
                                                 {"hostclaw", "policy", "list"},
                                                 {"hostclaw"},
                                                 {"nice", "hostclaw", "runs"},
                                                 // A copy, a link of another name, and a file that is not it.
                                                 {"/opt/tools/hc", "runs"},
                                                 {"/opt/tools/other", "runs"}}) {
    CAPTURE(command);
    CHECK(machine.run(command).decision.verdict == Verdict::kDeny);
  }
  CHECK(machine.text("hostclaw runs; uname").decision.verdict == Verdict::kDeny);
  // Whoever replaced the file has another one.
  machine.own.identity.inode += 1;
  CHECK(machine.run({"hostclaw", "runs"}).decision.verdict == Verdict::kDeny);
  machine.context.own_program = nullptr;
  CHECK(machine.run({"hostclaw", "runs"}).decision.verdict == Verdict::kDeny);
}

TEST_CASE("self: what only looks, or only names it, is judged like everything else") {
  OwnMachine machine;
  for (const Words& command : std::vector<Words>{
           {"hostclaw"},
           {"hostclaw", "--version"},
           {"hostclaw", "exec-policy", "--help"},
           {"hostclaw", "exec-policy", "preset", "--help"},
           {"hostclaw", "runs"},
           {"hostclaw", "runs", "--json"},
           {"hostclaw", "runs", "show", "prune"},
           {"hostclaw", "status"},
           {"hostclaw", "approvals", "get"},
           {"hostclaw", "policy", "check", "--", "git", "status"},
           {"/opt/tools/hc", "audit", "verify"},
           {"/opt/tools/other", "exec-policy", "preset", "yolo"},
           {"nice", "hostclaw", "status"},
           {"grep", "-r", "hostclaw", "policy", "docs"},
           {"git", "commit", "-m", "hostclaw exec-policy preset explained"},
           {"git", "add", "hostclaw"},
           {"cat", "/usr/bin/hostclaw"},
           {"make", "hostclaw"},
       }) {
    CAPTURE(command);
    CHECK(machine.run(command).decision.verdict == Verdict::kAllow);
  }
  CHECK(machine.text("hostclaw status && hostclaw runs").decision.verdict == Verdict::kAllow);
  machine.list({"/usr/bin/git"});
  CHECK(machine.run({"hostclaw", "status"}).decision.code == DecisionCode::kAllowlistMiss);
}

TEST_CASE("self: words of tools that only read, copy or search are names and texts") {
  OwnMachine machine;
  for (const char* name : {"grep", "ls", "cp", "tar"})
    machine.files.add_file(std::string("/usr/bin/") + name, "ELF", true);
  machine.policy("full", "off");
  for (const Words& command : std::vector<Words>{{"grep", "-rn", "hostclaw", "logs"},
                                                 {"ls", "hostclaw", "logs"},
                                                 {"cp", "-r", "hostclaw", "import"},
                                                 {"git", "add", "hostclaw", "logs"},
                                                 {"git", "log", "hostclaw", "policy", "add"},
                                                 {"tar", "czf", "x.tgz", "hostclaw", "logs"}}) {
    CAPTURE(command);
    CHECK(machine.run(command).decision.verdict == Verdict::kAllow);
  }
  CHECK(machine.run({"tar", "cf", "x", "--to-command", "hostclaw", "policy", "add"}).decision.code ==
        DecisionCode::kSelfPolicy);
  CHECK(machine.run({"nice", "hostclaw", "policy", "add", "allow"}).decision.code ==
        DecisionCode::kSelfPolicy);
}

TEST_CASE("self: what shows others' runs is refused with another code and the verb that shows one's own") {
  OwnMachine machine;
  for (const Words& command : std::vector<Words>{
           {"hostclaw", "audit", "tail"}, {"hostclaw", "logs"}, {"sh", "-c", "hostclaw bugreport"}}) {
    CAPTURE(command);
    const RunEvaluation refused = machine.run(command);
    CHECK(refused.decision.code == DecisionCode::kSelfPrivate);
    CHECK(refused.decision.next == "hostclaw runs");
  }
}

TEST_CASE("self: prepare makes no plan for it, says why, and keeps the reason for the record") {
  OwnMachine machine;
  const PrepareEvaluation prepared = prepare_run(
      Machine::request({"hostclaw", "exec-policy", "preset", "yolo"}), machine.document, machine.context);
  CHECK_FALSE(prepared.ok);
  CHECK(prepared.refusal.explanation.find("is not for commands that come through the node") !=
        std::string::npos);
  CHECK(prepared.run.decision.code == DecisionCode::kSelfPolicy);
  machine.list({"/usr/bin/hostclaw"});
  const PrepareEvaluation text =
      prepare_run(Machine::carried("hostclaw exec-policy preset yolo"), machine.document, machine.context);
  CHECK_FALSE(text.ok);
  CHECK(text.run.decision.code == DecisionCode::kSelfPolicy);
  const PrepareEvaluation twin =
      prepare_run(Machine::carried("hostclaw status"), machine.document, machine.context);
  REQUIRE(twin.ok);
  CHECK(twin.payload["execPolicy"]["security"] == "full");
}

TEST_CASE(
    "self: every declared verb is read as itself, and a stricter one below it is never hidden by options") {
  for (const OwnVerb& verb : own_verbs()) {
    CAPTURE(verb.words);
    Words words;
    for (std::size_t at = 0; at <= verb.words.size();) {
      const std::size_t end = std::min(verb.words.find(' ', at), verb.words.size());
      words.emplace_back(verb.words.substr(at, end - at));
      at = end + 1;
    }
    const OwnCommand read = read_own_command(words);
    REQUIRE(read.verb != nullptr);
    CHECK(read.verb->words == verb.words);
    CHECK(read.use == verb.use);
    CHECK(begins_own_command(words.front()));
    // Options in front of the second word do not choose between two kinds.
    for (const OwnVerb& other : own_verbs()) {
      if (!other.words.starts_with(std::string(verb.words) + " ")) continue;
      CAPTURE(other.words);
      Words between = words;
      between.insert(between.end(),
                     {"--limit", "3", std::string(other.words.substr(verb.words.size() + 1)), "x"});
      CHECK(read_own_command(between).use == std::max(verb.use, other.use));
    }
  }
}

TEST_CASE("self: lint warns of entries and rules that cover hostclaw, not of others or of named arguments") {
  OwnMachine machine;
  const auto codes = [&](const char* pattern, std::optional<std::string> arguments = std::nullopt) {
    AllowlistEntry entry;
    entry.pattern = pattern;
    entry.arg_pattern = std::move(arguments);
    std::string out;
    for (const LintFinding& finding : lint_entry("main", entry, machine.context)) out += finding.code + " ";
    return out;
  };
  for (const char* pattern : {"hostclaw", "/usr/bin/hostclaw", "/usr/bin/*", "/usr/**", "host*",
                              "/opt/tools/hc", "/opt/tools/copy", "/somewhere/hostclaw"}) {
    CAPTURE(pattern);
    CHECK(codes(pattern).find("SELF_LISTED") != std::string::npos);
  }
  for (const char* pattern : {"git", "/usr/bin/git", "/usr/bin/g*", "/opt/tools/other", "/opt/*"}) {
    CAPTURE(pattern);
    CHECK(codes(pattern).find("SELF_LISTED") == std::string::npos);
  }
  CHECK(codes("hostclaw", "^runs( |$)").find("SELF_LISTED") == std::string::npos);
  Rule rule;
  rule.effect = RuleEffect::kAllow;
  rule.program = "hostclaw";
  REQUIRE(lint_rules({rule}, machine.context).size() == 1);
  CHECK(lint_rules({rule}, machine.context)[0].code == "RULE_SELF_LISTED");
  rule.arguments = {{"runs", "..."}};
  CHECK(lint_rules({rule}, machine.context).empty());
}

}  // namespace hostclaw::policy
