// SPDX-License-Identifier: Apache-2.0
// hostclaw approvals grants list | revoke: what answers have left behind.
#include "approvals/questions/questions.h"
#include "base/clock.h"
#include "cli/question_text.h"
#include "cli/times.h"
#include "cli/verb_approvals.h"

namespace hostclaw::cli {
namespace {

struct GrantFlags {
  bool json = false;
  bool all = false;
  std::string agent;
  std::string id;
};

int list_grants(const GrantFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store && store.error().code != "STORE_NOT_FOUND") return fail(store.error(), flags.json);
  const std::int64_t now = unix_ms_now();
  std::vector<approvals::Grant> grants;
  std::vector<std::string> ids;
  if (store) {
    auto every = approvals::Questions(**store).grants({"", false}, now);
    if (!every) return fail(every.error(), flags.json);
    for (approvals::Grant& grant : *every) {
      ids.push_back(grant.id);
      const bool wanted =
          (flags.all || grant_in_force(grant, now)) && (flags.agent.empty() || grant.agent_id == flags.agent);
      if (wanted) grants.push_back(std::move(grant));
    }
  }
  if (flags.json) {
    Json list = Json::array();
    for (const approvals::Grant& grant : grants) {
      Json item = grant_json(grant, now);
      item["shortId"] = short_id(grant.id, ids);
      list.push_back(std::move(item));
    }
    print_json(Json{{"grants", std::move(list)}});
    return kDone;
  }
  for (const approvals::Grant& grant : grants) {
    std::string scope(to_string(grant.scope));
    scope.resize(10, ' ');
    print_line(short_id(grant.id, ids) + "  " + scope + "  agent " +
               (grant.agent_id.empty() ? "(none named)" : for_terminal(grant.agent_id)) + "  " +
               grant_ends(grant));
    print_line("  opens  " + grant_opens(grant));
    print_line("  used   " +
               (grant.use_count == 0 ? std::string("never")
                                     : std::to_string(grant.use_count) +
                                           (grant.use_count == 1 ? " time, last " : " times, last ") +
                                           format_time(grant.last_used_at_ms)) +
               "; given " + format_time(grant.created_at_ms) + " by " + for_terminal(grant.created_by.who) +
               " (" + for_terminal(grant.created_by.door) + ")");
  }
  if (grants.empty()) {
    note(flags.all ? "there are no grants" : "no grant is in force; --all shows those that ended, too");
  }
  return kDone;
}

int revoke_grant(const GrantFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadWriteExisting);
  if (!store) return fail(store.error(), flags.json);
  const std::int64_t now = unix_ms_now();
  auto grant = approvals::Questions(**store).revoke(flags.id, local_actor(), now);
  if (!grant) {
    Error error = grant.error();
    if (error.next.empty()) error.next = "hostclaw approvals grants list --all";
    return fail(error, flags.json);
  }
  const bool before = grant->revoked_at_ms != now;
  if (flags.json) {
    print_json(Json{{"ok", true}, {"revokedBefore", before}, {"grant", grant_json(*grant, now)}});
  } else {
    print_line((before ? "was revoked before (" + format_time(grant->revoked_at_ms) + "): "
                       : std::string("revoked; the next call asks again: ")) +
               grant_opens(*grant));
  }
  return kDone;
}

}  // namespace

void add_approvals_grants(CLI::App& approvals, Action& action) {
  const auto flags = std::make_shared<GrantFlags>();
  CLI::App* verb = approvals.add_subcommand("grants", "What answers on this machine have allowed");
  verb->require_subcommand(1);
  CLI::App* list_verb = verb->add_subcommand("list", "Scope, end, use and giver of each grant, newest first");
  list_verb->add_option("--agent", flags->agent, "Only of this agent");
  list_verb->add_flag("--all", flags->all, "Also those that are revoked, expired or used up");
  list_verb->add_flag("--json", flags->json, "Print JSON");
  list_verb->callback([&action, flags] { action = [flags] { return list_grants(*flags); }; });

  CLI::App* revoke_verb = verb->add_subcommand("revoke", "Take a grant back; effective for the next command");
  revoke_verb->add_option("id", flags->id, "Its id, or the beginning of it")->required();
  revoke_verb->add_flag("--json", flags->json, "Print JSON");
  revoke_verb->callback([&action, flags] { action = [flags] { return revoke_grant(*flags); }; });
}

}  // namespace hostclaw::cli
