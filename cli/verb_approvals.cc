// SPDX-License-Identifier: Apache-2.0
// hostclaw approvals get | set | allowlist add | remove: the document, with the official spellings.
#include "cli/verb_approvals.h"

#include "approvals/policy/policy_cache.h"
#include "approvals/policy/rule_store.h"
#include "approvals/store/settings.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/entry_story.h"
#include "cli/run_guard.h"
#include "cli/this_system.h"
#include "cli/verb_policy.h"
#include "node-host/doors/gateway/exec_approvals.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/files/own_program.h"
#include "policy/request/command_text.h"

namespace hostclaw::cli {
namespace {

struct ApprovalsFlags {
  bool json = false;
  std::string file;
  bool from_stdin = false;
  std::string agent = "*";
  std::string only_agent;  // of `allowlist list`; empty: of every one
  std::string pattern;
  std::optional<std::string> arg_pattern;
};

std::string scalar(const OrderedJson& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string("-");
}

// A digest says nothing to people; what it stands for is told by its story.
std::string shown_arguments(const std::string& arguments) {
  return arguments.starts_with(policy::kCwdArgvPrefix) ? "exactly these arguments in this directory"
                                                       : "args " + for_terminal(arguments);
}

std::vector<std::string> entry_lines(const std::string& agent, const OrderedJson& entry,
                                     const EntryStory& story) {
  std::string line = for_terminal(agent) + "  " + for_terminal(scalar(entry, "pattern"));
  if (entry.contains("argPattern")) line += "  " + shown_arguments(scalar(entry, "argPattern"));
  if (entry.contains("source")) line += "  (" + for_terminal(scalar(entry, "source")) + ")";
  std::vector<std::string> lines{line};
  for (const std::string& more : story_lines(story)) lines.push_back("  " + more);
  return lines;
}

// None for a run: it would be shown what others ran.
EntryStory story_of(std::optional<EntryStories>& stories, const std::string& agent,
                    const OrderedJson& entry) {
  return stories && entry.is_object() ? stories->of(agent, entry) : EntryStory{};
}

std::optional<EntryStories> stories_of(approvals::Store& store) {
  if (calling_run() != nullptr) return std::nullopt;
  return std::optional<EntryStories>(std::in_place, store);
}

std::string nothing_listed() {
  return "nothing is listed; next: hostclaw approvals allowlist add " + example_program();
}

// `store`: null when nothing is stored.
void print_snapshot(approvals::Store* store, const OrderedJson& snapshot, bool json) {
  if (json) {
    print_json(snapshot);
    return;
  }
  const OrderedJson& file = snapshot["file"];
  print_line("document   " + snapshot["path"].get<std::string>());
  print_line("hash       " + snapshot["hash"].get<std::string>());
  if (const auto resolved = snapshot.find("resolvedDefaults"); resolved != snapshot.end()) {
    print_line("effective  security=" + scalar(*resolved, "security") + " ask=" + scalar(*resolved, "ask") +
               " askFallback=" + scalar(*resolved, "askFallback"));
  }
  const auto agents = file.find("agents");
  std::size_t entries = 0;
  auto stories = store != nullptr ? stories_of(*store) : std::nullopt;
  if (agents != file.end() && agents->is_object()) {
    for (const auto& [id, agent] : agents->items()) {
      const auto list = agent.find("allowlist");
      if (list == agent.end() || !list->is_array()) continue;
      for (const OrderedJson& entry : *list) {
        ++entries;
        const char* name = "allow      ";
        for (const std::string& line : entry_lines(id, entry, story_of(stories, id, entry))) {
          print_line(name + line);
          name = "           ";
        }
      }
    }
  }
  if (entries == 0) note(nothing_listed());
}

// Opens the store and hands it with a cache to `use`, which answers a snapshot.
template <class Use>
int with_document(const ApprovalsFlags& flags, Use use,
                  approvals::OpenMode mode = approvals::OpenMode::kReadWrite) {
  auto store = open_store(mode);
  if (!store) return fail(store.error(), flags.json);
  approvals::PolicyCache cache;
  const auto before = cache.current(**store);
  Result<OrderedJson> snapshot = use(**store, cache);
  if (!snapshot) return fail(snapshot.error(), flags.json);
  print_snapshot(store->get(), *snapshot, flags.json);
  node_host::OpenedFiles files;
  policy::EngineContext context = check_context(approvals::engine_settings(**store), files);
  approvals::RuleCache rules;
  rules.apply(**store, context.settings);
  note_findings(policy::lint_changes(*before, *cache.current(**store), context));
  return kDone;
}

int get(const ApprovalsFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store && store.error().code == "STORE_NOT_FOUND") {
    const auto directory = state_directory();
    if (!directory) return fail(directory.error(), flags.json);
    note("note: nothing is stored yet; this is what a fresh node has");
    print_snapshot(nullptr, node_host::fresh_approvals_snapshot(*directory), flags.json);
    return kDone;
  }
  if (!store) return fail(store.error(), flags.json);
  approvals::PolicyCache cache;
  auto snapshot = node_host::approvals_snapshot(**store, cache);
  if (!snapshot) return fail(snapshot.error(), flags.json);
  print_snapshot(store->get(), *snapshot, flags.json);
  return kDone;
}

int list_entries(const ApprovalsFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store && store.error().code != "STORE_NOT_FOUND") return fail(store.error(), flags.json);
  OrderedJson entries = OrderedJson::array();
  std::vector<std::string> lines;
  if (store) {
    approvals::PolicyCache cache;
    auto snapshot = node_host::approvals_snapshot(**store, cache);
    if (!snapshot) return fail(snapshot.error(), flags.json);
    auto stories = stories_of(**store);
    const OrderedJson agents = (*snapshot)["file"].value("agents", OrderedJson::object());
    for (const auto& [id, agent] : agents.items()) {
      if (!flags.only_agent.empty() && flags.only_agent != id) continue;
      const OrderedJson list = agent.value("allowlist", OrderedJson::array());
      for (const OrderedJson& entry : list) {
        const EntryStory story = story_of(stories, id, entry);
        for (std::string& line : entry_lines(id, entry, story)) lines.push_back(std::move(line));
        entries.push_back(entry);
        entries.back()["agent"] = id;
        add_story(story, entries.back());
      }
    }
  }
  if (flags.json) {
    print_json(OrderedJson{{"entries", std::move(entries)}});
    return kDone;
  }
  for (const std::string& line : lines) print_line(line);
  if (lines.empty()) note(nothing_listed());
  return kDone;
}

int set(const ApprovalsFlags& flags) {
  if (flags.from_stdin == !flags.file.empty()) {
    fail(make_error("CONFIG_INVALID", "give either --file FILE or --stdin"));
    return kUsage;
  }
  auto text = read_input(flags.from_stdin ? "-" : flags.file);
  if (!text) return fail(text.error(), flags.json);
  auto file = parse_ordered_json(*text);
  if (!file) return fail(file.error(), flags.json);
  return with_document(flags,
                       [&](approvals::Store& store, approvals::PolicyCache& cache) -> Result<OrderedJson> {
                         auto current = node_host::approvals_snapshot(store, cache);
                         if (!current) return current.error();
                         node_host::ReplaceRequest request;
                         request.params = {{"file", *file}, {"baseHash", (*current)["hash"]}};
                         request.actor = local_actor();
                         return node_host::replace_approvals(store, cache, std::move(request));
                       });
}

}  // namespace

void add_approvals(CLI::App& parent, Action& action) {
  const auto flags = std::make_shared<ApprovalsFlags>();
  CLI::App* verb = parent.add_subcommand(
      "approvals", "The approvals document (defaults, allowlists), open questions, and what answers allowed");
  verb->alias("exec-approvals");
  verb->require_subcommand(1);

  CLI::App* get_verb = verb->add_subcommand("get", "Show the document and the effective policy");
  get_verb->alias("list");
  get_verb->add_flag("--json", flags->json, "Print OpenClaw's snapshot as JSON");
  get_verb->callback([&action, flags] { action = [flags] { return get(*flags); }; });

  CLI::App* set_verb = verb->add_subcommand("set", "Replace the document");
  set_verb->add_option("--file", flags->file, "JSON file in OpenClaw's shape");
  set_verb->add_flag("--stdin", flags->from_stdin, "Read it from standard input");
  set_verb->add_flag("--json", flags->json, "Print JSON");
  set_verb->callback([&action, flags] { action = [flags] { return set(*flags); }; });

  CLI::App* allowlist = verb->add_subcommand("allowlist", "List the entries, add or remove one");
  allowlist->require_subcommand(1);
  const auto add_entry_flags = [flags](CLI::App& app) {
    app.add_option("pattern", flags->pattern, "Absolute path, glob or program name")->required();
    app.add_option("--agent", flags->agent, "Agent id, or * for every agent")->capture_default_str();
    app.add_option("--arg-pattern", flags->arg_pattern,
                   "Regular expression (RE2) that the arguments must match");
    app.add_flag("--json", flags->json, "Print JSON");
  };
  CLI::App* list_verb = allowlist->add_subcommand("list", "The entries of every agent, or of one");
  list_verb->add_option("--agent", flags->only_agent, "Only of this agent; * for the entries of every agent");
  list_verb->add_flag("--json", flags->json, "Print JSON");
  list_verb->callback([&action, flags] { action = [flags] { return list_entries(*flags); }; });
  CLI::App* add_verb = allowlist->add_subcommand("add", "Allow a program");
  add_entry_flags(*add_verb);
  add_verb->callback([&action, flags] {
    action = [flags] {
      return with_document(*flags, [&](approvals::Store& store, approvals::PolicyCache& cache) {
        return node_host::add_to_allowlist(store, cache, flags->agent, flags->pattern, flags->arg_pattern,
                                           local_actor());
      });
    };
  });
  CLI::App* remove_verb =
      allowlist->add_subcommand("remove", "Take an entry away; effective for the next command");
  add_entry_flags(*remove_verb);
  remove_verb->callback([&action, flags] {
    action = [flags] {
      return with_document(
          *flags,
          [&](approvals::Store& store, approvals::PolicyCache& cache) {
            return node_host::remove_from_allowlist(store, cache, flags->agent, flags->pattern,
                                                    flags->arg_pattern, local_actor());
          },
          approvals::OpenMode::kReadWriteExisting);
    };
  });
  add_approvals_questions(*verb, action);
  add_approvals_watch(*verb, action);
  add_approvals_grants(*verb, action);
}

}  // namespace hostclaw::cli
