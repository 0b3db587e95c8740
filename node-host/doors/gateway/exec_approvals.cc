// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/exec_approvals.h"

#include <algorithm>

#include "approvals/platform/private_files.h"
#include "approvals/policy/remote_edits.h"
#include "approvals/store/settings.h"
#include "base/sha256.h"
#include "base/text.h"
#include "node-host/loop/uuid.h"
#include "policy/document/document.h"

namespace hostclaw::node_host {
namespace {

Error invalid_document(const std::string& message) {
  return make_error("INVALID_REQUEST", "Error: INVALID_REQUEST: " + message);
}

Result<OrderedJson> snapshot_of(approvals::Store& store, approvals::PolicyCache& cache) {
  // A policy that cannot be read must not look like one that denies everything.
  if (const auto usable = store.usable(); !usable) return usable.error();
  const approvals::PolicySnapshot current = cache.snapshot(store);
  OrderedJson file = policy::redacted_document(*current.document);
  return OrderedJson{{"path", store.path() + "#policy_document"},
                     {"exists", current.exists},
                     {"hash", current.hash},
                     {"file", std::move(file)}};
}

// The socket belongs to OpenClaw's companion apps: kept as it is when the sender does not name one.
void keep_socket(OrderedJson& file, const OrderedJson& current) {
  const auto mine = current.find("socket");
  if (mine == current.end() || !mine->is_object()) return;
  OrderedJson& theirs = file["socket"];
  if (!theirs.is_object()) theirs = OrderedJson::object();
  for (const auto& [key, value] : mine->items()) {
    if (!theirs.contains(key)) theirs[key] = value;
  }
}

std::string text_of(const OrderedJson& entry, const char* name) {
  const auto it = entry.find(name);
  return it != entry.end() && it->is_string() ? it->get<std::string>() : std::string();
}

bool same_grant(const OrderedJson& left, const OrderedJson& right) {
  if (!left.is_object() || !right.is_object()) return false;
  for (const char* name : {"source", "pattern", "argPattern"}) {
    if (text_of(left, name) != text_of(right, name)) return false;
  }
  return true;
}

// Whether the stored document holds such a grant for this agent.
bool is_stored(const OrderedJson& current, const std::string& agent, const OrderedJson& entry) {
  if (!current.is_object() || !current.contains("agents") || !current["agents"].is_object()) return false;
  const auto found = current["agents"].find(agent);
  if (found == current["agents"].end() || !found->is_object() || !found->contains("allowlist")) return false;
  const OrderedJson& list = (*found)["allowlist"];
  return list.is_array() && std::any_of(list.begin(), list.end(),
                                        [&](const OrderedJson& stored) { return same_grant(stored, entry); });
}

bool was_shown(const OrderedJson& entry, const std::vector<policy::GrantToStore>& shown) {
  if (!entry.is_object() || text_of(entry, "source") != "allow-always") return false;
  return std::any_of(shown.begin(), shown.end(), [&](const policy::GrantToStore& marker) {
    return marker.pattern == text_of(entry, "pattern") &&
           marker.arg_pattern.value_or("") == text_of(entry, "argPattern");
  });
}

// What was only shown comes back with a client's edit; a grant that a person gave is stored as well and
// stays.
void drop_shown_only(OrderedJson& file, const OrderedJson& current,
                     const std::vector<policy::GrantToStore>& shown) {
  const auto agents = file.find("agents");
  if (shown.empty() || agents == file.end() || !agents->is_object()) return;
  for (auto& [id, agent] : agents->items()) {
    if (!agent.is_object() || !agent.contains("allowlist") || !agent["allowlist"].is_array()) continue;
    OrderedJson kept = OrderedJson::array();
    for (OrderedJson& entry : agent["allowlist"]) {
      if (!was_shown(entry, shown) || is_stored(current, id, entry)) kept.push_back(std::move(entry));
    }
    agent["allowlist"] = std::move(kept);
  }
}

// Reads, edits and writes under compare-and-swap, so that an edit made meanwhile is never lost.
template <class Edit>
Result<OrderedJson> edit_document(approvals::Store& store, approvals::PolicyCache& cache,
                                  const approvals::Actor& actor, Edit edit) {
  constexpr int kTries = 8;
  for (int attempt = 1;; ++attempt) {
    const approvals::PolicySnapshot current = cache.snapshot(store);
    const auto& document = current.document;
    if (document->malformed) {
      return make_error("DOCUMENT_MALFORMED",
                        "the stored approvals document is malformed: " + document->malformed_reason,
                        "hostclaw approvals set FILE");
    }
    OrderedJson json = document->json;
    if (Result<void> edited = edit(json); !edited) return edited.error();
    auto read = policy::read_document(json, new_uuid);
    if (!read) return read.error();
    auto written = store.put_document(policy::serialize_document(*read), current.hash, actor);
    if (written) return snapshot_of(store, cache);
    if (written.error().code != "STORE_CONFLICT" || attempt == kTries) return written.error();
  }
}

bool same_entry(const OrderedJson& entry, const std::string& pattern,
                const std::optional<std::string>& arg_pattern, bool any_arguments) {
  if (entry.is_string()) return entry.get<std::string>() == pattern && (any_arguments || !arg_pattern);
  if (!entry.is_object()) return false;
  const auto its = entry.find("pattern");
  if (its == entry.end() || !its->is_string() || trim(its->get_ref<const std::string&>()) != pattern)
    return false;
  if (any_arguments) return true;
  const auto arguments = entry.find("argPattern");
  const std::string value =
      arguments != entry.end() && arguments->is_string() ? arguments->get<std::string>() : std::string();
  return value == arg_pattern.value_or("");
}

OrderedJson entries_of(const OrderedJson& document, const std::string& agent) {
  const auto agents = document.find("agents");
  if (agents == document.end() || !agents->is_object() || !agents->contains(agent))
    return OrderedJson::array();
  const OrderedJson list = (*agents)[agent].value("allowlist", OrderedJson::array());
  return list.is_array() ? list : OrderedJson::array();
}

std::string agent_called(const std::string& agent) {
  return agent == "*" ? std::string("the list of every agent (*)") : "the list of agent " + agent;
}

// Names the agent that has it, or has it with other arguments.
Error no_such_entry(const OrderedJson& document, const std::string& agent, const std::string& pattern,
                    const std::optional<std::string>& arg_pattern) {
  const auto holds = [&](const std::string& id, bool any_arguments) {
    const OrderedJson list = entries_of(document, id);
    return std::any_of(list.begin(), list.end(), [&](const OrderedJson& entry) {
      return same_entry(entry, pattern, arg_pattern, any_arguments);
    });
  };
  std::string message = agent_called(agent) + " has no entry " + pattern;
  if (arg_pattern) message += " with this argument pattern";
  if (arg_pattern && holds(agent, true)) {
    return make_error("ENTRY_NOT_FOUND", message + "; it has one with other arguments",
                      "hostclaw approvals allowlist list");
  }
  std::vector<std::string> holders;
  const OrderedJson agents = document.value("agents", OrderedJson::object());
  for (const auto& [id, its] : agents.items()) {
    if (id != agent && holds(id, !arg_pattern)) holders.push_back(id);
  }
  if (holders.empty()) return make_error("ENTRY_NOT_FOUND", message, "hostclaw approvals allowlist list");
  std::string held;
  for (const std::string& id : holders) held += (held.empty() ? "" : " and ") + agent_called(id);
  using approvals::shell_word;
  std::string next = "hostclaw approvals allowlist remove " + shell_word(pattern) + " --agent " +
                     shell_word(holders.front());
  if (arg_pattern) next += " --arg-pattern " + shell_word(*arg_pattern);
  return make_error("ENTRY_NOT_FOUND", message + "; " + held + (holders.size() == 1 ? " has it" : " have it"),
                    next);
}

}  // namespace

Result<OrderedJson> approvals_snapshot(approvals::Store& store, approvals::PolicyCache& cache) {
  auto snapshot = snapshot_of(store, cache);
  if (!snapshot) return snapshot.error();
  const auto document = cache.current(store);
  const Json resolved = policy::resolved_defaults(*document, approvals::engine_settings(store));
  (*snapshot)["resolvedDefaults"] = OrderedJson::parse(dump_json(resolved));
  return snapshot;
}

OrderedJson fresh_approvals_snapshot(const std::string& directory) {
  const policy::PolicyDocument fresh = policy::fresh_document();
  const Json resolved = policy::resolved_defaults(fresh, policy::EngineSettings{});
  return OrderedJson{{"path", directory + "/hostclaw.sqlite#policy_document"},
                     {"exists", false},
                     {"hash", "missing:" + sha256_hex("")},
                     {"file", policy::redacted_document(fresh)},
                     {"resolvedDefaults", OrderedJson::parse(dump_json(resolved))}};
}

Result<OrderedJson> replace_approvals(approvals::Store& store, approvals::PolicyCache& cache,
                                      ReplaceRequest request) {
  if (!request.params.is_object()) return invalid_document("exec approvals file required");
  const auto file_at = request.params.find("file");
  if (file_at == request.params.end() || !file_at->is_object())
    return invalid_document("exec approvals file required");
  OrderedJson file = *file_at;
  std::string base_hash;
  if (const auto it = request.params.find("baseHash"); it != request.params.end() && it->is_string()) {
    base_hash = std::string(trim(it->get_ref<const std::string&>()));
  }
  const approvals::PolicySnapshot current =
      cache.snapshot(store);  // creates the fresh document when there is none
  if (current.exists && base_hash.empty())
    return invalid_document("exec approvals base hash required; reload and retry");
  if (!base_hash.empty() && base_hash != current.hash)
    return invalid_document("exec approvals changed; reload and retry");

  drop_shown_only(file, current.document->json, request.shown_only);
  keep_socket(file, current.document->json);
  auto read = policy::read_document(file, new_uuid);
  if (!read) return read.error();
  if (request.actor.door == "gateway") {
    const approvals::ExecSettings owner = approvals::read_exec_settings(store).settings;
    if (auto fine = approvals::check_remote_edit(owner.remote_edits, *current.document, *read, owner.engine);
        !fine) {
      return make_error("INVALID_REQUEST", "Error: INVALID_REQUEST: " + fine.error().message,
                        fine.error().next);
    }
  }
  auto written = store.put_document(policy::serialize_document(*read), current.hash, request.actor);
  if (!written) {
    return written.error().code == "STORE_CONFLICT"
               ? invalid_document("exec approvals changed; reload and retry")
               : written.error();
  }
  return snapshot_of(store, cache);
}

Result<OrderedJson> add_to_allowlist(approvals::Store& store, approvals::PolicyCache& cache,
                                     const std::string& agent, const std::string& pattern,
                                     const std::optional<std::string>& arg_pattern,
                                     const approvals::Actor& actor) {
  return edit_document(store, cache, actor, [&](OrderedJson& json) -> Result<void> {
    if (trim(pattern).empty()) return make_error("INVALID_REQUEST", "an allowlist pattern may not be blank");
    OrderedJson& list = json["agents"][agent]["allowlist"];
    if (!list.is_array()) list = OrderedJson::array();
    for (const OrderedJson& entry : list) {
      if (same_entry(entry, pattern, arg_pattern, false)) return Result<void>();
    }
    OrderedJson entry{{"pattern", pattern}};
    if (arg_pattern) entry["argPattern"] = *arg_pattern;
    list.push_back(std::move(entry));
    return Result<void>();
  });
}

Result<OrderedJson> remove_from_allowlist(approvals::Store& store, approvals::PolicyCache& cache,
                                          const std::string& agent, const std::string& pattern,
                                          const std::optional<std::string>& arg_pattern,
                                          const approvals::Actor& actor) {
  return edit_document(store, cache, actor, [&](OrderedJson& json) -> Result<void> {
    const OrderedJson before = entries_of(json, agent);
    OrderedJson kept = OrderedJson::array();
    for (const OrderedJson& entry : before) {
      if (!same_entry(entry, pattern, arg_pattern, !arg_pattern)) kept.push_back(entry);
    }
    if (kept.size() == before.size()) return no_such_entry(json, agent, pattern, arg_pattern);
    json["agents"][agent]["allowlist"] = std::move(kept);
    return Result<void>();
  });
}

Result<OrderedJson> edit_defaults(approvals::Store& store, approvals::PolicyCache& cache,
                                  const DefaultsEdit& edit, const approvals::Actor& actor) {
  return edit_document(store, cache, actor, [&](OrderedJson& json) -> Result<void> {
    OrderedJson& defaults = json["defaults"];
    if (!defaults.is_object()) defaults = OrderedJson::object();
    if (edit.security) defaults["security"] = policy::to_string(*edit.security);
    if (edit.ask) defaults["ask"] = policy::to_string(*edit.ask);
    if (edit.ask_fallback) defaults["askFallback"] = policy::to_string(*edit.ask_fallback);
    return Result<void>();
  });
}

Result<OrderedJson> edit_approvals(approvals::Store& store, approvals::PolicyCache& cache,
                                   const std::function<void(OrderedJson&)>& edit,
                                   const approvals::Actor& actor) {
  return edit_document(store, cache, actor, [&](OrderedJson& json) {
    edit(json);
    return Result<void>();
  });
}

}  // namespace hostclaw::node_host
