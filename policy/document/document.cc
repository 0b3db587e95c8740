// SPDX-License-Identifier: Apache-2.0
#include "policy/document/document.h"

#include <algorithm>
#include <set>

#include "base/sha256.h"
#include "base/text.h"
#include "policy/document/pattern_index.h"
#include "policy/model/engine_context.h"

namespace hostclaw::policy {
namespace {

constexpr std::string_view kMalformedPrefix = "exec approvals: ";

Error bad_member(const std::string& where, std::string_view what) {
  return make_error("INVALID_REQUEST", std::string(kMalformedPrefix) + where + ": " + std::string(what));
}

std::string member(const std::string& where, std::string_view name) {
  return where.empty() ? std::string(name) : where + "." + std::string(name);
}

std::string element(const std::string& where, std::size_t index) {
  return where + "[" + std::to_string(index) + "]";
}

// Reads one document. Stops at the first member that cannot be trusted.
class Reader {
 public:
  explicit Reader(const IdSource& new_id) : new_id_(new_id) {}

  Result<PolicyDocument> read(const OrderedJson& file) {
    if (!file.is_object()) return make_error("INVALID_REQUEST", "exec approvals file required");
    document_.json = OrderedJson::object();
    document_.json["version"] = 1;
    if (!read_socket(file) || !read_defaults(file) || !read_agents(file)) return error_;
    compile_patterns(document_);
    return std::move(document_);
  }

 private:
  bool fail(const std::string& where, std::string_view what) {
    error_ = bad_member(where, what);
    return false;
  }

  static const OrderedJson* find(const OrderedJson& object, const char* name) {
    const auto it = object.find(name);
    return it == object.end() || it->is_null() ? nullptr : &*it;
  }

  bool read_socket(const OrderedJson& file) {
    const OrderedJson* socket = find(file, "socket");
    if (socket == nullptr) return true;
    if (!socket->is_object()) return fail("socket", "must be an object");
    OrderedJson kept = OrderedJson::object();
    for (const char* name : {"path", "token"}) {
      const OrderedJson* value = find(*socket, name);
      if (value == nullptr) continue;
      if (!value->is_string()) return fail(member("socket", name), "must be a string");
      const std::string text(trim(value->get_ref<const std::string&>()));
      if (!text.empty()) kept[name] = text;
    }
    if (!kept.empty()) document_.json["socket"] = std::move(kept);
    return true;
  }

  template <class Value, class From>
  bool read_enum(const OrderedJson& object, const char* name, const std::string& where, From from,
                 std::string_view allowed, std::optional<Value>& out) {
    const auto it = object.find(name);
    if (it == object.end()) return true;
    const std::string path = member(where, name);
    if (!it->is_string()) return fail(path, "must be one of " + std::string(allowed));
    out = from(trim(it->template get_ref<const std::string&>()));
    return out ? true : fail(path, "must be one of " + std::string(allowed));
  }

  bool read_scalars(const OrderedJson& object, const std::string& where, PolicyScalars& out) {
    constexpr std::string_view kSecurity = "deny, allowlist, full";
    if (!read_enum(object, "security", where, security_from, kSecurity, out.security)) return false;
    if (!read_enum(object, "ask", where, ask_from, "off, on-miss, always", out.ask)) return false;
    if (!read_enum(object, "askFallback", where, security_from, kSecurity, out.ask_fallback)) return false;
    const auto it = object.find("autoAllowSkills");
    if (it == object.end()) return true;
    if (!it->is_boolean()) return fail(member(where, "autoAllowSkills"), "must be true or false");
    out.auto_allow_skills = it->get<bool>();
    return true;
  }

  static void write_scalars(const PolicyScalars& scalars, OrderedJson& out) {
    if (scalars.security) out["security"] = to_string(*scalars.security);
    if (scalars.ask) out["ask"] = to_string(*scalars.ask);
    if (scalars.ask_fallback) out["askFallback"] = to_string(*scalars.ask_fallback);
    if (scalars.auto_allow_skills) out["autoAllowSkills"] = *scalars.auto_allow_skills;
  }

  bool read_defaults(const OrderedJson& file) {
    OrderedJson kept = OrderedJson::object();
    if (const OrderedJson* defaults = find(file, "defaults")) {
      if (!defaults->is_object()) return fail("defaults", "must be an object");
      if (!read_scalars(*defaults, "defaults", document_.defaults)) return false;
      write_scalars(document_.defaults, kept);
    }
    document_.json["defaults"] = std::move(kept);
    return true;
  }

  bool read_agents(const OrderedJson& file) {
    document_.json["agents"] = OrderedJson::object();
    const OrderedJson* agents = find(file, "agents");
    if (agents == nullptr) return true;
    if (!agents->is_object()) return fail("agents", "must be an object");
    OrderedJson merged;
    if (agents->contains("default")) {
      if (!merge_default_agent(*agents, merged)) return false;
      agents = &merged;
    }
    for (const auto& [name, value] : agents->items()) {
      if (name == "__proto__") return fail("agents.__proto__", "is not an agent name");
      if (!read_agent(name, value)) return false;
    }
    return true;
  }

  // Very old documents call the agent `main` `default`. Fields of main win, lists are joined.
  bool merge_default_agent(const OrderedJson& agents, OrderedJson& out) {
    out = OrderedJson::object();
    const OrderedJson& old = agents["default"];
    if (!old.is_object()) return fail("agents.default", "must be an object");
    const auto main = agents.find("main");
    if (main != agents.end() && !main->is_object()) return fail("agents.main", "must be an object");
    OrderedJson joined = main == agents.end() ? OrderedJson::object() : *main;
    for (const auto& [name, value] : old.items()) {
      if (name == "allowlist" && joined.contains("allowlist")) {
        if (!join_allowlists(joined["allowlist"], value)) return false;
      } else if (name == "mcpTools" && joined.contains("mcpTools")) {
        join_mcp_tools(joined["mcpTools"], value);
      } else if (!joined.contains(name)) {
        joined[name] = value;
      }
    }
    bool placed = false;
    for (const auto& [name, value] : agents.items()) {
      if (name == "main" || (name == "default" && main == agents.end())) {
        out["main"] = joined;
        placed = true;
      } else if (name != "default") {
        out[name] = value;
      }
    }
    if (!placed) out["main"] = joined;
    return true;
  }

  bool join_allowlists(OrderedJson& first, const OrderedJson& second) {
    if (!first.is_array()) return fail("agents.main.allowlist", "must be an array");
    if (!second.is_array()) return fail("agents.default.allowlist", "must be an array");
    std::set<std::pair<std::string, std::string>> seen;
    OrderedJson out = OrderedJson::array();
    for (const OrderedJson* list : {static_cast<const OrderedJson*>(&first), &second}) {
      for (const OrderedJson& item : *list) {
        if (seen.insert(merge_key(item)).second) out.push_back(item);
      }
    }
    first = std::move(out);
    return true;
  }

  static std::pair<std::string, std::string> merge_key(const OrderedJson& item) {
    if (item.is_string()) return {to_lower_ascii(trim(item.get_ref<const std::string&>())), ""};
    if (!item.is_object()) return {item.dump(), ""};
    const auto text = [&](const char* name) {
      const auto it = item.find(name);
      return it != item.end() && it->is_string() ? std::string(trim(it->get_ref<const std::string&>())) : "";
    };
    return {to_lower_ascii(text("pattern")), text("argPattern")};
  }

  static void join_mcp_tools(OrderedJson& first, const OrderedJson& second) {
    if (!first.is_array() || !second.is_array()) return;
    for (const OrderedJson& tool : second) {
      const auto same = [&](const OrderedJson& other) {
        return other.is_object() && tool.is_object() &&
               other.value("server", OrderedJson()) == tool.value("server", OrderedJson()) &&
               other.value("tool", OrderedJson()) == tool.value("tool", OrderedJson());
      };
      if (std::none_of(first.begin(), first.end(), same)) first.push_back(tool);
    }
  }

  bool read_agent(const std::string& name, const OrderedJson& value) {
    const std::string where = "agents." + name;
    if (!value.is_object()) return fail(where, "must be an object");
    AgentPolicy policy;
    if (!read_scalars(value, where, policy.scalars)) return false;
    OrderedJson kept = OrderedJson::object();
    for (const auto& [key, item] : value.items()) {
      if (key == "allowlist") {
        OrderedJson list = OrderedJson::array();
        if (!read_allowlist(item, where + ".allowlist", policy, list)) return false;
        kept[key] = std::move(list);
      } else if (key == "mcpTools") {
        if (!item.is_array()) return fail(where + ".mcpTools", "must be an array");
        kept[key] = item;
      } else if (item.is_string() && (key == "security" || key == "ask" || key == "askFallback")) {
        kept[key] = trim(item.get_ref<const std::string&>());
      } else {
        kept[key] = item;
      }
    }
    document_.json["agents"][name] = std::move(kept);
    document_.agents[name] = std::move(policy);
    return true;
  }

  bool read_allowlist(const OrderedJson& list, const std::string& where, AgentPolicy& policy,
                      OrderedJson& out) {
    if (!list.is_array()) return fail(where, "must be an array");
    policy.allowlist.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      AllowlistEntry entry;
      OrderedJson kept = OrderedJson::object();
      if (!read_entry(list[i], element(where, i), entry, kept)) return false;
      policy.allowlist.push_back(std::move(entry));
      out.push_back(std::move(kept));
    }
    return true;
  }

  bool read_entry(const OrderedJson& item, const std::string& where, AllowlistEntry& entry,
                  OrderedJson& kept) {
    if (item.is_string()) {
      entry.pattern = trim(item.get_ref<const std::string&>());
      if (entry.pattern.empty()) return fail(where, "must not be blank");
      entry.id = new_id_();
      kept["pattern"] = entry.pattern;
      kept["id"] = entry.id;
      return true;
    }
    if (!item.is_object()) return fail(where, "must be a pattern or an object with one");
    kept = item;
    kept.erase("commandText");
    if (!read_pattern(item, where, entry)) return false;
    if (!read_text(item, "id", where, entry.id)) return false;
    if (trim(entry.id).empty()) {
      entry.id = new_id_();
      kept["id"] = entry.id;
    }
    if (!read_source(item, where, entry)) return false;
    if (!read_text(item, "lastUsedCommand", where, entry.last_used_command)) return false;
    if (!read_text(item, "lastResolvedPath", where, entry.last_resolved_path)) return false;
    return read_last_used(item, where, entry);
  }

  bool read_pattern(const OrderedJson& item, const std::string& where, AllowlistEntry& entry) {
    const auto pattern = item.find("pattern");
    if (pattern == item.end() || !pattern->is_string() ||
        trim(pattern->get_ref<const std::string&>()).empty()) {
      return fail(where + ".pattern", "must be a non-empty string");
    }
    entry.pattern = pattern->get<std::string>();
    const auto arguments = item.find("argPattern");
    if (arguments == item.end()) return true;
    if (!arguments->is_string()) return fail(where + ".argPattern", "must be a string");
    entry.arg_pattern = arguments->get<std::string>();
    return true;
  }

  bool read_source(const OrderedJson& item, const std::string& where, AllowlistEntry& entry) {
    const auto source = item.find("source");
    if (source == item.end()) return true;
    if (!source->is_string() || source->get_ref<const std::string&>() != "allow-always") {
      return fail(where + ".source", "must be allow-always or absent");
    }
    entry.allow_always = true;
    return true;
  }

  bool read_text(const OrderedJson& item, const char* name, const std::string& where, std::string& out) {
    const auto it = item.find(name);
    if (it == item.end()) return true;
    if (!it->is_string()) return fail(where + "." + name, "must be a string");
    out = it->get<std::string>();
    return true;
  }

  bool read_last_used(const OrderedJson& item, const std::string& where, AllowlistEntry& entry) {
    const auto it = item.find("lastUsedAt");
    if (it == item.end()) return true;
    if (!it->is_number()) return fail(where + ".lastUsedAt", "must be a number of milliseconds");
    const double value = it->get<double>();
    if (!(value >= 0 && value <= 9007199254740991.0)) return fail(where + ".lastUsedAt", "is out of range");
    entry.last_used_at_ms = static_cast<std::int64_t>(value);
    return true;
  }

  const IdSource& new_id_;
  PolicyDocument document_;
  Error error_;
};

}  // namespace

namespace {

void leave_out_unknown_words(OrderedJson& object) {
  const auto check = [&](const char* name, auto from) {
    const auto it = object.find(name);
    if (it != object.end() && !(it->is_string() && from(trim(it->template get_ref<const std::string&>())))) {
      object.erase(name);
    }
  };
  check("security", security_from);
  check("ask", ask_from);
  check("askFallback", security_from);
}

bool has_pattern(const OrderedJson& item) {
  if (item.is_string()) return !trim(item.get_ref<const std::string&>()).empty();
  if (!item.is_object()) return false;
  const auto pattern = item.find("pattern");
  return pattern != item.end() && pattern->is_string() &&
         !trim(pattern->get_ref<const std::string&>()).empty();
}

void leave_out_bad_entries(OrderedJson& agent) {
  const auto list = agent.find("allowlist");
  if (list == agent.end()) return;
  OrderedJson kept = OrderedJson::array();
  if (list->is_array()) {
    for (const OrderedJson& item : *list) {
      if (!has_pattern(item)) continue;
      kept.push_back(item);
      const auto source = item.is_object() ? item.find("source") : item.end();
      const bool manual =
          item.is_object() && source != item.end() && source->is_string() && *source != "allow-always";
      if (manual) kept.back().erase("source");
    }
  }
  *list = std::move(kept);
}

}  // namespace

OrderedJson tolerated_document(const OrderedJson& file) {
  OrderedJson out = file;
  if (!out.is_object()) return out;
  if (const auto defaults = out.find("defaults"); defaults != out.end()) {
    if (defaults->is_object()) {
      leave_out_unknown_words(*defaults);
    } else {
      *defaults = OrderedJson::object();
    }
  }
  const auto agents = out.find("agents");
  if (agents == out.end() || !agents->is_object()) return out;
  for (auto& [name, agent] : agents->items()) {
    if (!agent.is_object()) continue;
    leave_out_unknown_words(agent);
    leave_out_bad_entries(agent);
  }
  return out;
}

Result<PolicyDocument> read_document(const OrderedJson& file, const IdSource& new_id) {
  return Reader(new_id).read(file);
}

PolicyDocument load_document(std::string_view raw_text, const IdSource& new_id) {
  Result<OrderedJson> json = parse_ordered_json(raw_text);
  if (!json) return deny_all_document(json.error().message);
  Result<PolicyDocument> document = read_document(*json, new_id);
  if (!document) return deny_all_document(document.error().message);
  return std::move(*document);
}

PolicyDocument deny_all_document(std::string reason) {
  PolicyDocument out;
  out.malformed = true;
  out.malformed_reason = std::move(reason);
  out.defaults = {Security::kDeny, Ask::kOff, Security::kDeny, false};
  out.json = {{"version", 1},
              {"defaults",
               {{"security", "deny"}, {"ask", "off"}, {"askFallback", "deny"}, {"autoAllowSkills", false}}},
              {"agents", OrderedJson::object()}};
  compile_patterns(out);
  return out;
}

PolicyDocument fresh_document() {
  PolicyDocument out;
  out.defaults = {Security::kAllowlist, Ask::kOnMiss, Security::kDeny, std::nullopt};
  out.json = {{"version", 1},
              {"defaults", {{"security", "allowlist"}, {"ask", "on-miss"}, {"askFallback", "deny"}}},
              {"agents", OrderedJson::object()}};
  compile_patterns(out);
  return out;
}

std::string serialize_document(const PolicyDocument& document) {
  return document.json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

std::string document_hash(std::string_view stored_text) { return sha256_hex(stored_text); }

std::string missing_document_hash() { return "missing:" + sha256_hex(""); }

OrderedJson redacted_document(const PolicyDocument& document) {
  OrderedJson out = document.json;
  const auto socket = out.find("socket");
  if (socket == out.end() || !socket->is_object()) return out;
  socket->erase("token");
  if (socket->empty()) out.erase("socket");
  return out;
}

}  // namespace hostclaw::policy
