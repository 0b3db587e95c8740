// SPDX-License-Identifier: Apache-2.0
#include "cli/run_guard.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "approvals/audit/audit_chain.h"
#include "approvals/platform/private_files.h"
#include "base/clock.h"
#include "cli/command_line.h"
#include "node-host/app/service_manager.h"
#include "node-host/system/process/run_ancestry.h"
#include "policy/decide/own_verbs.h"

namespace hostclaw::cli {
namespace {

// A node lists a program a moment after it has started it.
constexpr int kLooksForRun = 50;
constexpr auto kBetweenLooks = std::chrono::milliseconds(10);
// What the record says where the request named no session.
constexpr std::string_view kNoSession = "node";

std::optional<CallingRun> caller;

struct Verb {
  std::string words;
  policy::VerbUse use = policy::VerbUse::kChanges;
};

// What is about to be done. More than one verb on one command line is none that was declared.
Verb verb_of(const CLI::App& root) {
  Verb verb;
  const CLI::App* at = &root;
  bool single = true;
  while (!at->get_subcommands().empty()) {
    const auto chosen = at->get_subcommands();
    single = single && chosen.size() == 1;
    at = chosen.front();
    verb.words += (verb.words.empty() ? "" : " ") + at->get_name();
  }
  const policy::OwnVerb* declared = policy::find_own_verb(verb.words);
  if (single && declared != nullptr) verb.use = declared->use;
  return verb;
}

std::unique_ptr<approvals::Store> open_existing(const std::string& directory, approvals::OpenMode mode) {
  if (!approvals::file_exists(directory + "/hostclaw.sqlite")) return nullptr;
  auto store = approvals::Store::open(directory, mode);
  return store ? std::move(*store) : nullptr;
}

std::int64_t find_row(const node_host::Descent& descent, const std::string& roster,
                      node_host::ProcessTable& processes) {
  const bool started_by_node = descent.top_pid != 0 && descent.top_pid == descent.top_session;
  std::int64_t row = 0;
  for (int look = 0; row == 0 && look < (started_by_node ? kLooksForRun : 1); ++look) {
    if (look > 0) std::this_thread::sleep_for(kBetweenLooks);
    row = node_host::find_run_row(descent, node_host::RunRoster::read(roster), processes);
  }
  return row;
}

// Answers an error when the attempt could not be recorded; it is refused all the same.
Result<void> record_attempt(const std::string& directory, const Verb& verb) {
  if (!approvals::file_exists(directory + "/hostclaw.sqlite")) return {};
  auto store = approvals::Store::open(directory, approvals::OpenMode::kReadWrite);
  if (!store) return store.error();
  const approvals::Actor actor = local_actor();
  Json fields{{"door", actor.door},
              {"who", actor.who},
              {"verb", verb.words},
              {"code", policy::self_code(verb.use)},
              {"because", caller->because}};
  if (caller->run) {
    fields["run"] = caller->run->run_id;
    fields["agent"] = caller->run->agent_id;
    fields["session"] = caller->run->session_key;
  }
  const auto row = approvals::AuditChain(**store).append("attempt", fields);
  if (!row) return row.error();
  return {};
}

int refuse(const std::string& directory, const Verb& verb, bool json) {
  const auto recorded = record_attempt(directory, verb);
  const bool changes = verb.use == policy::VerbUse::kChanges;
  const std::string run = caller->run ? "run " + caller->run->run_id : std::string("a run");
  std::string message = "`hostclaw " + verb.words +
                        "` is not for commands that come through a node, and this is " + run + ": " +
                        caller->because + ".";
  if (!recorded)
    message += " The attempt could not be recorded (" + recorded.error().code + ": " +
               recorded.error().message + ").";
  return fail(make_error(std::string(to_string(policy::self_code(verb.use))), message,
                         changes ? "in a terminal of this machine: hostclaw " + verb.words : "hostclaw runs"),
              json);
}

}  // namespace

const CallingRun* calling_run() { return caller ? &*caller : nullptr; }

std::optional<int> refuse_to_runs(const CLI::App& root, const std::vector<std::string>& words) {
  const Verb verb = verb_of(root);
  // Before anything acts as the owner of the state: then other processes can no longer be looked at.
  const std::string likely = likely_state_directory();
  const auto processes = node_host::processes_of_this_system(likely);
  const node_host::Descent descent = node_host::find_descent(*processes);
  if (!descent.from_run) return std::nullopt;
  // A second node on the same state is refused by the first one's lock, in words that fit.
  if (!descent.seen && (verb.words == "node run" || verb.words == "connect")) return std::nullopt;
  const std::string directory = descent.node_directory.empty() ? likely : descent.node_directory;
  caller = CallingRun{descent.because, descent.node_directory, std::nullopt};
  if (verb.use == policy::VerbUse::kReads) return std::nullopt;
  (void)node_host::act_as_owner_of(directory);
  const std::int64_t row = find_row(descent, directory + "/" + node_host::kRosterName, *processes);
  if (row != 0) {
    if (const auto store = open_existing(directory, approvals::OpenMode::kReadOnly)) {
      if (auto found = store->runs({.limit = 1, .only_row = row}); found && !found->empty())
        caller->run = std::move(found->front());
    }
  }
  if (policy::is_for_runs(verb.use)) return std::nullopt;
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  return refuse(directory, verb, json);
}

Result<approvals::RunFilter> visible(approvals::RunFilter filter) {
  if (!caller) return filter;
  if (!caller->run) {
    return make_error("RUN_UNKNOWN",
                      "this command comes through a node, and which run it belongs to cannot be told, so no "
                      "run is shown: " +
                          caller->because,
                      "in a terminal of this machine: hostclaw runs");
  }
  const approvals::RunRow& own = *caller->run;
  const bool has_session = !own.agent_id.empty() && !own.session_key.empty() && own.session_key != kNoSession;
  const bool others = !filter.agent_id.empty() && filter.agent_id != own.agent_id;
  if (!has_session || others) {
    filter.only_row = others ? -1 : own.row_id;
    return filter;
  }
  filter.agent_id = own.agent_id;
  filter.session_key = own.session_key;
  return filter;
}

bool is_visible(const approvals::RunRow& run) {
  if (!caller) return true;
  const auto filter = visible({});
  if (!filter) return false;
  if (filter->only_row != 0) return run.row_id == filter->only_row;
  return run.agent_id == filter->agent_id && run.session_key == filter->session_key;
}

}  // namespace hostclaw::cli
