// SPDX-License-Identifier: Apache-2.0
// hostclaw completion bash|zsh|fish|powershell, what its scripts ask (hostclaw complete KIND), and what
// packages are made from: hostclaw generate man|unit; and, for a test, which verbs there are: hostclaw
// generate verbs.
#include <algorithm>
#include <iostream>

#include "approvals/policy/rule_store.h"
#include "approvals/questions/questions.h"
#include "approvals/shown/secret_masking.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "cli/command_line.h"
#include "cli/generated_texts.h"
#include "cli/question_text.h"
#include "cli/this_system.h"
#include "cli/verb_runs.h"
#include "node-host/record/run_view.h"
#include "policy/decide/own_verbs.h"

namespace hostclaw::cli {
namespace {

// WORDS, a tab and what a run may do with it, for every verb that can be typed, hidden ones among them.
int print_verbs(const CLI::App& app, const std::string& path) {
  const auto children = app.get_subcommands([](const CLI::App* child) { return !child->get_name().empty(); });
  if (!path.empty() && (children.empty() || app.get_require_subcommand_min() == 0)) {
    const policy::OwnVerb* verb = policy::find_own_verb(path);
    print_line(path + "\t" + std::string(verb != nullptr ? policy::to_string(verb->use) : "undeclared"));
    const std::string parent = path.substr(0, path.size() - app.get_name().size());
    for (const std::string& alias : app.get_aliases()) {
      const policy::OwnVerb* other = policy::find_own_verb(parent + alias);
      print_line(parent + alias + "\t" +
                 std::string(other != nullptr ? policy::to_string(other->use) : "undeclared"));
    }
  }
  for (const CLI::App* child : children)
    print_verbs(*child, path.empty() ? child->get_name() : path + " " + child->get_name());
  return kDone;
}

constexpr std::size_t kMostIds = 50;
constexpr std::size_t kLongestText = 60;

// A line for the shell: an id, a tab and what it is. What a shell could take for more than a word is left
// out: ids of runs come from gateways.
void offer(const std::string& id, const std::string& text) {
  const bool plain = !id.empty() && id.front() != '-' && id.size() <= 128 &&
                     std::all_of(id.begin(), id.end(), [](unsigned char c) {
                       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              c == '-' || c == '_' || c == '.';
                     });
  if (plain) print_line(id + "\t" + std::string(utf8_prefix(for_terminal(text), kLongestText)));
}

Result<void> offer_runs(approvals::Store& store, bool open_only) {
  approvals::RunFilter filter{open_only ? 10 * kMostIds : kMostIds, open_only ? "allow" : "", ""};
  const auto runs = store.runs(filter);
  if (!runs) return runs.error();
  for (const approvals::RunRow& run : *runs)
    if (!open_only || node_host::is_open_run(run))
      offer(run.run_id, run_outcome(run, true) + ": " + approvals::mask_secrets_in_text(run.command_text));
  return {};
}

Result<void> offer_questions(approvals::Store& store) {
  approvals::Questions questions(store);
  const auto open = questions.pending(unix_ms_now());
  if (!open) return open.error();
  for (const approvals::Question& question : *open)
    offer(short_question_id(questions, question.id), question.asked.shown_text);
  return {};
}

Result<void> offer_grants(approvals::Store& store) {
  const std::int64_t now = unix_ms_now();
  const auto grants = approvals::Questions(store).grants({"", false}, now);
  if (!grants) return grants.error();
  std::vector<std::string> ids;
  for (const approvals::Grant& grant : *grants) ids.push_back(grant.id);
  for (const approvals::Grant& grant : *grants)
    if (grant_in_force(grant, now)) offer(short_id(grant.id, ids), grant_opens(grant));
  return {};
}

Result<void> offer_rules(approvals::Store& store) {
  const auto rules = approvals::stored_rules(store);
  if (!rules) return rules.error();
  for (const approvals::StoredRule& stored : *rules) offer(stored.rule.id, stored.rule.note);
  return {};
}

// Nothing is said about what goes wrong: it would stand in the middle of a command line.
int offer_ids(const std::string& kind) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return kFailed;
  const auto done = kind == "question" ? offer_questions(**store)
                    : kind == "grant"  ? offer_grants(**store)
                    : kind == "rule"   ? offer_rules(**store)
                                       : offer_runs(**store, kind == "open-run");
  return done ? kDone : kFailed;
}

}  // namespace

void add_completion(CLI::App& parent, Action& action) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* verb = parent.add_subcommand("completion", "Print the completion script of a shell");
  verb->add_option("shell", *shell, "Which shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish", "powershell"}));
  verb->callback([&parent, &action, shell] {
    action = [&parent, shell] {
      std::cout << (*shell == "bash"   ? bash_completion(parent)
                    : *shell == "zsh"  ? zsh_completion(parent)
                    : *shell == "fish" ? fish_completion(parent)
                                       : powershell_completion(parent));
      return std::cout.flush() ? kDone : kFailed;
    };
  });

  const auto kind = std::make_shared<std::string>();
  CLI::App* complete = parent.add_subcommand("complete", "List ids for a shell's completion")->group("");
  complete->add_option("kind", *kind, "Of what")
      ->required()
      ->check(CLI::IsMember({"run", "open-run", "question", "grant", "rule"}));
  complete->callback([&action, kind] { action = [kind] { return offer_ids(*kind); }; });

  const auto what = std::make_shared<std::string>();
  CLI::App* generate = parent.add_subcommand("generate", "Print a file that packages contain")->group("");
  generate->add_option("what", *what, "Which file")
      ->required()
      ->check(CLI::IsMember({"man", "unit", "verbs"}));
  generate->callback([&parent, &action, what] {
    action = [&parent, what] {
      if (*what == "verbs") return print_verbs(parent, "");
      const auto unit = packaged_service_definition();
      if (*what == "unit" && !unit)
        return fail(make_error("NOT_ON_THIS_SYSTEM", "packages for this system contain no service definition",
                               "hostclaw node install"));
      std::cout << (*what == "man" ? man_page(parent, version()) : *unit);
      return std::cout.flush() ? kDone : kFailed;
    };
  });
}

}  // namespace hostclaw::cli
