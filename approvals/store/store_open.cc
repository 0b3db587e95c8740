// SPDX-License-Identifier: Apache-2.0
// Opening: who may, what the file must be, and what is done before the first use.
#include <array>
#include <cstring>
#include <filesystem>

#include "approvals/database/schema.h"
#include "approvals/platform/private_files.h"
#include "approvals/store/store_impl.h"
#include "base/file_names.h"

namespace hostclaw::approvals {
namespace {

constexpr std::string_view kFileName = "hostclaw.sqlite";
constexpr std::string_view kMagic("SQLite format 3\0", 16);
constexpr std::size_t kHeaderBytes = 100;
constexpr std::size_t kApplicationIdOffset = 68;

std::uint32_t big_endian_32(const unsigned char* bytes) {
  return static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
         static_cast<std::uint32_t>(bytes[2]) << 8 | static_cast<std::uint32_t>(bytes[3]);
}

// Looks at the first bytes before SQLite does anything with the file, so that a foreign database is not even
// recovered or checkpointed. The bytes are read through SQLite's own file object: opening and closing the
// file ourselves would drop the locks that another connection of this process holds on it.
Result<void> check_header(const std::string& path) {
  Result<std::unique_ptr<Database>> opened =
      Database::open(sqlite_uri(path, "mode=ro&immutable=1"), path, SQLITE_OPEN_READONLY, {});
  if (!opened) return opened.error();
  sqlite3_file* file = nullptr;
  sqlite3_file_control((*opened)->handle(), "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
  if (file == nullptr || file->pMethods == nullptr) return make_error("STORE_IO", "cannot read " + path);
  std::array<unsigned char, kHeaderBytes> header{};
  const int code = file->pMethods->xRead(file, header.data(), static_cast<int>(header.size()), 0);
  if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) return (*opened)->error(code);
  if (std::memcmp(header.data(), kMagic.data(), kMagic.size()) != 0) {
    return make_error(
        "STORE_CORRUPT",
        path + " is not a hostclaw database, or its beginning is destroyed; it was left as it is",
        command_to_rename(path, path + ".damaged"));
  }
  if (big_endian_32(header.data() + kApplicationIdOffset) != static_cast<std::uint32_t>(kApplicationId)) {
    return make_error("STORE_FOREIGN", path + " is a database of another program; it was left as it is",
                      command_to_rename(path, path + ".foreign"));
  }
  return {};
}

Result<void> configure(Database& database) {
  // synchronous=NORMAL: a commit is in the write-ahead log before it is answered, which survives the death of
  // the process; flushing the disk at every commit (FULL) would only add power failures, at milliseconds a
  // decision. temp_store=MEMORY and secure_delete keep secrets out of temporary files and freed pages.
  if (Result<void> done = database.execute(
          "PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 4194304; PRAGMA cache_size = -1024;"
          "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = FAST; PRAGMA cell_size_check = ON;"
          "PRAGMA trusted_schema = OFF;");
      !done) {
    return done;
  }
  sqlite3_db_config(database.handle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  return {};
}

Error read_only_error(const std::string& path) {
  return make_error("STORE_READ_ONLY", path + " cannot be written by this process",
                    command_for_access_rights(path));
}

Result<std::unique_ptr<Database>> open_for_writing(const std::string& path, const StoreOptions& options) {
  Result<std::unique_ptr<Database>> opened =
      Database::open(sqlite_uri(path, ""), path, SQLITE_OPEN_READWRITE, options.busy_timeout);
  if (!opened) return opened;
  Database& database = **opened;
  // SQLite quietly falls back to reading when it may not write.
  if (sqlite3_db_readonly(database.handle(), "main") == 1) return read_only_error(path);
  if (Result<void> configured = configure(database); !configured) return configured.error();
  const Result<std::int64_t> version = database.integer("PRAGMA user_version");
  if (!version) return version.error();
  if (*version != schema_version()) {
    if (Result<void> migrated = migrate(database); !migrated) return migrated.error();
  }
  if (Result<void> checked = check_tables(database); !checked) return checked.error();
  return opened;
}

Result<void> check_version_for_reading(Database& database) {
  const Result<std::int64_t> version = database.integer("PRAGMA user_version");
  if (!version) return version.error();
  // migrate() in a database that cannot be written would answer the wrong reason.
  if (*version > schema_version()) return newer_schema(database, *version, schema_version());
  return *version == schema_version() ? check_tables(database) : Result<void>();
}

Result<std::unique_ptr<Database>> open_for_reading(const std::string& path, const StoreOptions& options) {
  // On a read-only file system there can be no lock file; nobody writes there either.
  for (const char* query : {"mode=ro", "mode=ro&immutable=1"}) {
    const bool immutable = std::strcmp(query, "mode=ro") != 0;
    Result<std::unique_ptr<Database>> opened =
        Database::open(sqlite_uri(path, query), path, SQLITE_OPEN_READONLY, options.busy_timeout);
    if (!opened) return opened;
    Result<void> usable = configure(**opened);
    if (usable) usable = check_version_for_reading(**opened);
    if (usable) return opened;
    const bool no_lock_file = usable.error().code == "STORE_READ_ONLY" || usable.error().code == "STORE_IO";
    if (immutable || !no_lock_file || file_size_or_zero(path + "-wal") > 0) return usable.error();
  }
  return make_error("STORE_IO", "cannot read " + path);
}

}  // namespace

Result<std::unique_ptr<Database>> open_database(const std::string& path, OpenMode mode,
                                                const StoreOptions& options) {
  if (Result<void> checked = check_private_database(path); !checked) return checked.error();
  if (Result<void> checked = check_header(path); !checked) return checked.error();
  return mode == OpenMode::kReadOnly ? open_for_reading(path, options) : open_for_writing(path, options);
}

namespace {

// A database under two names is one that a lock beside one of them does not guard: whoever makes the other
// name would write past the node that uses it.
Result<void> check_one_name(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path file = to_path(path);
  if (std::filesystem::is_symlink(std::filesystem::symlink_status(file, failed)))
    return make_error("STORE_LINKED", path + " is a link; the state is where it leads to",
                      "set HOSTCLAW_STATE_DIR to that directory");
  // The standard library counts one name everywhere on Windows.
  if (const std::uint64_t names = file_names(path); names > 1)
    return make_error("STORE_LINKED",
                      path + " has " + std::to_string(names) + " names; a database of hostclaw has one",
                      "find the other name and remove it: " + command_for_names_of(path));
  return {};
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& directory, OpenMode mode,
                                           const StoreOptions& options) {
  const std::string path = directory + "/" + std::string(kFileName);
  const bool making = mode == OpenMode::kReadWrite;
  if (Result<void> ready = making ? ensure_private_directory(directory) : check_private_directory(directory);
      !ready) {
    return ready.error();
  }
  if (!file_exists(path)) {
    if (!making) {
      return make_error("STORE_NOT_FOUND", "there is no hostclaw state in " + directory, "hostclaw node run");
    }
    const Result<std::string> image = empty_database_image(schema_version());
    if (!image) return image.error();
    if (Result<void> created = create_private_file(path, *image); !created) return created.error();
  }
  if (Result<void> one = check_one_name(path); !one) return one.error();
  Result<std::unique_ptr<Database>> database = open_database(path, mode, options);
  if (!database) return database.error();
  auto impl = std::make_unique<Impl>();
  impl->database = std::move(*database);
  impl->options = options;
  impl->mode = mode;
  impl->files = files_at(path);
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

}  // namespace hostclaw::approvals
