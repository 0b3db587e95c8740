// SPDX-License-Identifier: Apache-2.0
// How large the node's database may become, and what the node does then. The node looks every half minute
// (node-host/record/record_keeper.h). Thread rule: the thread that owns the store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "approvals/store/store.h"
#include "base/json.h"
#include "base/result.h"

namespace hostclaw::approvals {

enum class AtLimit {
  kWarn,    // says so in the log and in doctor, and goes on
  kPrune,   // removes the oldest rows, of runs first, until nine tenths are left
  kRefuse,  // begins nothing that needs a row: STORE_AT_LIMIT
};
std::string_view to_string(AtLimit value);  // warn | prune | refuse
std::optional<AtLimit> at_limit_from(std::string_view text);

struct DatabaseLimit {
  std::int64_t megabytes = 4096;  // 1 to 1 000 000
  AtLimit then = AtLimit::kWarn;

  std::int64_t bytes() const { return megabytes * 1'000'000; }
  friend bool operator==(const DatabaseLimit&, const DatabaseLimit&) = default;
};

// What holds when nothing is stored, or when what is stored is wrong (SETTING_INVALID, STORE_*): the default
// limit, which warns.
struct DatabaseLimitReading {
  DatabaseLimit limit;
  std::optional<Error> problem;
};
DatabaseLimitReading read_database_limit(Store& store);

// With a row of the audit chain. Errors: SETTING_INVALID (nothing is stored), STORE_*.
Result<void> put_database_limit(Store& store, const DatabaseLimit& limit, const Actor& actor);

Json to_json(const DatabaseLimit& limit);  // {"megabytes", "then"}

// STORE_AT_LIMIT, in words, with the next command.
Error database_at_limit(const DatabaseLimit& limit, std::int64_t bytes);

}  // namespace hostclaw::approvals
