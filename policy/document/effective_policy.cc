// SPDX-License-Identifier: Apache-2.0
#include "policy/document/effective_policy.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace hostclaw::policy {
namespace {

// A value and where it came from.
template <class Value>
struct Sourced {
  Value value;
  std::string source;
};

template <class Value>
Sourced<Value> pick(const PolicyDocument& document, const std::string& agent_key,
                    std::optional<Value> PolicyScalars::*field, Value fallback) {
  for (const std::string& key : {agent_key, std::string("*")}) {
    const auto it = document.agents.find(key);
    if (it != document.agents.end() && it->second.scalars.*field) {
      return {*(it->second.scalars.*field), "agents." + key};
    }
  }
  if (document.defaults.*field) return {*(document.defaults.*field), "defaults"};
  return {fallback, "the node's setting"};
}

// Upstream looks an absent agentId up under this key, which normalisation has emptied.
constexpr const char* kNoAgentKey = "default";

template <class Value, class Stricter>
Sourced<Value> strictest(const PolicyDocument& document, std::optional<Value> PolicyScalars::*field,
                         Value fallback, Stricter stricter) {
  Sourced<Value> best = pick(document, kNoAgentKey, field, fallback);
  for (const auto& [key, agent] : document.agents) {
    Sourced<Value> other = pick(document, key, field, fallback);
    if (stricter(other.value, best.value)) best = std::move(other);
  }
  return best;
}

using SnapshotRule = std::tuple<std::string, std::optional<std::string>, std::optional<std::string>>;

std::set<SnapshotRule> rules_of(const EffectivePolicy& policy) {
  std::set<SnapshotRule> out;
  for (const AgentList& list : policy.lists) {
    for (const AllowlistEntry& entry : *list.entries) {
      out.insert({entry.pattern, entry.arg_pattern,
                  entry.allow_always ? std::optional<std::string>("allow-always") : std::nullopt});
    }
  }
  return out;
}

std::optional<std::string> text_of(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? std::optional<std::string>(it->get<std::string>())
                                               : std::nullopt;
}

}  // namespace

EffectivePolicy resolve_policy(const PolicyDocument& document, const std::string& agent_id,
                               const EngineSettings& settings, Platform platform) {
  EffectivePolicy out;
  const auto scalar = [&](auto field, auto fallback, auto stricter) {
    if (agent_id.empty() && settings.strictness == Strictness::kHardened) {
      return strictest(document, field, fallback, stricter);
    }
    return pick(document, agent_id.empty() ? std::string(kNoAgentKey) : agent_id, field, fallback);
  };
  const auto lower = [](auto left, auto right) { return left < right; };
  const auto higher = [](auto left, auto right) { return left > right; };

  const auto security = scalar(&PolicyScalars::security, settings.fallback_security, lower);
  const auto ask = scalar(&PolicyScalars::ask, settings.fallback_ask, higher);
  out.security = std::min(security.value, settings.security_limit);
  out.security_source = out.security == security.value ? security.source : "the node owner's limit";
  out.ask = std::max(ask.value, settings.ask_floor);
  out.ask_source = out.ask == ask.value ? ask.source : "the node owner's limit";
  out.ask_fallback = scalar(&PolicyScalars::ask_fallback, settings.fallback_ask_fallback, lower).value;
  out.auto_allow_skills = scalar(&PolicyScalars::auto_allow_skills, false, lower).value;
  out.document_security = scalar(&PolicyScalars::security, Security::kFull, lower).value;
  out.document_ask = scalar(&PolicyScalars::ask, Ask::kOff, higher).value;

  out.compiled = document.compiled;
  const auto fresh = [&] {
    if (!out.compiled || out.compiled->platform != platform) return false;
    return std::all_of(document.agents.begin(), document.agents.end(), [&](const auto& item) {
      const auto it = out.compiled->agents.find(item.first);
      return it != out.compiled->agents.end() && it->second.size() == item.second.allowlist.size();
    });
  };
  if (!fresh()) {
    auto compiled = std::make_shared<CompiledPatterns>();
    compiled->platform = platform;
    for (const auto& [key, agent] : document.agents) {
      compiled->agents.emplace(key, PatternIndex(agent.allowlist, platform));
    }
    out.compiled = std::move(compiled);
  }
  for (const std::string& key : {std::string("*"), agent_id.empty() ? std::string(kNoAgentKey) : agent_id}) {
    const auto it = document.agents.find(key);
    if (it == document.agents.end() || it->second.allowlist.empty()) continue;
    if (!out.lists.empty() && out.lists.back().agent == key) continue;
    out.lists.push_back({key, &it->second.allowlist, &out.compiled->agents.at(key)});
  }
  return out;
}

Json policy_snapshot(const EffectivePolicy& policy) {
  Json rules = Json::array();
  for (const auto& [pattern, arguments, source] : rules_of(policy)) {
    Json rule = {{"pattern", pattern}};
    if (arguments) rule["argPattern"] = *arguments;
    if (source) rule["source"] = *source;
    rules.push_back(std::move(rule));
  }
  return {{"security", to_string(policy.document_security)},
          {"ask", to_string(policy.document_ask)},
          {"askFallback", to_string(policy.ask_fallback)},
          {"autoAllowSkills", policy.auto_allow_skills},
          {"allowlistRules", std::move(rules)}};
}

bool is_policy_snapshot(const Json& value) {
  if (!value.is_object()) return false;
  const auto text = [&](const char* name) { return text_of(value, name).value_or(""); };
  if (!security_from(text("security")) || !ask_from(text("ask")) || !security_from(text("askFallback")))
    return false;
  const auto skills = value.find("autoAllowSkills");
  const auto rules = value.find("allowlistRules");
  if (skills == value.end() || !skills->is_boolean() || rules == value.end() || !rules->is_array())
    return false;
  return std::all_of(rules->begin(), rules->end(), [](const Json& rule) {
    if (!rule.is_object() || !text_of(rule, "pattern")) return false;
    const auto arguments = rule.find("argPattern");
    if (arguments != rule.end() && !arguments->is_string()) return false;
    const auto source = rule.find("source");
    return source == rule.end() ||
           (source->is_string() && source->get_ref<const std::string&>() == "allow-always");
  });
}

bool is_snapshot_current(const Json& expected, const EffectivePolicy& policy) {
  if (!is_policy_snapshot(expected)) return false;
  if (expected["security"] != to_string(policy.document_security) ||
      expected["ask"] != to_string(policy.document_ask) ||
      expected["askFallback"] != to_string(policy.ask_fallback) ||
      expected["autoAllowSkills"] != policy.auto_allow_skills) {
    return false;
  }
  const std::set<SnapshotRule> rules = rules_of(policy);
  const Json& wanted = expected["allowlistRules"];
  return std::all_of(wanted.begin(), wanted.end(), [&](const Json& rule) {
    const std::string pattern = rule["pattern"].get<std::string>();
    const auto arguments = text_of(rule, "argPattern");
    return rules.contains({pattern, arguments, text_of(rule, "source")}) ||
           rules.contains({pattern, arguments, std::string("allow-always")});
  });
}

Json resolved_defaults(const PolicyDocument& document, const EngineSettings& settings) {
  const PolicyScalars& defaults = document.defaults;
  return {{"security", to_string(std::min(defaults.security.value_or(settings.fallback_security),
                                          settings.security_limit))},
          {"ask", to_string(std::max(defaults.ask.value_or(settings.fallback_ask), settings.ask_floor))},
          {"askFallback", to_string(defaults.ask_fallback.value_or(settings.fallback_ask_fallback))},
          {"autoAllowSkills", defaults.auto_allow_skills.value_or(false)}};
}

}  // namespace hostclaw::policy
