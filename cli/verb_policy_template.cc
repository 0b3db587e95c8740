// SPDX-License-Identifier: Apache-2.0
// hostclaw policy template list | show | off | NAME: reviewed sets of rules, shown before they are stored.
#include <algorithm>
#include <map>

#include "approvals/policy/rule_store.h"
#include "cli/command_line.h"
#include "cli/terminal.h"
#include "cli/verb_policy.h"
#include "policy/request/command_text.h"
#include "policy/rules/rule_templates.h"

namespace hostclaw::cli {
namespace {

using policy::Rule;
using policy::RuleTemplate;
using policy::TemplateParameter;

struct TemplateFlags {
  const RuleTemplate* from = nullptr;
  std::map<std::string, std::vector<std::string>, std::less<>> values;
  std::string name;
  std::string set;
  std::string agent = "*";
  bool yes = false;
  bool json = false;
};

Json rules_json(const std::vector<Rule>& rules) {
  Json out = Json::array();
  for (const Rule& rule : rules) out.push_back(policy::rule_to_json(rule));
  return out;
}

void show_rules(const std::vector<Rule>& rules) {
  for (const Rule& rule : rules) {
    print_wrapped(rule_line(rule), 6);
    if (!rule.note.empty()) print_wrapped("        " + for_terminal(rule.note), 8);
    const auto examples = [](const char* what, const std::vector<std::vector<std::string>>& all) {
      for (const auto& example : all) print_line(what + for_terminal(policy::command_text(example)));
    };
    examples("        covers  ", rule.match);
    examples("        not     ", rule.not_match);
  }
}

// The names of the stored sets with how many rules each has.
std::map<std::string, std::size_t> stored_sets(const std::vector<approvals::StoredRule>& rules) {
  std::map<std::string, std::size_t> out;
  for (const auto& stored : rules) {
    if (!stored.rule.of_template.empty()) ++out[stored.rule.of_template];
  }
  return out;
}

std::vector<Rule> rules_of_set(const std::vector<approvals::StoredRule>& rules, const std::string& set) {
  std::vector<Rule> out;
  for (const auto& stored : rules) {
    if (stored.rule.of_template == set) out.push_back(stored.rule);
  }
  return out;
}

// `--repo DIR --service NAME [--check URL]`
std::string usage_of(const RuleTemplate& from) {
  std::string out;
  for (const TemplateParameter& parameter : from.parameters) {
    const char* value = parameter.kind == TemplateParameter::Kind::kDirectory ? "DIR"
                        : parameter.kind == TemplateParameter::Kind::kUrl     ? "URL"
                                                                              : "NAME";
    const std::string flag = "--" + std::string(parameter.name) + " " + value;
    out += " " + (parameter.required ? flag : "[" + flag + "]");
  }
  return out;
}

int list_templates(const TemplateFlags& flags) {
  auto rules = read_rules();
  if (!rules) return fail(rules.error(), flags.json);
  const auto sets = stored_sets(*rules);
  Json templates = Json::array();
  for (const RuleTemplate& item : policy::rule_templates()) {
    if (flags.json) {
      templates.push_back(
          {{"name", item.name}, {"about", item.about}, {"usage", std::string(item.name) + usage_of(item)}});
    } else {
      print_line(std::string(item.name) + usage_of(item));
      print_line("    " + std::string(item.about));
    }
  }
  if (flags.json) {
    print_json(Json{{"templates", std::move(templates)}, {"stored", sets}});
    return kDone;
  }
  for (const auto& [set, count] : sets)
    print_line("stored: " + for_terminal(set) + ", " + std::to_string(count) + " rules");
  if (sets.empty()) note("none is stored; next: hostclaw policy template show hostops");
  return kDone;
}

int show_template(const TemplateFlags& flags) {
  auto stored = read_rules();
  if (!stored) return fail(stored.error(), flags.json);
  std::vector<Rule> rules = rules_of_set(*stored, flags.name);
  const bool is_stored = !rules.empty();
  const RuleTemplate* from = policy::find_rule_template(flags.name);
  if (!is_stored) {
    if (from == nullptr) {
      return fail(make_error("NOT_FOUND", "there is no template and no stored set " + flags.name,
                             "hostclaw policy template list"),
                  flags.json);
    }
    auto filled = policy::fill_template(*from, policy::sample_values(*from), flags.name, "*");
    if (!filled) return fail(filled.error(), flags.json);
    rules = std::move(*filled);
  }
  if (flags.json) {
    print_json(Json{{"name", flags.name}, {"stored", is_stored}, {"rules", rules_json(rules)}});
    return kDone;
  }
  show_rules(rules);
  if (!is_stored) {
    note("not stored; these are examples of values");
    note("next: hostclaw policy template " + flags.name + usage_of(*from));
  }
  return kDone;
}

int template_off(const TemplateFlags& flags) {
  return change_rules(
      flags.json,
      [&](approvals::Store& store) -> Result<std::string> {
        auto count = approvals::remove_rule_set(store, flags.name, local_actor());
        if (!count) return count.error();
        return "the " + std::to_string(*count) + " rules of " + flags.name + " are gone";
      },
      approvals::OpenMode::kReadWriteExisting);
}

// Symlinks resolved, so that what is stored is what a run's directory is compared with.
Result<policy::TemplateValues> resolved(const TemplateFlags& flags) {
  policy::TemplateValues out;
  for (const TemplateParameter& parameter : flags.from->parameters) {
    const auto given = flags.values.find(parameter.name);
    if (given == flags.values.end() || given->second.empty()) continue;
    std::vector<std::string>& list = out[std::string(parameter.name)];
    for (const std::string& value : given->second) {
      if (parameter.kind != TemplateParameter::Kind::kDirectory) {
        list.push_back(value);
        continue;
      }
      auto directory = existing_directory(value, "--" + std::string(parameter.name));
      if (!directory) return directory.error();
      list.push_back(std::move(*directory));
    }
  }
  return out;
}

int unconfirmed(const TemplateFlags& flags, const std::vector<Rule>& rules) {
  const Error error = make_error("NOT_CONFIRMED",
                                 "nothing was stored: without a terminal nobody could confirm these " +
                                     std::to_string(rules.size()) + " rules",
                                 "the same command with --yes");
  if (flags.json) {
    print_json(Json{{"ok", false},
                    {"rules", rules_json(rules)},
                    {"error", {{"code", error.code}, {"message", error.message}, {"next", error.next}}}});
  } else {
    fail(error);
  }
  return kUsage;
}

int fill(const TemplateFlags& flags) {
  auto values = resolved(flags);
  if (!values) return fail(values.error(), flags.json);
  const std::string set = flags.set.empty() ? std::string(flags.from->name) : flags.set;
  auto rules = policy::fill_template(*flags.from, *values, set, flags.agent);
  if (!rules) return fail(rules.error(), flags.json);
  if (!flags.json) show_rules(*rules);
  if (!flags.yes) {
    if (flags.json || !Terminal::available()) return unconfirmed(flags, *rules);
    if (!confirmed("store these " + std::to_string(rules->size()) + " rules as " + set + "?")) {
      note("nothing was stored");
      return kFailed;
    }
  }
  return change_rules(flags.json, [&](approvals::Store& store) -> Result<std::string> {
    auto count = approvals::put_rule_set(store, set, *rules, local_actor());
    if (!count) return count.error();
    return std::to_string(*count) + " rules of " + set +
           " hold from the next command on; to take them away: hostclaw policy template off " + set;
  });
}

void add_one_template(CLI::App& verb, Action& action, const RuleTemplate& from) {
  const auto flags = std::make_shared<TemplateFlags>();
  flags->from = &from;
  CLI::App* app = verb.add_subcommand(std::string(from.name), std::string(from.about));
  for (const TemplateParameter& parameter : from.parameters) {
    auto* option = app->add_option("--" + std::string(parameter.name),
                                   flags->values[std::string(parameter.name)], std::string(parameter.about));
    option->required(parameter.required);
    if (!parameter.repeats) option->expected(1);
    if (parameter.repeats) option->allow_extra_args(false);
  }
  app->add_option("--as", flags->set, "Name of the set, for a second one of the same template");
  app->add_option("--agent", flags->agent, "Agent id, or * for every agent")->capture_default_str();
  app->add_flag("--yes", flags->yes, "Store it without asking, for scripts");
  app->add_flag("--json", flags->json, "Print JSON");
  app->callback([&action, flags] { action = [flags] { return fill(*flags); }; });
}

}  // namespace

void add_policy_template(CLI::App& policy, Action& action) {
  CLI::App* verb =
      policy.add_subcommand("template", "Reviewed sets of rules for a repository, a service, ...");
  verb->require_subcommand(1);
  const auto flags = std::make_shared<TemplateFlags>();
  const auto sub = [&](const char* name, const char* about, int (*run)(const TemplateFlags&)) {
    CLI::App* app = verb->add_subcommand(name, about);
    app->add_flag("--json", flags->json, "Print JSON");
    app->callback([&action, flags, run] { action = [flags, run] { return run(*flags); }; });
    return app;
  };
  sub("list", "The sets that there are, and which are stored", list_templates);
  sub("show", "Its rules with their examples: as stored, else with examples of values", show_template)
      ->add_option("name", flags->name, "A template or a stored set")
      ->required();
  sub("off", "Take the rules of a set away, all at once", template_off)
      ->add_option("name", flags->name, "The stored set")
      ->required();
  for (const RuleTemplate& item : policy::rule_templates()) add_one_template(*verb, action, item);
}

}  // namespace hostclaw::cli
