// SPDX-License-Identifier: Apache-2.0
#include "approvals/store/database_limit.h"

#include "approvals/store/settings.h"

namespace hostclaw::approvals {
namespace {

constexpr const char* kLimitKey = "store.limit";
constexpr std::int64_t kMostMegabytes = 1'000'000;

Error invalid_limit(const std::string& problem) {
  return make_error("SETTING_INVALID", "setting " + std::string(kLimitKey) + ": " + problem,
                    "hostclaw audit limit show");
}

Result<DatabaseLimit> limit_from(const Json& json) {
  if (!json.is_object()) return invalid_limit("must be an object");
  DatabaseLimit limit;
  for (const auto& [name, value] : json.items()) {
    if (name == "megabytes") {
      if (!value.is_number_integer() || value < Json(1) || value > Json(kMostMegabytes))
        return invalid_limit("megabytes must be a whole number from 1 to " + std::to_string(kMostMegabytes));
      limit.megabytes = value.get<std::int64_t>();
    } else if (name == "then") {
      const auto then = value.is_string() ? at_limit_from(value.get<std::string>()) : std::nullopt;
      if (!then) return invalid_limit("then must be warn, prune or refuse");
      limit.then = *then;
    } else {
      return invalid_limit("there is no member of that name");
    }
  }
  return limit;
}

}  // namespace

std::string_view to_string(AtLimit value) {
  switch (value) {
    case AtLimit::kWarn:
      return "warn";
    case AtLimit::kPrune:
      return "prune";
    case AtLimit::kRefuse:
      return "refuse";
  }
  return "warn";
}

std::optional<AtLimit> at_limit_from(std::string_view text) {
  for (const AtLimit value : {AtLimit::kWarn, AtLimit::kPrune, AtLimit::kRefuse})
    if (text == to_string(value)) return value;
  return std::nullopt;
}

DatabaseLimitReading read_database_limit(Store& store) {
  const Result<std::optional<Json>> stored = store.setting(kLimitKey);
  if (!stored) return {{}, stored.error()};
  if (!*stored) return {};
  const Result<DatabaseLimit> limit = limit_from(**stored);
  if (!limit) return {{}, limit.error()};
  return {*limit, std::nullopt};
}

Result<void> put_database_limit(Store& store, const DatabaseLimit& limit, const Actor& actor) {
  const Json json = to_json(limit);
  if (const Result<DatabaseLimit> checked = limit_from(json); !checked) return checked.error();
  return write_recorded_setting(store, kLimitKey,
                                limit == DatabaseLimit() ? std::nullopt : std::optional<Json>(json), actor);
}

Json to_json(const DatabaseLimit& limit) {
  return {{"megabytes", limit.megabytes}, {"then", to_string(limit.then)}};
}

Error database_at_limit(const DatabaseLimit& limit, std::int64_t bytes) {
  return make_error("STORE_AT_LIMIT",
                    "the database holds " + std::to_string(bytes / 1'000'000) + " MB, and its limit is " +
                        std::to_string(limit.megabytes) + " MB" +
                        (limit.then == AtLimit::kRefuse ? ": nothing begins until it holds less" : ""),
                    limit.then == AtLimit::kPrune
                        ? "hostclaw audit limit set --megabytes " + std::to_string(2 * limit.megabytes)
                        : "hostclaw audit limit set --then prune");
}

}  // namespace hostclaw::approvals
