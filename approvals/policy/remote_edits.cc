// SPDX-License-Identifier: Apache-2.0
#include "approvals/policy/remote_edits.h"

#include <algorithm>
#include <compare>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "policy/document/arg_pattern.h"
#include "policy/document/effective_policy.h"
#include "policy/request/command_text.h"

namespace hostclaw::approvals {
namespace {

using policy::AllowlistEntry;
using policy::PolicyDocument;

const std::string kEveryAgent = "*";
const std::string kNoAgent;  // a request that says no agent

// One entry as the decision reads it: what is written differently and means the same is the same here, and
// what is written alike and means something else is not.
struct Entry {
  std::string pattern;
  std::optional<std::string> arguments;  // absent: any; empty: none; else the pattern or the exact key
  bool granted = false;                  // left by an answer

  friend auto operator<=>(const Entry&, const Entry&) = default;
};

// nullopt: it never satisfies anything (see policy/document/pattern_index.cc).
std::optional<Entry> meaning_of(const AllowlistEntry& entry) {
  Entry out{std::string(trim(entry.pattern)), entry.arg_pattern, entry.allow_always};
  if (out.pattern.empty()) return std::nullopt;
  const bool any_arguments = !out.arguments || out.arguments->empty();
  if (out.pattern == "*") {
    if (out.granted || !any_arguments) return std::nullopt;
    out.arguments.reset();
    return out;
  }
  if (out.granted && out.pattern.starts_with(policy::kExactCommandPrefix)) {
    out.arguments.reset();
    return out;
  }
  if (!any_arguments && out.arguments->starts_with(policy::kCwdArgvPrefix)) return out;
  if (out.granted) return std::nullopt;
  if (any_arguments) return out;
  if (out.arguments->starts_with(policy::kLegacyArgvPrefix)) return std::nullopt;
  return policy::ArgPattern(*out.arguments).ok() ? std::optional(std::move(out)) : std::nullopt;
}

// What one agent is allowed. Two documents with the same value here decide alike for it. The order of entries
// is part of it: the first that fits is the one that counts.
struct Meaning {
  policy::Security security = policy::Security::kDeny;
  policy::Ask ask = policy::Ask::kAlways;
  policy::Security ask_fallback = policy::Security::kDeny;
  bool skills = false;
  std::vector<Entry> entries;

  friend bool operator==(const Meaning&, const Meaning&) = default;
};

Meaning meaning_for(const PolicyDocument& document, const std::string& agent,
                    const policy::EngineSettings& settings) {
  Meaning out;
  if (document.malformed) return out;
  // The owner's limits are left out: they may be lifted one day, and the document stays.
  policy::EngineSettings unlimited = settings;
  unlimited.security_limit = policy::Security::kFull;
  unlimited.ask_floor = policy::Ask::kOff;
  const policy::EffectivePolicy policy =
      policy::resolve_policy(document, agent, unlimited, policy::native_platform());
  out.security = policy.security;
  out.ask = policy.ask;
  out.ask_fallback = std::min(policy.security, policy.ask_fallback);
  out.skills = policy.auto_allow_skills;
  std::set<Entry> seen;
  for (const policy::AgentList& list : policy.lists) {
    for (const AllowlistEntry& written : *list.entries) {
      std::optional<Entry> entry = meaning_of(written);
      if (entry && seen.insert(*entry).second) out.entries.push_back(std::move(*entry));
    }
  }
  return out;
}

// `before` has it, or had the same program with any arguments where only none are left. (An entry that names
// other arguments is no narrower one: what it names is not asked about for the code that it may carry.)
bool covered(const Entry& entry, const std::set<Entry>& before) {
  if (before.contains(entry)) return true;
  if (entry.granted || !entry.arguments || !entry.arguments->empty()) return false;
  return before.contains(Entry{entry.pattern, std::nullopt, false});
}

// Empty when `after` allows nothing that `before` did not.
std::string looser(const Meaning& before, const Meaning& after) {
  if (after.security > before.security) return "security " + std::string(to_string(after.security));
  // Where nothing may run there is nothing to ask about. Entries count all the same: what they wait for may
  // come.
  const bool asks = after.security != policy::Security::kDeny;
  if (asks && after.ask < before.ask) return "ask " + std::string(to_string(after.ask));
  if (after.ask_fallback > before.ask_fallback)
    return "askFallback " + std::string(to_string(after.ask_fallback));
  if (after.skills && !before.skills) return "autoAllowSkills";
  const std::set<Entry> had(before.entries.begin(), before.entries.end());
  for (const Entry& entry : after.entries) {
    if (!covered(entry, had)) return "the entry " + entry.pattern;
  }
  return {};
}

// Every agent that one of the documents names, one that neither does, and none.
std::set<std::string> agents_of(const PolicyDocument& before, const PolicyDocument& after) {
  std::set<std::string> agents = {kEveryAgent, kNoAgent};
  for (const auto* document : {&before, &after}) {
    for (const auto& [agent, ignored] : document->agents) agents.insert(agent);
  }
  return agents;
}

Error refused(const std::string& why) {
  return make_error("REMOTE_EDIT_REFUSED", why, "hostclaw exec-policy show");
}

}  // namespace

Result<void> check_remote_edit(RemoteEdits allowed, const PolicyDocument& before, const PolicyDocument& after,
                               const policy::EngineSettings& settings) {
  if (allowed == RemoteEdits::kAllow) return {};
  for (const std::string& agent : agents_of(before, after)) {
    const Meaning old_state = meaning_for(before, agent, settings);
    const Meaning new_state = meaning_for(after, agent, settings);
    if (old_state == new_state) continue;
    const std::string name = agent == kEveryAgent || agent == kNoAgent ? "every agent" : "agent " + agent;
    if (allowed == RemoteEdits::kNone) {
      return refused(
          "this node's owner does not let the gateway edit the policy (exec.remoteEdits is none); it "
          "would change what " +
          name + " may do");
    }
    const std::string what = looser(old_state, new_state);
    if (what.empty()) continue;
    return refused(
        "this node's owner lets the gateway only tighten the policy (exec.remoteEdits is tighten-only); " +
        what + " for " + name + " would loosen it");
  }
  return {};
}

}  // namespace hostclaw::approvals
