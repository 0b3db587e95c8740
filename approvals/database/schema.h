// SPDX-License-Identifier: Apache-2.0
// The shape of the database: an ordered list of SQL steps, one for each value of `user_version`.
#pragma once

#include <cstdint>
#include <string>

#include "approvals/database/sqlite.h"
#include "base/result.h"

namespace hostclaw::approvals {

// "HCLW": tells our file from every other SQLite database.
inline constexpr std::int64_t kApplicationId = 0x48434C57;

std::int64_t schema_version();  // the newest that this program knows

// Brings `database` from its version to `target` in one transaction, or to schema_version(). Several
// processes may try at once. STORE_NEWER_VERSION when the database is ahead of this program.
Result<void> migrate(Database& database);
Result<void> migrate_to(Database& database, std::int64_t target);

// STORE_CORRUPT when a table of the current schema is missing.
Result<void> check_tables(Database& database);

// The bytes of an empty database with the given schema, in write-ahead-log mode.
Result<std::string> empty_database_image(std::int64_t version);

}  // namespace hostclaw::approvals
