// SPDX-License-Identifier: Apache-2.0
// hostclaw policy rules | add | remove | import | starter | observed: the owner's own rules.
#include <chrono>
#include <map>
#include <tuple>

#include "approvals/policy/rule_store.h"
#include "approvals/store/settings.h"
#include "base/clock.h"
#include "cli/command_line.h"
#include "cli/terminal.h"
#include "cli/times.h"
#include "cli/verb_policy.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/host/host_facts.h"
#include "policy/decide/engine.h"
#include "policy/lint/lint.h"
#include "policy/request/command_text.h"
#include "policy/shell/shell_text.h"

namespace hostclaw::cli {
namespace {

using approvals::PutRules;
using policy::Rule;

constexpr std::size_t kRuleIndent = 6;

struct RuleFlags {
  bool json = false;
  std::string id;
  std::string file;
  bool replace = false;
  std::string switch_word;
  std::string effect;
  std::string program;
  std::string arguments;
  bool has_arguments = false;
  std::string agent = "*";
  std::string note;
  std::vector<std::string> match;
  std::vector<std::string> not_match;
  std::string directory;
  std::string content_sha256;
  std::string expires_in;
  bool clear = false;
};

std::string words_of(const Rule& rule) {
  std::string line = rule.program;
  if (!rule.arguments) return line + "  (any arguments)";
  for (const std::string& word : *rule.arguments) line += " " + word;
  return rule.arguments->empty() ? line + "  (no arguments)" : line;
}

Json json_of(const approvals::StoredRule& stored) {
  Json out = policy::rule_to_json(stored.rule);
  out["source"] = approvals::to_string(stored.source);
  return out;
}

// ---- rules, explain

int list_rules(const RuleFlags& flags) {
  auto rules = read_rules();
  if (!rules) return fail(rules.error(), flags.json);
  if (flags.json) {
    Json out = Json::array();
    for (const auto& stored : *rules) out.push_back(json_of(stored));
    print_json(Json{{"rules", std::move(out)}});
    return kDone;
  }
  for (const auto& stored : *rules) {
    std::string line = rule_line(stored.rule);
    if (!stored.rule.of_template.empty()) line += "  (" + for_terminal(stored.rule.of_template) + ")";
    if (stored.source == approvals::RuleSource::kStarter) line += "  (starter)";
    print_wrapped(line, kRuleIndent);
  }
  if (rules->empty()) note("there are no rules; next: hostclaw policy starter on");
  return kDone;
}

// ---- add

Result<std::vector<std::string>> split_words(const std::string& text, const char* what) {
  const policy::ShellTextResult parsed = policy::parse_shell_text(text);
  if (!parsed || parsed.program->command_count() != 1) {
    return make_error("RULE_INVALID", std::string(what) + ": `" + text + "` is not one plain command" +
                                          (parsed ? "" : ": " + parsed.failure.reason));
  }
  return parsed.program->pipelines.front().commands.front().argv();
}

Result<Rule> rule_from(const RuleFlags& flags) {
  Rule rule;
  rule.id = flags.id;
  rule.effect = policy::rule_effect_from(flags.effect).value_or(policy::RuleEffect::kDeny);
  rule.agent = flags.agent;
  rule.program = flags.program;
  rule.note = flags.note;
  if (flags.has_arguments) rule.arguments = split_patterns(flags.arguments);
  for (const auto& [texts, examples, what] : {std::tuple{&flags.match, &rule.match, "--match"},
                                              std::tuple{&flags.not_match, &rule.not_match, "--not-match"}}) {
    for (const std::string& text : *texts) {
      auto words = split_words(text, what);
      if (!words) return words.error();
      examples->push_back(std::move(*words));
    }
  }
  if (!flags.directory.empty()) {
    auto directory = existing_directory(flags.directory, "--directory");
    if (!directory) return directory.error();
    rule.directory = std::move(*directory);
  }
  if (!flags.content_sha256.empty()) rule.content_sha256 = flags.content_sha256;
  if (!flags.expires_in.empty()) {
    const auto until = parse_until(flags.expires_in, "--expires-in", unix_ms_now());
    if (!until) return until.error();
    rule.expires_at_ms = *until;
  }
  Json json = policy::rule_to_json(rule);
  if (rule.id.empty()) json.erase("id");
  return policy::read_rule(json);  // one set of checks for every door
}

int add_rule(const RuleFlags& flags) {
  Result<Rule> rule = rule_from(flags);
  if (!rule) return fail(rule.error(), flags.json);
  return change_rules(flags.json, [&](approvals::Store& store) -> Result<std::string> {
    auto ids = approvals::put_rules(store, {*rule}, PutRules::kAdd, local_actor());
    if (!ids) return ids.error();
    return "rule " + ids->front() + " holds from the next command on";
  });
}

// ---- import

Result<std::vector<Rule>> rules_in(const std::string& text) {
  const auto json = parse_json(text);
  if (!json) return json.error();
  const Json* list = &*json;
  if (json->is_object() && json->contains("rules")) list = &(*json)["rules"];
  if (!list->is_array())
    return make_error("RULE_INVALID", "expected {\"rules\": [...]} or an array of rules");
  std::vector<Rule> rules;
  for (std::size_t i = 0; i < list->size(); ++i) {
    Json item = (*list)[i];
    if (item.is_object()) item.erase("source");  // export says it; import decides it
    Result<Rule> rule = policy::read_rule(item);
    if (!rule) return make_error("RULE_INVALID", "rules[" + std::to_string(i) + "]: " + rule.error().message);
    rules.push_back(std::move(*rule));
  }
  return rules;
}

bool holds_more_than_rules(const std::string& text) {
  const auto json = parse_json(text);
  if (!json || !json->is_object()) return false;
  return json->size() > json->count("rules") + json->count("version");
}

int import_rules(const RuleFlags& flags) {
  auto text = read_input(flags.file);
  if (!text) return fail(text.error(), flags.json);
  auto rules = rules_in(*text);
  if (!rules) return fail(rules.error(), flags.json);
  if (holds_more_than_rules(*text))
    note("note: only the rules are taken; the whole file: hostclaw policy apply");
  const PutRules how = flags.replace ? PutRules::kReplace : PutRules::kAdd;
  return change_rules(flags.json, [&](approvals::Store& store) -> Result<std::string> {
    auto ids = approvals::put_rules(store, *rules, how, local_actor());
    if (!ids) return ids.error();
    return std::to_string(ids->size()) + " rules hold from the next command on";
  });
}

// ---- starter

int starter(const RuleFlags& flags) {
  if (flags.switch_word == "show") {
    Json out = Json::array();
    for (const Rule& rule : policy::starter_rules()) {
      if (flags.json) {
        out.push_back(policy::rule_to_json(rule));
      } else {
        print_wrapped(rule_line(rule), kRuleIndent);
        print_wrapped("      " + rule.note, kRuleIndent);
      }
    }
    if (flags.json) print_json(Json{{"rules", std::move(out)}});
    return kDone;
  }
  return change_rules(flags.json, [&](approvals::Store& store) -> Result<std::string> {
    auto count = approvals::switch_starter_rules(store, flags.switch_word == "on", local_actor());
    if (!count) return count.error();
    if (flags.switch_word == "off") return "the starter rules are off";
    return std::to_string(*count) + " starter rules hold from the next command on";
  });
}

// ---- observed

int observed(const RuleFlags& flags) {
  if (flags.clear) {
    auto store = open_store(approvals::OpenMode::kReadWriteExisting);
    if (!store) return fail(store.error(), flags.json);
    if (auto done = approvals::clear_observations(**store, local_actor()); !done)
      return fail(done.error(), flags.json);
    if (flags.json) print_json(Json{{"ok", true}});
    return kDone;
  }
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error(), flags.json);
  const auto seen = approvals::observations(**store, flags.agent == "*" ? "" : flags.agent);
  if (!seen) return fail(seen.error(), flags.json);
  const std::map<std::string, std::int64_t> zero{{"ask", 0}, {"deny", 0}};
  std::map<std::string, std::map<std::string, std::int64_t>> per_agent;
  auto total = zero;
  Json items = Json::array();
  for (const approvals::Observation& item : *seen) {
    auto& counts = per_agent.try_emplace(item.agent, zero).first->second;
    counts[item.verdict] += item.count;
    total[item.verdict] += item.count;
    items.push_back({{"agent", item.agent},
                     {"verdict", item.verdict},
                     {"code", item.code},
                     {"subject", item.subject},
                     {"count", item.count},
                     {"firstAt", item.first_at_ms},
                     {"lastAt", item.last_at_ms},
                     {"lastCommand", item.last_command}});
  }
  if (flags.json) {
    print_json(Json{{"total", total}, {"agents", per_agent}, {"observed", std::move(items)}});
    return kDone;
  }
  print_line("total        would have asked " + std::to_string(total["ask"]) + ", would have denied " +
             std::to_string(total["deny"]));
  for (auto& [agent, counts] : per_agent) {
    print_line("agent " + (agent.empty() ? std::string("(none)") : for_terminal(agent)) +
               ": would have asked " + std::to_string(counts["ask"]) + ", would have denied " +
               std::to_string(counts["deny"]));
  }
  for (const approvals::Observation& item : *seen) {
    print_line(std::to_string(item.count) + "x  " + item.verdict + "  " + item.code + "  " +
               for_terminal(item.agent) + "  " + for_terminal(item.subject) +
               "  last: " + for_terminal(item.last_command));
  }
  if (seen->empty()) {
    note(approvals::engine_settings(**store).observe
             ? "this node observes; no command has come yet that it would have asked about or denied"
             : "nothing was observed; next: hostclaw exec-policy set --mode observe");
  }
  return kDone;
}

}  // namespace

std::vector<std::string> split_patterns(const std::string& text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : text + " ") {
    if (c != ' ' && c != '\t') {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::move(word));
      word.clear();
    }
  }
  return out;
}

Result<std::vector<approvals::StoredRule>> read_rules() {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store && store.error().code == "STORE_NOT_FOUND") return std::vector<approvals::StoredRule>();
  if (!store) return store.error();
  return approvals::stored_rules(**store);
}

std::string rule_line(const Rule& rule) {
  std::string line = std::string(policy::to_string(rule.effect));
  line.resize(6, ' ');
  line = verdict_in_colour(policy::to_string(rule.effect), line);
  line += for_terminal(rule.id) + "  " + for_terminal(words_of(rule));
  if (rule.directory) line += "  in " + for_terminal(*rule.directory);
  if (rule.agent != "*") line += "  agent " + for_terminal(rule.agent);
  if (rule.expires_at_ms) line += "  until " + format_time(*rule.expires_at_ms);
  return line;
}

int change_rules(bool json, const std::function<Result<std::string>(approvals::Store&)>& change,
                 approvals::OpenMode mode) {
  auto store = open_store(mode);
  if (!store) return fail(store.error(), json);
  Result<std::string> done = change(**store);
  if (!done) return fail(done.error(), json);
  std::vector<Rule> rules;
  if (auto stored = approvals::stored_rules(**store)) {
    for (const approvals::StoredRule& item : *stored) rules.push_back(item.rule);
  }
  policy::EngineContext context;
  context.now_ms = unix_ms_now();
  note_findings(policy::lint_rules(rules, context));
  if (json) {
    print_json(Json{{"ok", true}, {"rules", rules.size()}});
  } else {
    print_line(*done);
  }
  return kDone;
}

Result<std::string> existing_directory(const std::string& path, const std::string& what) {
  node_host::OpenedFiles files;
  const std::string absolute =
      policy::absolute_path(node_host::current_directory(), path, node_host::host_policy_platform());
  const policy::FileFacts facts = files.facts(absolute);
  if (facts.kind != policy::FileKind::kDirectory)
    return make_error("CONFIG_INVALID", what + ": there is no directory " + absolute);
  return facts.real_path;
}

bool confirmed(const std::string& question) {
  Terminal terminal;
  const auto answer = terminal.line(question + " [y/N] ");
  return answer && (*answer == "y" || *answer == "yes");
}

void add_policy_rules(CLI::App& policy, Action& action) {
  const auto flags = std::make_shared<RuleFlags>();
  const auto verb = [&](const char* name, const char* about, int (*run)(const RuleFlags&)) {
    CLI::App* app = policy.add_subcommand(name, about);
    app->add_flag("--json", flags->json, "Print JSON");
    app->callback([&action, flags, run] { action = [flags, run] { return run(*flags); }; });
    return app;
  };
  verb("rules", "The owner's rules: deny > ask > allow", list_rules)->alias("list");

  CLI::App* add = verb("add", "Add one rule; its examples are checked first", add_rule);
  auto* effect = add->add_option("effect", flags->effect, "deny, ask or allow")
                     ->required()
                     ->check(CLI::IsMember({"deny", "ask", "allow"}));
  add->add_option("program", flags->program, "Program name or path, * and ? allowed")->required();
  auto* arguments = add->add_option("--arguments", flags->arguments,
                                    "Patterns, one per word: ... any words, * any characters, a|b either");
  auto* why = add->add_option("--note", flags->note, "Shown to whoever is refused; deny and ask need it");
  effect->each([why](const std::string& word) { why->required(word != "allow"); });
  add->add_option("--match", flags->match, "A command that the rule must cover (repeat)")->required();
  add->add_option("--not-match", flags->not_match, "A command that it must not cover (repeat)")->required();
  add->add_option("--id", flags->id, "Its name; a rule of that name is replaced");
  add->add_option("--agent", flags->agent, "Agent id, or * for every agent")->capture_default_str();
  add->add_option("--directory", flags->directory, "Only for commands that run in this directory");
  add->add_option("--content-sha256", flags->content_sha256, "Only while the program has this content");
  add->add_option("--expires-in", flags->expires_in,
                  "For example 30m, 12h or 7d, or a time such as 2027-01-31T18:00");
  add->parse_complete_callback([flags, arguments] { flags->has_arguments = arguments->count() > 0; });

  CLI::App* remove = policy.add_subcommand("remove", "Take a rule away; effective for the next command");
  remove->add_option("id", flags->id, "Its name")->required();
  remove->add_flag("--json", flags->json, "Print JSON");
  remove->callback([&action, flags] {
    action = [flags] {
      return change_rules(
          flags->json,
          [&](approvals::Store& store) -> Result<std::string> {
            if (auto done = approvals::remove_rule(store, flags->id, local_actor()); !done)
              return done.error();
            return "rule " + flags->id + " is gone";
          },
          approvals::OpenMode::kReadWriteExisting);
    };
  });

  CLI::App* import_verb = verb("import", "Add rules from a file, all of them or none", import_rules);
  import_verb->add_option("file", flags->file, "JSON as export writes it; - for standard input")->required();
  import_verb->add_flag("--replace", flags->replace, "The owner's rules are exactly these afterwards");

  verb("starter", "The reviewed rules for git, docker and curl", starter)
      ->add_option("switch", flags->switch_word, "on, off or show")
      ->required()
      ->check(CLI::IsMember({"on", "off", "show"}));

  CLI::App* seen = verb("observed", "What mode=observe would have asked about or denied", observed);
  seen->add_option("--agent", flags->agent, "Only of this agent");
  seen->add_flag("--clear", flags->clear, "Forget it");
}

}  // namespace hostclaw::cli
