// SPDX-License-Identifier: Apache-2.0
#include "cli/entry_story.h"

#include <algorithm>

#include "approvals/audit/audit_chain.h"
#include "approvals/shown/secret_masking.h"
#include "approvals/shown/shown_text.h"
#include "cli/command_line.h"
#include "node-host/system/host/host_facts.h"
#include "policy/request/command_text.h"
#include "policy/shell/shell_text.h"

namespace hostclaw::cli {
namespace {

// As far back as is looked. Older entries are shown as the document has them.
constexpr std::size_t kWritesToLookAt = 500;
constexpr std::size_t kRunsToLookAt = 500;
// A program, a wrapper's words, a script: the bound arguments begin behind one of them.
constexpr std::size_t kMostWordsInFront = 6;

std::string text_of(const OrderedJson& entry, const char* name) {
  const auto it = entry.find(name);
  return it != entry.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::string text_in(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// Every command of the run: its argv, and those of the shell text that it may be.
std::vector<std::vector<std::string>> commands_of(const approvals::RunRow& run) {
  std::vector<std::vector<std::string>> out;
  const Json argv = Json::parse(run.argv_json, nullptr, false);
  if (argv.is_array()) {
    out.emplace_back();
    for (const Json& word : argv)
      out.back().push_back(word.is_string() ? word.get<std::string>() : std::string());
  }
  const policy::ShellTextResult text = policy::parse_shell_text(run.command_text);
  if (!text) return out;
  for (const auto& pipeline : text.program->pipelines) {
    for (const auto& command : pipeline.commands) out.push_back(command.argv());
  }
  return out;
}

// The command of `run` that the entry was stored for.
std::optional<std::string> covered_command(const approvals::RunRow& run, const std::string& pattern,
                                           const std::string& arguments) {
  for (const std::string_view prefix : {policy::kExactCommandPrefix, policy::kNodeCommandPrefix}) {
    if (!pattern.starts_with(prefix)) continue;
    if (pattern.substr(prefix.size()) != policy::command_key(run.command_text)) return std::nullopt;
    return approvals::mask_secrets_in_text(run.command_text);
  }
  if (!arguments.starts_with(policy::kCwdArgvPrefix)) return std::nullopt;
  const policy::Platform platform = node_host::host_policy_platform();
  for (const std::vector<std::string>& argv : commands_of(run)) {
    for (std::size_t from = 1; from <= std::min(argv.size(), kMostWordsInFront); ++from) {
      const std::vector<std::string> rest(argv.begin() + static_cast<std::ptrdiff_t>(from), argv.end());
      // Without arguments the digest is that of any such command; the program tells them apart.
      const bool same_program =
          policy::base_name(pattern, platform) == policy::base_name(argv[from - 1], platform);
      if (rest.empty() && !same_program) continue;
      if (policy::cwd_argv_pattern(run.cwd, rest, platform) == arguments)
        return approvals::shown_command(approvals::mask_secrets(argv).argv);
    }
  }
  return std::nullopt;
}

}  // namespace

EntryStories::EntryStories(approvals::Store& store) : store_(store) {
  if (const auto usage = store.usage()) {
    for (const approvals::EntryUsage& one : *usage)
      known_[{one.agent, one.pattern, one.arg_pattern}].usage = one;
  }
  approvals::AuditFilter filter;
  filter.kind = "policy-write";
  filter.limit = kWritesToLookAt;
  const auto writes = approvals::AuditChain(store).rows(filter);
  if (!writes) return;
  // Newest first: what was taken away and added again came with the newest.
  for (const approvals::AuditRow& row : *writes) {
    const Json body = Json::parse(row.body, nullptr, false);
    if (!body.is_object() || !body.contains("changes") || !body["changes"].is_object()) continue;
    const Json added = body["changes"].value("added", Json::array());
    for (const Json& entry : added) {
      if (!entry.is_object()) continue;
      EntryStory& story =
          known_[{text_in(entry, "agent"), text_in(entry, "pattern"), text_in(entry, "argPattern")}];
      if (story.added_at_ms != 0) continue;
      story.added_at_ms = row.at_ms;
      story.added_by = {text_in(body, "door"), text_in(body, "who")};
    }
  }
}

const std::vector<approvals::RunRow>& EntryStories::runs_of(const std::string& agent) {
  const auto [it, is_new] = runs_.try_emplace(agent);
  if (is_new) {
    approvals::RunFilter filter;
    filter.limit = kRunsToLookAt;
    filter.verdict = "allow";
    filter.agent_id = agent == "*" ? "" : agent;
    if (auto rows = store_.runs(filter)) it->second = std::move(*rows);
  }
  return it->second;
}

EntryStory EntryStories::of(const std::string& agent, const OrderedJson& entry) {
  const std::string pattern = text_of(entry, "pattern");
  const std::string arguments = text_of(entry, "argPattern");
  EntryStory story;
  if (const auto found = known_.find({agent, pattern, arguments}); found != known_.end())
    story = found->second;
  const bool hides = arguments.starts_with(policy::kCwdArgvPrefix) ||
                     pattern.starts_with(policy::kExactCommandPrefix) ||
                     pattern.starts_with(policy::kNodeCommandPrefix);
  if (!hides) return story;
  for (const approvals::RunRow& run : runs_of(agent)) {
    const auto command = covered_command(run, pattern, arguments);
    if (!command) continue;
    story.command = *command;
    story.directory = run.cwd;
    break;
  }
  return story;
}

std::vector<std::string> story_lines(const EntryStory& story) {
  std::vector<std::string> out;
  if (!story.command.empty())
    out.push_back("allows " + for_terminal(story.command) +
                  (story.directory.empty() ? "" : "  in " + for_terminal(story.directory)));
  if (story.added_at_ms != 0) {
    std::string line = "added  " + format_time(story.added_at_ms);
    if (!story.added_by.who.empty()) line += " by " + for_terminal(story.added_by.who);
    if (!story.added_by.door.empty()) line += " (" + for_terminal(story.added_by.door) + ")";
    out.push_back(line);
  }
  if (story.usage) {
    out.push_back("used   " + std::to_string(story.usage->use_count) +
                  (story.usage->use_count == 1 ? " time, last " : " times, last ") +
                  format_time(story.usage->last_used_at_ms));
  }
  return out;
}

void add_story(const EntryStory& story, OrderedJson& entry) {
  if (!story.command.empty()) entry["allows"] = {{"command", story.command}, {"directory", story.directory}};
  if (story.added_at_ms != 0) {
    entry["addedAtMs"] = story.added_at_ms;
    entry["addedBy"] = {{"door", story.added_by.door}, {"who", story.added_by.who}};
  }
  if (story.usage) {
    entry["useCount"] = story.usage->use_count;
    entry["lastUsedAtMs"] = story.usage->last_used_at_ms;
  }
}

}  // namespace hostclaw::cli
