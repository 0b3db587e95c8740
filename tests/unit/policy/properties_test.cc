// SPDX-License-Identifier: Apache-2.0
// Properties of the decision over generated commands. HOSTCLAW_PROPERTY_ROUNDS makes it more of them.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

#include "policy/programs/builtins.h"
#include "policy/shell/shell_text.h"
#include "policy/shell/text_reader.h"
#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

using Argv = std::vector<std::string>;

int rounds() {
  const char* given = std::getenv("HOSTCLAW_PROPERTY_ROUNDS");
  return given == nullptr ? 400 : std::atoi(given);
}

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t count) { return random_() % count; }
  bool sometimes() { return below(3) == 0; }
  template <class Item>
  const Item& one_of(const std::vector<Item>& items) {
    return items[below(items.size())];
  }

  // One word, in one of the ways in which a shell can be told it.
  std::string quoted(const std::string& word) {
    switch (below(6)) {
      case 0:
        return "'" + word + "'";
      case 1:
        return "\"" + word + "\"";
      case 2:
        return "\\" + word;
      case 3:
        return word.substr(0, 1) + "''" + word.substr(1);
      case 4:
        return word.substr(0, 1) + "\\\n" + word.substr(1);
      default:
        return word;
    }
  }

  std::string between() {
    return one_of(
        std::vector<std::string>{" ", "  ", "\t", " \\\n ", " 2>/dev/null ", " </dev/null ", "${IFS}"});
  }

  // Text that runs these words, among others.
  std::string text_of(const Argv& command, int depth = 3) {
    std::string text;
    for (const std::string& word : command) {
      const bool plain = word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/-") ==
                         std::string::npos;
      text += (text.empty() ? "" : between()) + (plain ? quoted(word) : quote_shell_word(word));
    }
    for (; depth > 0 && !sometimes(); --depth) text = around(text);
    return text;
  }

  std::string around(const std::string& text) {
    switch (below(14)) {
      case 0:
        return "if true; then " + text + "; fi";
      case 1:
        return "for i in 1; do " + text + "; done";
      case 2:
        return "{ " + text + "; }";
      case 3:
        return "( " + text + " )";
      case 4:
        return "true && " + text;
      case 5:
        return "false; " + text + " | cat";
      case 6:
        return "echo \"$( " + text + " )\"";
      case 7:
        return "X=1 Y=2\n" + text;
      case 8:
        return "case x in x) " + text + ";; esac";
      case 9:
        return "# it's " + std::string(below(40), '#') + "\n" + text;
      case 10:
        return here_document(text);
      case 11:
        return "eval " + quote_shell_word(text);
      case 12:
        return "sh -c " + quote_shell_word(text);
      default:
        return "trap " + quote_shell_word(text) + " EXIT";
    }
  }

  std::string here_document(const std::string& text) {
    const std::string end = "E" + std::to_string(random_());
    return "cat <<" + end + "\n$( " + text + " )\n" + end + "\n";
  }

  // A request that runs it.
  Argv request_for(const Argv& command) {
    Argv out;
    switch (below(3)) {
      case 0:
        out = {one_of(std::vector<std::string>{"sh", "bash", "/bin/sh"}), "-c", text_of(command)};
        break;
      case 1:
        out = {"sh", "-c",
               one_of(std::vector<std::string>{"\"$@\"", "exec \"$@\"", "eval \"$*\"", "nice \"$@\""}), "x"};
        out.insert(out.end(), command.begin(), command.end());
        break;
      default:
        out = command;
    }
    for (int wrappers = static_cast<int>(below(7)); wrappers > 0; --wrappers) {
      const Argv wrapper = one_of(std::vector<Argv>{{"nice"},
                                                    {"nice", "-n", "5"},
                                                    {"timeout", "30"},
                                                    {"env"},
                                                    {"env", "A=1"},
                                                    {"sudo"},
                                                    {"nohup"},
                                                    {"command"}});
      out.insert(out.begin(), wrapper.begin(), wrapper.end());
    }
    return out;
  }

 private:
  std::mt19937 random_;
};

void add_programs(Machine& machine) {
  for (const char* name : {"docker", "sudo", "nohup", "xargs", "command"})
    machine.files.add_file(std::string("/usr/bin/") + name, "x", true);
}

TEST_CASE("property: what a rule denies stays denied however it is dressed") {
  Machine machine;
  add_programs(machine);
  machine.policy("full", "off");
  Rule by_name;
  by_name.id = "by-name";
  by_name.effect = RuleEffect::kDeny;
  by_name.program = "docker";
  by_name.arguments = {"system", "prune", "..."};
  Rule by_path = by_name;
  by_path.id = "by-path";
  by_path.program = "/usr/bin/docker";
  Generator generate(20'261'130);
  for (int round = 0; round < rounds(); ++round) {
    machine.context.settings.rules =
        std::make_shared<const RuleSet>(std::vector<Rule>{generate.sometimes() ? by_path : by_name});
    const Argv request = generate.request_for({"docker", "system", "prune", "-a"});
    CAPTURE(Json(request).dump());
    const RunEvaluation run = machine.run(request);
    CHECK(run.decision.code == DecisionCode::kRuleDeny);
    CHECK(machine.run(request).decision.code == run.decision.code);
    // The same dress around something that no rule is about.
    const Argv harmless = generate.request_for({"docker", "version"});
    CAPTURE(Json(harmless).dump());
    CHECK(machine.run(harmless).decision.verdict == Verdict::kAllow);
  }
}

TEST_CASE("property: more entries in the list never deny less than a rule says") {
  Machine machine;
  add_programs(machine);
  Rule deny;
  deny.id = "deny";
  deny.effect = RuleEffect::kDeny;
  deny.program = "docker";
  deny.arguments = {"...", "prune", "..."};
  machine.context.settings.rules = std::make_shared<const RuleSet>(std::vector<Rule>{deny});
  Generator generate(7);
  for (int round = 0; round < rounds() / 4; ++round) {
    const Argv request = generate.request_for({"docker", "prune"});
    CAPTURE(Json(request).dump());
    for (const auto& patterns :
         {std::initializer_list<const char*>{}, {"docker"}, {"*"}, {"/usr/bin/docker", "sh"}}) {
      machine.list(patterns);
      CHECK(machine.run(request).decision.code == DecisionCode::kRuleDeny);
    }
  }
}

TEST_CASE("property: what a list allows spawns the judged files or the system's alone") {
  Machine machine;
  add_programs(machine);
  machine.context.host_environment[0].second = "/home/u/bin:/usr/bin";
  machine.files.add_directory("/home/u/bin", 1500);
  machine.list({"/usr/bin/docker"});
  Generator generate(11);
  int allowed = 0;
  for (int round = 0; round < rounds(); ++round) {
    const char* shadowed = generate.one_of(
        std::vector<const char*>{"nice", "timeout", "env", "sudo", "nohup", "docker", "sh", "command", ""});
    machine.files.add_file(std::string("/home/u/bin/") + shadowed, "x", true, 1500);
    const Argv request = generate.request_for({"docker", "version"});
    CAPTURE(Json(request).dump(), shadowed);
    const RunEvaluation run = machine.run(request);
    machine.files.remove(std::string("/home/u/bin/") + shadowed);
    if (run.decision.verdict != Verdict::kAllow) continue;
    ++allowed;
    for (const PlannedPipeline& pipeline : run.plan.pipelines) {
      for (const PlannedCommand& command : pipeline.commands) {
        if (command.builtin != Builtin::kNone) continue;
        CHECK(command.executable.starts_with("/usr/bin/"));
        // A wrapper is told by path what it starts.
        const bool wrapper = command.executable != "/usr/bin/docker";
        for (std::size_t i = 1; wrapper && i < command.argv.size(); ++i) {
          const std::string& word = command.argv[i];
          CHECK_FALSE(
              (word == "nice" || word == "timeout" || word == "env" || word == "nohup" || word == "docker"));
        }
      }
    }
  }
  CHECK(allowed > 0);
}

TEST_CASE("property: text that is understood is read the same way by both readers") {
  Generator generate(3);
  for (int round = 0; round < rounds() * 4; ++round) {
    std::string text;
    for (std::size_t pieces = 1 + generate.below(9); pieces > 0; --pieces) {
      text += generate.one_of(std::vector<std::string>{
          "a",   "b-c", "'d e'", "\"f g\"", " ", " ", ";",   "&&",      "||", "|", "\n",
          "\\h", "''",  "#",     "$",       "=", "!", "x=1", "i\"j\"k", "2",  "/"});
    }
    const ShellTextResult strict = parse_shell_text(text);
    if (!strict) continue;
    std::vector<Argv> expected;
    for (const ShellPipeline& pipeline : strict.program->pipelines) {
      for (const ShellCommand& command : pipeline.commands) expected.push_back(command.argv());
    }
    std::vector<Argv> read;
    for (const ReadCommand& command : read_shell_text(text, {}, false).commands) {
      if (command.words.empty()) continue;
      read.emplace_back();
      for (const ReadWord& word : command.words) read.back().push_back(word.text);
    }
    CAPTURE(Json(text).dump());
    CHECK(read == expected);
  }
}

}  // namespace
}  // namespace hostclaw::policy
