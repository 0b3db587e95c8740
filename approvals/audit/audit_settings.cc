// SPDX-License-Identifier: Apache-2.0
#include "approvals/audit/audit_settings.h"

#include <filesystem>

#include "approvals/store/settings.h"

namespace hostclaw::approvals {
namespace {

constexpr const char* kKeepKey = "audit.retention";
constexpr const char* kMirrorsKey = "audit.mirrors";
constexpr std::int64_t kDayMs = std::int64_t{24} * 60 * 60 * 1000;
// Socket addresses are shorter still; the sockets say so themselves.
constexpr std::size_t kLongestPath = 4000;

struct Limit {
  const char* name;
  std::optional<std::int64_t> AuditKeep::*value;
  std::int64_t most;
};
constexpr Limit kLimits[] = {{"days", &AuditKeep::days, 100'000},
                             {"rows", &AuditKeep::rows, 1'000'000'000'000},
                             {"megabytes", &AuditKeep::megabytes, 1'000'000}};

struct Target {
  const char* name;
  std::string AuditMirrorTargets::*path;
};
constexpr Target kTargets[] = {{"journald", &AuditMirrorTargets::journald},
                               {"syslog", &AuditMirrorTargets::syslog},
                               {"file", &AuditMirrorTargets::file}};

Error invalid_audit_setting(const char* key, const std::string& problem) {
  return make_error(
      "SETTING_INVALID", "setting " + std::string(key) + ": " + problem,
      std::string_view(key) == kKeepKey ? "hostclaw audit retention show" : "hostclaw audit mirror show");
}

Result<AuditKeep> keep_from(const Json& json) {
  if (!json.is_object()) return invalid_audit_setting(kKeepKey, "must be an object");
  AuditKeep keep;
  for (const auto& [name, value] : json.items()) {
    bool known = false;
    for (const Limit& limit : kLimits) {
      if (name != limit.name) continue;
      known = true;
      if (!value.is_number_integer() || value < Json(1) || value > Json(limit.most))
        return invalid_audit_setting(
            kKeepKey, name + " must be a whole number from 1 to " + std::to_string(limit.most));
      keep.*limit.value = value.get<std::int64_t>();
    }
    if (!known) return invalid_audit_setting(kKeepKey, "there is no limit of that name");
  }
  return keep;
}

Result<AuditMirrorTargets> mirrors_from(const Json& json) {
  if (!json.is_object()) return invalid_audit_setting(kMirrorsKey, "must be an object");
  AuditMirrorTargets mirrors;
  for (const auto& [name, value] : json.items()) {
    bool known = false;
    for (const Target& target : kTargets) {
      if (name != target.name) continue;
      known = true;
      const std::string path = value.is_string() ? value.get<std::string>() : std::string();
      if (path.size() > kLongestPath || path.find('\0') != std::string::npos ||
          !std::filesystem::path(path).is_absolute())
        return invalid_audit_setting(kMirrorsKey, name + " must be an absolute path");
      mirrors.*target.path = path;
    }
    if (!known) return invalid_audit_setting(kMirrorsKey, "there is no mirror of that name");
  }
  return mirrors;
}

template <class Value>
void read_one(Store& store, const char* key, Result<Value> (*from)(const Json&), Value& out,
              std::vector<Error>& problems) {
  const Result<std::optional<Json>> stored = store.setting(key);
  if (!stored) {
    problems.push_back(stored.error());
    return;
  }
  if (!*stored) return;
  Result<Value> value = from(**stored);
  if (value) {
    out = std::move(*value);
  } else {
    problems.push_back(value.error());
  }
}

template <class Value>
Result<void> put_one(Store& store, const char* key, Result<Value> (*from)(const Json&), const Value& value,
                     const Actor& actor) {
  const Json json = to_json(value);
  if (const Result<Value> checked = from(json); !checked) return checked.error();
  return write_recorded_setting(store, key, json.empty() ? std::nullopt : std::optional<Json>(json), actor);
}

}  // namespace

AuditSettings read_audit_settings(Store& store) {
  AuditSettings settings;
  read_one(store, kKeepKey, keep_from, settings.keep, settings.problems);
  read_one(store, kMirrorsKey, mirrors_from, settings.mirrors, settings.problems);
  return settings;
}

Result<void> put_audit_keep(Store& store, const AuditKeep& keep, const Actor& actor) {
  return put_one(store, kKeepKey, keep_from, keep, actor);
}

Result<void> put_audit_mirrors(Store& store, const AuditMirrorTargets& mirrors, const Actor& actor) {
  return put_one(store, kMirrorsKey, mirrors_from, mirrors, actor);
}

AuditRetention retention_at(const AuditKeep& keep, std::int64_t now_ms) {
  AuditRetention retention;
  retention.keep_rows = keep.rows;
  if (keep.days) retention.keep_since_ms = now_ms - *keep.days * kDayMs;
  if (keep.megabytes) retention.keep_bytes = *keep.megabytes * 1'000'000;
  return retention;
}

Json to_json(const AuditKeep& keep) {
  Json json = Json::object();
  for (const Limit& limit : kLimits) {
    if (keep.*limit.value) json[limit.name] = *(keep.*limit.value);
  }
  return json;
}

Json to_json(const AuditMirrorTargets& mirrors) {
  Json json = Json::object();
  for (const Target& target : kTargets) {
    if (!(mirrors.*target.path).empty()) json[target.name] = mirrors.*target.path;
  }
  return json;
}

}  // namespace hostclaw::approvals
