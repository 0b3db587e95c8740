// SPDX-License-Identifier: Apache-2.0
// hostclaw policy allow-script FILE: one script, with its interpreter and its arguments, until it changes.
#include <algorithm>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/verb_policy.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/host/host_facts.h"
#include "policy/programs/executable_lookup.h"
#include "policy/programs/wrappers.h"
#include "policy/request/command_text.h"

namespace hostclaw::cli {
namespace {

struct ScriptFlags {
  std::string file;
  std::string interpreter;
  std::string arguments;
  std::string directory;
  std::string agent = "*";
  std::string id;
  bool json = false;
};

constexpr std::size_t kLongestFirstLine = 256;

Error no_script(const std::string& why, std::string next = {}) {
  return make_error("SCRIPT_INVALID", why, std::move(next));
}

// The interpreter that `#!` names: the program itself, or what `env` is told to look for. Empty: none.
std::string named_interpreter(const std::string& head) {
  if (!head.starts_with("#!")) return {};
  const std::string line(
      trim(head.substr(2, head.find('\n') == std::string::npos ? head.npos : head.find('\n') - 2)));
  const std::vector<std::string> words = split_patterns(line);
  if (words.empty()) return {};
  const bool by_env = policy::executable_token(words.front()) == "env" && words.size() > 1;
  return by_env ? words[1] : words.front();
}

Result<std::string> real_interpreter(const ScriptFlags& flags, const std::string& script,
                                     policy::FileProbe& files) {
  const std::string word = flags.interpreter.empty()
                               ? named_interpreter(files.head(script, kLongestFirstLine))
                               : flags.interpreter;
  if (word.empty()) {
    return no_script(
        script + " does not say with which program it runs (no `#!` line)",
        "hostclaw policy allow-script " + policy::command_text({flags.file}) + " --interpreter PROGRAM");
  }
  const policy::EngineContext context = check_context({}, files);
  const policy::ExecutableLookup found =
      policy::look_up_executable(word, context.host_cwd, context.host_environment, context);
  if (!found.found) return no_script("its interpreter " + word + " was not found");
  if (files.changeable_by_others(found.real_path))
    return no_script("others can change its interpreter " + found.real_path);
  return found.real_path;
}

// A word that the pattern covers, for the example of the rule.
std::string example_word(const std::string& pattern) {
  std::string word = pattern.substr(0, pattern.find('|'));
  if (word == "<number>") return "1";
  if (word == "<id>" || word == "<name>") return "x";
  std::replace(word.begin(), word.end(), '*', 'x');
  std::replace(word.begin(), word.end(), '?', 'x');
  return word;
}

std::vector<std::string> example_of(const policy::Rule& rule) {
  std::vector<std::string> out = {rule.program};
  for (const std::string& pattern : *rule.arguments) {
    if (!pattern.starts_with("...")) out.push_back(example_word(pattern));
  }
  return out;
}

Result<policy::Rule> rule_for(const ScriptFlags& flags) {
  node_host::OpenedFiles files;
  const policy::Platform platform = node_host::host_policy_platform();
  const policy::FileFacts facts =
      files.facts(policy::absolute_path(node_host::current_directory(), flags.file, platform));
  if (facts.kind != policy::FileKind::kRegular) return no_script("there is no file " + flags.file);
  policy::Rule rule;
  rule.program = facts.real_path;
  if (rule.program.find_first_of("*?") != std::string::npos)
    return no_script("the path " + rule.program + " would be read as a pattern");
  rule.content_sha256 = files.content_sha256(rule.program);
  if (!rule.content_sha256) return no_script(rule.program + " cannot be read");
  auto interpreter = real_interpreter(flags, rule.program, files);
  if (!interpreter) return interpreter.error();
  rule.interpreter = std::move(*interpreter);
  rule.effect = policy::RuleEffect::kAllow;
  rule.agent = flags.agent;
  rule.arguments = split_patterns(flags.arguments);
  if (!flags.directory.empty()) {
    auto directory = existing_directory(flags.directory, "--directory");
    if (!directory) return directory.error();
    rule.directory = std::move(*directory);
  }
  rule.id = flags.id;
  if (rule.id.empty()) {
    rule.id = "script.";
    for (const char c : policy::base_name(rule.program, platform)) {
      const bool plain =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
      rule.id += plain ? c : '-';
    }
  }
  rule.match = {example_of(rule)};
  rule.not_match = {{rule.program + "-other"}};
  return policy::read_rule(policy::rule_to_json(rule));
}

// Another script of the same file name has its rule already: that one stays.
Result<void> take_a_free_id(approvals::Store& store, policy::Rule& rule) {
  const auto stored = approvals::stored_rules(store);
  if (!stored) return stored.error();
  const std::string name = rule.id;
  const auto is_taken = [&] {
    return std::any_of(stored->begin(), stored->end(), [&](const approvals::StoredRule& item) {
      return item.rule.id == rule.id && item.rule.program != rule.program;
    });
  };
  for (int number = 2; is_taken(); ++number) rule.id = name + "-" + std::to_string(number);
  return {};
}

int allow_script(const ScriptFlags& flags) {
  auto rule = rule_for(flags);
  if (!rule) return fail(rule.error(), flags.json);
  return change_rules(flags.json, [&](approvals::Store& store) -> Result<std::string> {
    if (flags.id.empty()) {
      if (Result<void> free = take_a_free_id(store, *rule); !free) return free.error();
    }
    auto ids = approvals::put_rules(store, {*rule}, approvals::PutRules::kAdd, local_actor());
    if (!ids) return ids.error();
    return for_terminal(rule_line(*rule)) +
           "\nholds from the next command on, until the file changes; by itself or behind " +
           for_terminal(rule->interpreter);
  });
}

}  // namespace

void add_policy_script(CLI::App& policy, Action& action) {
  const auto flags = std::make_shared<ScriptFlags>();
  CLI::App* app =
      policy.add_subcommand("allow-script", "Let one script run, as it is now, with its interpreter");
  app->add_option("file", flags->file, "The script")->required();
  app->add_option("--interpreter", flags->interpreter,
                  "Program that reads it (default: the one that its first line names)");
  app->add_option("--arguments", flags->arguments, "Patterns as in policy add (default: no arguments)");
  app->add_option("--directory", flags->directory, "Only for commands that run in this directory");
  app->add_option("--agent", flags->agent, "Agent id, or * for every agent")->capture_default_str();
  app->add_option("--id", flags->id, "Its name (default: made from the file's)");
  app->add_flag("--json", flags->json, "Print JSON");
  app->callback([&action, flags] { action = [flags] { return allow_script(*flags); }; });
}

}  // namespace hostclaw::cli
