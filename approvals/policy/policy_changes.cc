// SPDX-License-Identifier: Apache-2.0
#include "approvals/policy/policy_changes.h"

#include <map>
#include <string>
#include <tuple>

#include "approvals/platform/random_id.h"
#include "policy/document/document.h"

namespace hostclaw::approvals {
namespace {

constexpr std::size_t kMostMembers = 100;

// Everything about a document that has an effect on a decision.
struct Effects {
  std::map<std::string, std::string> scalars;  // "agents.main.ask" -> "always"
  std::map<std::tuple<std::string, std::string, std::string, bool>, int>
      entries;  // agent, pattern, arguments, granted
};

void add_scalars(const std::string& where, const policy::PolicyScalars& from, Effects& effects) {
  const auto put = [&](const char* name, std::string_view value) {
    effects.scalars[where + "." + name] = value;
  };
  if (from.security) put("security", policy::to_string(*from.security));
  if (from.ask) put("ask", policy::to_string(*from.ask));
  if (from.ask_fallback) put("askFallback", policy::to_string(*from.ask_fallback));
  if (from.auto_allow_skills) put("autoAllowSkills", *from.auto_allow_skills ? "true" : "false");
}

Effects effects_of(std::string_view text) {
  Effects effects;
  if (text.empty()) {
    effects.scalars["document"] = "missing";
    return effects;
  }
  const policy::PolicyDocument document = policy::load_document(text, new_uuid);
  effects.scalars["document"] = document.malformed ? "malformed" : "present";
  if (document.malformed) return effects;
  add_scalars("defaults", document.defaults, effects);
  for (const auto& [agent, agent_policy] : document.agents) {
    add_scalars("agents." + agent, agent_policy.scalars, effects);
    for (const policy::AllowlistEntry& entry : agent_policy.allowlist) {
      ++effects.entries[{agent, entry.pattern, entry.arg_pattern.value_or(""), entry.allow_always}];
    }
  }
  return effects;
}

void push(Json& list, Json member, std::size_t& omitted) {
  if (list.size() < kMostMembers) {
    list.push_back(std::move(member));
  } else {
    ++omitted;
  }
}

// Entries of `from` that `other` does not have.
Json entries_only_in(const Effects& from, const Effects& other, std::size_t& omitted) {
  Json list = Json::array();
  for (const auto& [key, count] : from.entries) {
    const auto found = other.entries.find(key);
    if (found != other.entries.end() && found->second >= count) continue;
    const auto& [agent, pattern, arguments, granted] = key;
    Json member = {{"agent", agent}, {"pattern", pattern}};
    if (!arguments.empty()) member["argPattern"] = arguments;
    if (granted) member["source"] = "allow-always";
    push(list, std::move(member), omitted);
  }
  return list;
}

Json text_or_null(const std::map<std::string, std::string>& scalars, const std::string& where) {
  const auto found = scalars.find(where);
  return found == scalars.end() ? Json() : Json(found->second);
}

Json scalar_changes(const Effects& before, const Effects& after, std::size_t& omitted) {
  std::map<std::string, std::string> all = before.scalars;
  all.insert(after.scalars.begin(), after.scalars.end());
  Json list = Json::array();
  for (const auto& [where, ignored] : all) {
    const Json old_value = text_or_null(before.scalars, where);
    const Json new_value = text_or_null(after.scalars, where);
    if (old_value == new_value) continue;
    push(list, {{"where", where}, {"before", old_value}, {"after", new_value}}, omitted);
  }
  return list;
}

}  // namespace

Json policy_changes(std::string_view before, std::string_view after) {
  const Effects old_effects = effects_of(before);
  const Effects new_effects = effects_of(after);
  std::size_t omitted = 0;
  Json changes = {{"policy", scalar_changes(old_effects, new_effects, omitted)},
                  {"added", entries_only_in(new_effects, old_effects, omitted)},
                  {"removed", entries_only_in(old_effects, new_effects, omitted)}};
  if (omitted > 0) changes["omitted"] = omitted;
  return changes;
}

}  // namespace hostclaw::approvals
