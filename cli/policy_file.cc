// SPDX-License-Identifier: Apache-2.0
#include "cli/policy_file.h"

#include <algorithm>
#include <set>

#include "approvals/policy/policy_cache.h"
#include "approvals/policy/rule_store.h"
#include "approvals/store/settings.h"
#include "cli/command_line.h"
#include "cli/verb_policy.h"
#include "node-host/doors/gateway/exec_approvals.h"
#include "policy/document/document.h"

namespace hostclaw::cli {
namespace {

using policy::Rule;

constexpr std::string_view kSettingPrefix = "exec.";

Error invalid_file(const std::string& member, const std::string& what) {
  return make_error("POLICY_FILE_INVALID", member + ": " + what);
}

// ---- reading

Result<std::vector<Rule>> read_rules_member(const Json& value) {
  if (!value.is_array()) return invalid_file("rules", "must be an array");
  std::vector<Rule> rules;
  std::set<std::string> ids;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string where = "rules[" + std::to_string(i) + "]";
    Result<Rule> rule = policy::read_rule(value[i]);
    if (!rule) return make_error(rule.error().code, where + ": " + rule.error().message);
    if (rule->id.empty()) return invalid_file(where, "id is missing");
    if (!ids.insert(rule->id).second) return invalid_file(where, "id " + rule->id + " is given twice");
    if (auto verified = policy::verify_rule(*rule); !verified) return verified.error();
    rules.push_back(std::move(*rule));
  }
  return rules;
}

Result<std::map<std::string, Json>> read_settings_member(const Json& value) {
  if (!value.is_object()) return invalid_file("settings", "must be an object");
  std::map<std::string, Json> out;
  for (const auto& [key, item] : value.items()) {
    if (auto checked = approvals::check_exec_setting(key, item); !checked) return checked.error();
    out[key] = item;
  }
  return out;
}

bool is_policy_word(const std::string& name, const Json& value) {
  if (name == "autoAllowSkills") return value.is_boolean();
  if (!value.is_string()) return false;
  const std::string text = value.get<std::string>();
  if (name == "ask") return policy::ask_from(text).has_value();
  return (name == "security" || name == "askFallback") && policy::security_from(text).has_value();
}

Result<void> check_entries(const std::string& where, const Json& list) {
  if (!list.is_array()) return invalid_file(where, "must be an array");
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Json& entry = list[i];
    const std::string at = where + "[" + std::to_string(i) + "]";
    if (!entry.is_object() || !entry.contains("pattern")) return invalid_file(at, "needs a pattern");
    for (const auto& [name, value] : entry.items()) {
      if ((name != "pattern" && name != "argPattern") || !value.is_string())
        return invalid_file(at, "pattern and argPattern are its members, both texts");
    }
  }
  return {};
}

Result<void> check_scalars(const std::string& where, const Json& value, bool with_list) {
  if (!value.is_object()) return invalid_file(where, "must be an object");
  for (const auto& [name, item] : value.items()) {
    if (with_list && name == "allowlist") {
      if (auto checked = check_entries(where + ".allowlist", item); !checked) return checked;
    } else if (!is_policy_word(name, item)) {
      return invalid_file(where + "." + name, "is not known, or has a value that it cannot have");
    }
  }
  return {};
}

// ---- what is stored

Json scalars_json(const policy::PolicyScalars& from) {
  Json out = Json::object();
  if (from.security) out["security"] = policy::to_string(*from.security);
  if (from.ask) out["ask"] = policy::to_string(*from.ask);
  if (from.ask_fallback) out["askFallback"] = policy::to_string(*from.ask_fallback);
  if (from.auto_allow_skills) out["autoAllowSkills"] = *from.auto_allow_skills;
  return out;
}

Json agents_json(const policy::PolicyDocument& document) {
  Json out = Json::object();
  for (const auto& [agent, its] : document.agents) {
    Json item = scalars_json(its.scalars);
    for (const policy::AllowlistEntry& entry : its.allowlist) {
      if (entry.allow_always) continue;
      Json member = {{"pattern", entry.pattern}};
      if (entry.arg_pattern) member["argPattern"] = *entry.arg_pattern;
      item["allowlist"].push_back(std::move(member));
    }
    if (!item.empty()) out[agent] = std::move(item);
  }
  return out;
}

// ---- differences

std::string short_text(const Json& value) { return value.is_null() ? "not set" : dump_json(value); }

void compare_members(const std::string& where, const Json& stored, const Json& wanted,
                     std::vector<std::string>& out) {
  std::set<std::string> names;
  for (const Json* side : {&stored, &wanted}) {
    for (const auto& [name, item] : side->items()) names.insert(name);
  }
  for (const std::string& name : names) {
    if (name == "allowlist") continue;
    const Json before = stored.value(name, Json());
    const Json after = wanted.value(name, Json());
    if (before != after)
      out.push_back("~ " + where + name + ": " + short_text(before) + " -> " + short_text(after));
  }
}

std::string entry_text(const Json& entry) {
  std::string out = entry.value("pattern", "");
  if (entry.contains("argPattern")) out += "  args " + entry.value("argPattern", "");
  return out;
}

void compare_lists(const std::string& agent, const Json& stored, const Json& wanted,
                   std::vector<std::string>& out) {
  const auto missing = [&](const char* sign, const Json& from, const Json& in) {
    for (const Json& entry : from) {
      if (std::find(in.begin(), in.end(), entry) == in.end())
        out.push_back(std::string(sign) + " agent " + agent + " may run " + entry_text(entry));
    }
  };
  missing("-", stored, wanted);
  missing("+", wanted, stored);
}

void compare_agents(const Json& stored, const Json& wanted, std::vector<std::string>& out) {
  std::set<std::string> names;
  for (const Json* side : {&stored, &wanted}) {
    for (const auto& [name, item] : side->items()) names.insert(name);
  }
  for (const std::string& agent : names) {
    const Json before = stored.value(agent, Json::object());
    const Json after = wanted.value(agent, Json::object());
    compare_members("agent " + agent + " ", before, after, out);
    compare_lists(agent, before.value("allowlist", Json::array()), after.value("allowlist", Json::array()),
                  out);
  }
}

// Members by which two rules of one id differ: where their lines look alike, these say what is new.
std::string differing_members(const Rule& left, const Rule& right) {
  const Json before = policy::rule_to_json(left);
  const Json after = policy::rule_to_json(right);
  std::string out;
  for (const Json* side : {&before, &after}) {
    for (const auto& [name, value] : side->items()) {
      const bool known = (", " + out + ",").find(", " + name + ",") != std::string::npos;
      if (!known && before.value(name, Json()) != after.value(name, Json()))
        out += (out.empty() ? "" : ", ") + name;
    }
  }
  return out;
}

void compare_rules(const std::vector<Rule>& stored, const std::vector<Rule>& wanted,
                   std::vector<std::string>& out) {
  const auto find = [](const std::vector<Rule>& rules, const std::string& id) {
    const auto it = std::find_if(rules.begin(), rules.end(), [&](const Rule& rule) { return rule.id == id; });
    return it == rules.end() ? nullptr : &*it;
  };
  for (const Rule& rule : stored) {
    if (find(wanted, rule.id) == nullptr) out.push_back("- " + rule_line(rule));
  }
  for (const Rule& rule : wanted) {
    const Rule* before = find(stored, rule.id);
    if (before == nullptr) {
      out.push_back("+ " + rule_line(rule));
    } else if (policy::rule_to_json(*before) != policy::rule_to_json(rule)) {
      out.push_back("- " + rule_line(*before));
      out.push_back("+ " + rule_line(rule) + "  (" + differing_members(*before, rule) + ")");
    }
  }
}

// ---- applying

void set_scalars(OrderedJson& target, const Json& wanted) {
  if (!target.is_object()) target = OrderedJson::object();
  for (const char* name : {"security", "ask", "askFallback", "autoAllowSkills"}) {
    if (wanted.contains(name)) {
      target[name] = OrderedJson::parse(dump_json(wanted[name]));
    } else {
      target.erase(name);
    }
  }
}

bool is_grant(const OrderedJson& entry) {
  return entry.is_object() && entry.value("source", OrderedJson()) == "allow-always";
}

// Entries that stay keep their ids and what is known of their use.
OrderedJson list_with(const OrderedJson& stored, const Json& wanted) {
  OrderedJson out = OrderedJson::array();
  for (const Json& entry : wanted) {
    const auto same = [&](const OrderedJson& item) {
      if (!item.is_object() || is_grant(item)) return false;
      const auto text = [](const auto& object, const char* name) {
        return object.value(name, std::string());
      };
      return text(item, "pattern") == text(entry, "pattern") &&
             text(item, "argPattern") == text(entry, "argPattern");
    };
    const auto found = std::find_if(stored.begin(), stored.end(), same);
    out.push_back(found != stored.end() ? *found : OrderedJson::parse(dump_json(entry)));
  }
  for (const OrderedJson& item : stored) {
    if (is_grant(item)) out.push_back(item);
  }
  return out;
}

void set_agents(OrderedJson& document, const Json& wanted) {
  OrderedJson& agents = document["agents"];
  if (!agents.is_object()) agents = OrderedJson::object();
  std::set<std::string> names;
  for (const auto& [name, item] : agents.items()) names.insert(name);
  for (const auto& [name, item] : wanted.items()) names.insert(name);
  for (const std::string& name : names) {
    const Json its = wanted.value(name, Json::object());
    OrderedJson& agent = agents[name];
    set_scalars(agent, its);
    agent["allowlist"] =
        list_with(agent.value("allowlist", OrderedJson::array()), its.value("allowlist", Json::array()));
    if (agent["allowlist"].empty()) agent.erase("allowlist");
    if (agent.empty()) agents.erase(name);
  }
}

Result<void> apply_settings(approvals::Store& store, const std::map<std::string, Json>& wanted) {
  const auto stored = store.settings();
  if (!stored) return stored.error();
  for (const auto& [key, value] : *stored) {
    if (!key.starts_with(kSettingPrefix) || wanted.contains(key)) continue;
    if (auto removed = approvals::remove_exec_setting(store, key, local_actor()); !removed) return removed;
  }
  for (const auto& [key, value] : wanted) {
    const auto before = stored->find(key);
    if (before != stored->end() && before->second == value) continue;
    if (auto written = approvals::put_exec_setting(store, key, value, local_actor()); !written)
      return written;
  }
  return {};
}

Result<void> apply_document(approvals::Store& store, const PolicyFile& wanted) {
  approvals::PolicyCache cache;
  const auto edited = node_host::edit_approvals(
      store, cache,
      [&](OrderedJson& json) {
        if (wanted.defaults) set_scalars(json["defaults"], *wanted.defaults);
        if (wanted.agents) set_agents(json, *wanted.agents);
      },
      local_actor());
  if (!edited) return edited.error();
  return {};
}

}  // namespace

Result<PolicyFile> read_policy_file(const std::string& text) {
  const auto json = parse_json(text);
  if (!json) return json.error();
  if (!json->is_object())
    return invalid_file("the file", "must be a JSON object, as `hostclaw policy export` writes it");
  PolicyFile out;
  for (const auto& [name, value] : json->items()) {
    if (name == "version") {
      if (value != Json(1)) return invalid_file("version", "must be 1");
    } else if (name == "rules") {
      auto rules = read_rules_member(value);
      if (!rules) return rules.error();
      out.rules = std::move(*rules);
    } else if (name == "starter") {
      if (!value.is_boolean()) return invalid_file("starter", "must be true or false");
      out.starter = value.get<bool>();
    } else if (name == "settings") {
      auto settings = read_settings_member(value);
      if (!settings) return settings.error();
      out.settings = std::move(*settings);
    } else if (name == "defaults") {
      if (auto checked = check_scalars(name, value, false); !checked) return checked.error();
      out.defaults = value;
    } else if (name == "agents") {
      if (!value.is_object()) return invalid_file(name, "must be an object");
      for (const auto& [agent, its] : value.items()) {
        if (auto checked = check_scalars("agents." + agent, its, true); !checked) return checked.error();
      }
      out.agents = value;
    } else if (name != "tests") {
      return invalid_file(name, "is not a member of a policy file");
    }
  }
  if (!json->contains("version")) return invalid_file("version", "is missing");
  return out;
}

Json to_json(const PolicyFile& file) {
  Json out = {{"version", 1}};
  if (file.rules) {
    out["rules"] = Json::array();
    for (const Rule& rule : *file.rules) out["rules"].push_back(policy::rule_to_json(rule));
  }
  if (file.starter) out["starter"] = *file.starter;
  if (file.settings) out["settings"] = *file.settings;
  if (file.defaults) out["defaults"] = *file.defaults;
  if (file.agents) out["agents"] = *file.agents;
  return out;
}

Result<PolicyFile> stored_policy(approvals::Store* store) {
  PolicyFile out;
  out.rules.emplace();
  out.starter = false;
  out.settings.emplace();
  if (store == nullptr) {
    const policy::PolicyDocument fresh = policy::fresh_document();
    out.defaults = scalars_json(fresh.defaults);
    out.agents = agents_json(fresh);
    return out;
  }
  auto rules = approvals::stored_rules(*store);
  if (!rules) return rules.error();
  for (approvals::StoredRule& stored : *rules) {
    if (stored.source == approvals::RuleSource::kStarter) {
      out.starter = true;
    } else {
      out.rules->push_back(std::move(stored.rule));
    }
  }
  const auto settings = store->settings();
  if (!settings) return settings.error();
  for (const auto& [key, value] : *settings) {
    if (key.starts_with(kSettingPrefix)) (*out.settings)[key] = value;
  }
  approvals::PolicyCache cache;
  const auto document = cache.current(*store);
  if (document->malformed) {
    return make_error("DOCUMENT_MALFORMED",
                      "the stored approvals document is malformed: " + document->malformed_reason,
                      "hostclaw approvals set FILE");
  }
  out.defaults = scalars_json(document->defaults);
  out.agents = agents_json(*document);
  return out;
}

std::vector<std::string> policy_difference(const PolicyFile& stored, const PolicyFile& wanted) {
  std::vector<std::string> out;
  if (wanted.rules) compare_rules(*stored.rules, *wanted.rules, out);
  if (wanted.starter && stored.starter != wanted.starter)
    out.push_back(*wanted.starter ? "+ the starter rules" : "- the starter rules");
  if (wanted.settings) compare_members("", Json(*stored.settings), Json(*wanted.settings), out);
  if (wanted.defaults) compare_members("defaults ", *stored.defaults, *wanted.defaults, out);
  if (wanted.agents) compare_agents(*stored.agents, *wanted.agents, out);
  return out;
}

Result<void> apply_policy(approvals::Store& store, const PolicyFile& wanted) {
  return store.transaction([&]() -> Result<void> {
    if (wanted.rules) {
      auto ids = approvals::put_rules(store, *wanted.rules, approvals::PutRules::kReplace, local_actor());
      if (!ids) return ids.error();
    }
    if (wanted.starter) {
      auto count = approvals::switch_starter_rules(store, *wanted.starter, local_actor());
      if (!count) return count.error();
    }
    if (wanted.settings) {
      if (auto applied = apply_settings(store, *wanted.settings); !applied) return applied;
    }
    return wanted.defaults || wanted.agents ? apply_document(store, wanted) : Result<void>();
  });
}

}  // namespace hostclaw::cli
