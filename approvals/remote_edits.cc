// SPDX-License-Identifier: Apache-2.0
#include "approvals/remote_edits.h"

#include <set>
#include <string>
#include <tuple>

namespace hostclaw::approvals {
namespace {

using policy::PolicyDocument;
using policy::PolicyScalars;
using Entry = std::tuple<std::string, std::string, bool>;  // pattern, argument pattern, allow-always

const std::string kEveryAgent = "*";

// What one agent is allowed: exec contract 5.5.
struct Allowed {
  policy::Security security = policy::Security::kDeny;
  policy::Ask ask = policy::Ask::kAlways;
  policy::Security ask_fallback = policy::Security::kDeny;
  bool skills = false;
  std::set<Entry> entries;

  friend bool operator==(const Allowed&, const Allowed&) = default;
};

void add_entries(const PolicyDocument& document, const std::string& key, std::set<Entry>& entries) {
  const auto found = document.agents.find(key);
  if (found == document.agents.end()) return;
  for (const policy::AllowlistEntry& entry : found->second.allowlist) {
    entries.emplace(entry.pattern, entry.arg_pattern.value_or(""), entry.allow_always);
  }
}

Allowed allowed_for(const PolicyDocument& document, const std::string& agent,
                    const policy::EngineSettings& settings) {
  Allowed allowed;
  if (document.malformed) return allowed;
  // The most specific value wins: agent, every agent, defaults, the owner's settings.
  const auto pick = [&](auto member, auto fallback) {
    for (const std::string& key : {agent, kEveryAgent}) {
      const auto found = document.agents.find(key);
      if (found != document.agents.end() && found->second.scalars.*member)
        return *(found->second.scalars.*member);
    }
    return (document.defaults.*member).value_or(fallback);
  };
  allowed.security = pick(&PolicyScalars::security, settings.fallback_security);
  allowed.ask = pick(&PolicyScalars::ask, settings.fallback_ask);
  allowed.ask_fallback = pick(&PolicyScalars::ask_fallback, settings.fallback_ask_fallback);
  allowed.skills = pick(&PolicyScalars::auto_allow_skills, false);
  add_entries(document, kEveryAgent, allowed.entries);
  add_entries(document, agent, allowed.entries);
  return allowed;
}

// Empty when `after` allows nothing that `before` did not.
std::string looser(const Allowed& before, const Allowed& after) {
  if (after.security > before.security) return "security " + std::string(to_string(after.security));
  // Where nothing may run there is nothing to ask about.
  const bool asks = after.security != policy::Security::kDeny;
  if (asks && after.ask < before.ask) return "ask " + std::string(to_string(after.ask));
  if (after.ask_fallback > before.ask_fallback)
    return "askFallback " + std::string(to_string(after.ask_fallback));
  if (after.skills && !before.skills) return "autoAllowSkills";
  for (const Entry& entry : after.entries) {
    if (before.entries.count(entry) == 0) return "the entry " + std::get<0>(entry);
  }
  return {};
}

// Every agent that one of the documents names, and one that neither does.
std::set<std::string> agents_of(const PolicyDocument& before, const PolicyDocument& after) {
  std::set<std::string> agents = {kEveryAgent};
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
    const Allowed old_state = allowed_for(before, agent, settings);
    const Allowed new_state = allowed_for(after, agent, settings);
    if (old_state == new_state) continue;
    const std::string name = agent == kEveryAgent ? "every agent" : "agent " + agent;
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
