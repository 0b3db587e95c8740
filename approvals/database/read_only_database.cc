// SPDX-License-Identifier: Apache-2.0
#include "approvals/database/sqlite.h"
#include "approvals/platform/private_files.h"

namespace hostclaw::approvals {
namespace {

constexpr int kCopyAttempts = 10;
constexpr std::uint64_t kLargestCopy = 256ULL << 20;
constexpr std::chrono::milliseconds kBusyTimeout{5000};

std::string fingerprint_of(const std::string& path) {
  return file_fingerprint(path) + "|" + std::to_string(file_size_or_zero(path + "-wal"));
}

// Opening is lazy in SQLite: only a first read shows whether the file and its log can be used.
Result<std::unique_ptr<Database>> open_and_look(const std::string& path, const char* query,
                                                const std::string& told, int flags) {
  Result<std::unique_ptr<Database>> opened =
      Database::open(sqlite_uri(path, query), told, flags, kBusyTimeout);
  if (!opened) return opened;
  const Result<std::int64_t> tables = (*opened)->integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  return opened;
}

// The file and its log, both as they were at one moment. A checkpoint that runs meanwhile changes the main
// file, so a main file that still equals its copy proves that the two belong together; a growing log is
// harmless. Times of modification would not do: they are as coarse as a clock tick.
Result<void> copy_consistently(const std::string& path, const std::string& target) {
  for (int attempt = 0; attempt < kCopyAttempts; ++attempt) {
    if (Result<void> copied = copy_private_file(path, target); !copied) return copied;
    if (file_exists(path + "-wal")) {
      if (Result<void> copied = copy_private_file(path + "-wal", target + "-wal"); !copied) return copied;
    }
    if (same_content(path, target)) return {};
  }
  return make_error("STORE_LOCKED",
                    path + " is being written all the time; stop the program that uses it and try again");
}

}  // namespace

Result<ReadOnlyDatabase> ReadOnlyDatabase::open(const std::string& path) {
  if (!file_exists(path)) return make_error("STORE_NOT_FOUND", "there is no file " + path);
  ReadOnlyDatabase opened;
  opened.path_ = path;
  const bool has_log = file_size_or_zero(path + "-wal") > 0;
  if (!has_log) {
    // Everything is in the main file. Immutable: no lock file and no log is created next to it.
    const std::string fingerprint = fingerprint_of(path);
    Result<std::unique_ptr<Database>> database =
        open_and_look(path, "mode=ro&immutable=1", path, SQLITE_OPEN_READONLY);
    if (!database) return database.error();
    opened.database_ = std::move(*database);
    opened.fingerprint_ = fingerprint;
    return opened;
  }
  Result<void> copied = file_size_or_zero(path) > kLargestCopy
                            ? make_error("STORE_IO", path + " is too large to copy")
                            : opened.open_copy();
  if (copied) return opened;
  // Too busy or too large: read it in place, through the lock file of whoever uses it.
  if (!file_exists(path + "-shm")) return copied.error();
  Result<std::unique_ptr<Database>> database = open_and_look(path, "mode=ro", path, SQLITE_OPEN_READONLY);
  if (!database) return database.error();
  opened.database_ = std::move(*database);
  return opened;
}

Result<void> ReadOnlyDatabase::open_copy() {
  Result<std::string> directory = make_private_temporary_directory();
  if (!directory) return directory.error();
  temporary_directory_ = *directory;
  const std::string copy = *directory + "/copy.sqlite";
  if (Result<void> copied = copy_consistently(path_, copy); !copied) return copied.error();
  Result<std::unique_ptr<Database>> database = open_and_look(copy, "", path_, SQLITE_OPEN_READWRITE);
  if (!database) return database.error();
  database_ = std::move(*database);
  return {};
}

ReadOnlyDatabase::ReadOnlyDatabase(ReadOnlyDatabase&& other) noexcept
    : database_(std::move(other.database_)),
      path_(std::move(other.path_)),
      temporary_directory_(std::exchange(other.temporary_directory_, {})),
      fingerprint_(std::move(other.fingerprint_)) {}

ReadOnlyDatabase::~ReadOnlyDatabase() {
  database_.reset();
  if (!temporary_directory_.empty()) remove_directory_tree(temporary_directory_);
}

bool ReadOnlyDatabase::still_current() const {
  return fingerprint_.empty() || fingerprint_ == fingerprint_of(path_);
}

}  // namespace hostclaw::approvals
