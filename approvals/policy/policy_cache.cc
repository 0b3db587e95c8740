// SPDX-License-Identifier: Apache-2.0
#include "approvals/policy/policy_cache.h"

#include <algorithm>

#include "approvals/platform/random_id.h"
#include "base/sha256.h"

namespace hostclaw::approvals {
namespace {

constexpr std::string_view kBoundArguments = "sha256:cwd-argv:v1:";

PolicySnapshot denying(const std::string& reason) {
  return {std::make_shared<policy::PolicyDocument>(policy::deny_all_document(reason)), {}, 0, false};
}

policy::PolicyDocument parse_stored(const StoredDocument& stored) {
  // A text that was changed behind the store's back, by hand or by a failing disk, is nobody's policy.
  if (sha256_hex(stored.raw_text) != stored.hash) {
    return policy::deny_all_document("the stored text does not have the hash that was stored with it");
  }
  return policy::load_document(stored.raw_text, new_uuid);
}

PolicySnapshot snapshot_of(const StoredDocument& stored) {
  return {std::make_shared<policy::PolicyDocument>(parse_stored(stored)), stored.hash, stored.generation,
          true};
}

std::string text_member(const OrderedJson& entry, const char* name) {
  const auto found = entry.find(name);
  return found != entry.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_grant_of(const OrderedJson& entry, const policy::GrantToStore& grant) {
  return entry.is_object() && text_member(entry, "source") == "allow-always" &&
         text_member(entry, "pattern") == grant.pattern;
}

void add_grant(OrderedJson& list, const policy::GrantToStore& grant) {
  const std::string arguments = grant.arg_pattern.value_or("");
  const bool known = std::any_of(list.begin(), list.end(), [&](const OrderedJson& entry) {
    return is_grant_of(entry, grant) && text_member(entry, "argPattern") == arguments;
  });
  if (known) return;
  if (arguments.starts_with(kBoundArguments)) {
    OrderedJson kept = OrderedJson::array();
    for (OrderedJson& entry : list) {
      const bool outdated =
          is_grant_of(entry, grant) && !text_member(entry, "argPattern").starts_with(kBoundArguments);
      if (!outdated) kept.push_back(std::move(entry));
    }
    list = std::move(kept);
  }
  OrderedJson entry{{"id", new_uuid()}, {"pattern", grant.pattern}};
  if (!arguments.empty()) entry["argPattern"] = arguments;
  entry["source"] = "allow-always";
  list.push_back(std::move(entry));
}

Result<void> add_grants(Store& store, const std::string& agent,
                        const std::vector<policy::GrantToStore>& grants, const Actor& actor) {
  const Result<StoredDocument> stored = store.document();
  if (!stored) return stored.error();
  const policy::PolicyDocument document = stored->exists ? parse_stored(*stored) : policy::fresh_document();
  if (document.malformed) {
    return make_error("GRANT_REFUSED",
                      "the stored policy document is malformed: " + document.malformed_reason,
                      "hostclaw approvals set --file FILE");
  }
  OrderedJson json = document.json;
  OrderedJson& list = json["agents"][agent]["allowlist"];
  if (!list.is_array()) list = OrderedJson::array();
  for (const policy::GrantToStore& grant : grants) add_grant(list, grant);
  const Result<policy::PolicyDocument> next = policy::read_document(json, new_uuid);
  if (!next) return make_error("GRANT_REFUSED", next.error().message);
  const Result<StoredDocument> written =
      store.put_document(policy::serialize_document(*next), stored->hash, actor);
  if (!written) return written.error();
  return {};
}

}  // namespace

std::shared_ptr<const policy::PolicyDocument> PolicyCache::current(Store& store) {
  return snapshot(store).document;
}

PolicySnapshot PolicyCache::snapshot(Store& store) {
  const Result<std::int64_t> generation = store.document_generation();
  if (!generation)
    return denying("the policy cannot be read: " + generation.error().code + ": " +
                   generation.error().message);
  if (cached_.document != nullptr && cached_.exists && cached_.generation == *generation &&
      epoch_ == store.epoch())
    return cached_;
  cached_ = read(store);
  epoch_ = store.epoch();
  return cached_;
}

PolicySnapshot PolicyCache::read(Store& store) {
  Result<StoredDocument> stored = store.document();
  if (!stored) return denying("the policy cannot be read: " + stored.error().message);
  if (stored->exists) return snapshot_of(*stored);
  const policy::PolicyDocument fresh = policy::fresh_document();
  Result<StoredDocument> written =
      store.put_document(policy::serialize_document(fresh), stored->hash, Actor{"node", ""});
  if (written) return snapshot_of(*written);
  if (written.error().code == "STORE_CONFLICT") {
    stored = store.document();
    if (stored && stored->exists) return snapshot_of(*stored);
  }
  // Not stored: a reader, or a disk that is full. What is fresh is strict enough to decide by until it can
  // be.
  return {std::make_shared<policy::PolicyDocument>(fresh), stored ? stored->hash : std::string(), 0, false};
}

Result<void> store_grants(Store& store, const std::string& agent,
                          const std::vector<policy::GrantToStore>& grants, const Actor& actor) {
  if (grants.empty()) return {};
  if (agent.empty())
    return make_error("GRANT_REFUSED", "a lasting grant needs an agent id and the request has none");
  return store.transaction([&] { return add_grants(store, agent, grants, actor); });
}

Result<void> record_usage(Store& store, const std::vector<policy::MatchedEntry>& matched,
                          const std::string& command_text, std::int64_t now_ms) {
  std::vector<EntryUsage> usage;
  usage.reserve(matched.size());
  for (const policy::MatchedEntry& entry : matched) {
    const std::string arguments = entry.arg_pattern.value_or("");
    // The arguments of a hashed entry may be what the hash was meant to hide.
    const bool hashed = arguments.starts_with("sha256:");
    usage.push_back({entry.agent, entry.pattern, arguments, now_ms, hashed ? std::string() : command_text,
                     entry.resolved_path, 0});
  }
  return store.record_usage(usage);
}

}  // namespace hostclaw::approvals
