// SPDX-License-Identifier: Apache-2.0
// What a Store holds. For the files that implement Store only.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "approvals/database/sqlite.h"
#include "approvals/store/store.h"

namespace hostclaw::approvals {

// Which files lie at the path of a database.
struct DatabaseFiles {
  std::string database;
  std::string log;
  std::string lock;
  bool operator==(const DatabaseFiles&) const = default;
};
DatabaseFiles files_at(const std::string& path);

struct Store::Impl {
  std::unique_ptr<Database> database;  // never null
  StoreOptions options;
  bool survive_power_loss = false;
  OpenMode mode = OpenMode::kReadOnly;
  std::int64_t inserted_runs = 0;  // by this object, for the amortised expiry
  std::int64_t newest_run = 0;     // highest row id that this object inserted

  std::optional<Error> work_refused;  // refuse_work()

  // Of follow_file().
  DatabaseFiles files;    // that are open
  bool open = true;       // false: `database` stands in for one that could not be opened
  std::string device_id;  // of the database that was open last
  std::int64_t epoch = 0;
  std::string seen;  // what lies there instead, and since when it has not changed
  std::chrono::steady_clock::time_point seen_at;
};

// The database at `path` and nothing else: never creates one. The file has been looked at before SQLite opens
// it.
Result<std::unique_ptr<Database>> open_database(const std::string& path, OpenMode mode,
                                                const StoreOptions& options);
// Answers every statement with `why`.
std::unique_ptr<Database> refusing_database(const std::string& path, Error why);

}  // namespace hostclaw::approvals
