// SPDX-License-Identifier: Apache-2.0
// A database that is moved, deleted or replaced while it is open.
#include <cstdlib>

#include "approvals/platform/private_files.h"
#include "approvals/store/store_impl.h"

namespace hostclaw::approvals {
namespace {

// A file that is being copied there is left alone for as long.
constexpr std::chrono::seconds kSettled{1};
constexpr const char* kLook = "hostclaw doctor";

Error moved(const std::string& what) { return make_error("STORE_MOVED", what, kLook); }

// Whether SQLite itself knows that its file is another one by now. False where it cannot tell.
bool moved_meanwhile(sqlite3* handle) {
  int answer = 0;
  return sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &answer) == SQLITE_OK && answer != 0;
}

}  // namespace

DatabaseFiles files_at(const std::string& path) {
  return {file_identity(path), file_identity(path + "-wal"), file_identity(path + "-shm")};
}

std::unique_ptr<Database> refusing_database(const std::string& path, Error why) {
  Result<std::unique_ptr<Database>> database =
      Database::open(":memory:", path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, {});
  // Only without any memory left.
  if (!database) std::abort();
  (*database)->refuse(std::move(why));
  return std::move(*database);
}

Result<void> Store::usable() const {
  if (const auto& refusal = impl_->database->refusal()) return *refusal;
  return {};
}

void Store::refuse_work(std::optional<Error> why) { impl_->work_refused = std::move(why); }

Result<void> Store::accepts_work() const {
  if (auto there = usable(); !there || !impl_->work_refused) return there;
  return *impl_->work_refused;
}

std::int64_t Store::epoch() const { return impl_->epoch; }

const std::string& Store::file_identity() const { return impl_->files.database; }

Result<void> Store::follow_file() {
  if (impl_->mode == OpenMode::kReadOnly) return {};
  const std::string path = database().path();
  const DatabaseFiles there = files_at(path);
  const auto refuse = [this](Error why) -> Result<void> {
    impl_->database->refuse(why);
    return why;
  };
  if (impl_->open && there == impl_->files) {
    if (!impl_->database->refusal()) return {};
    sqlite3_db_config(database().handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
    impl_->database->refuse(std::nullopt);
    impl_->seen.clear();
    return {};
  }
  if (there.database == "absent") {
    impl_->seen.clear();
    return refuse(moved("the database " + path +
                        " was moved or deleted while it was in use; nothing runs until it is back"));
  }
  if (impl_->open && there.database == impl_->files.database) {
    // Another log lies there: whoever wrote it does not know ours. It must not be written into the database
    // behind the other's back when this connection ends.
    const bool other_log = there.log != impl_->files.log && there.log != "absent";
    if (other_log) sqlite3_db_config(database().handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    return refuse(moved("the file " + path + (there.log != impl_->files.log ? "-wal" : "-shm") +
                        " was moved, deleted or replaced while it was in use; nothing runs until it is back "
                        "or the node is started again"));
  }
  const auto now = std::chrono::steady_clock::now();
  const std::string looks = file_fingerprint(path);
  if (looks != impl_->seen) {
    impl_->seen = looks;
    impl_->seen_at = now;
  }
  if (now - impl_->seen_at < kSettled) {
    if (!impl_->open) return usable();
    return refuse(moved("another file lies at " + path + " than the database that was in use there"));
  }
  impl_->seen_at = now;
  if (Result<void> opened = open_what_lies_there(); !opened) return refuse(opened.error());
  return {};
}

Result<void> Store::open_what_lies_there() {
  const std::string path = database().path();
  if (impl_->open) {
    impl_->database->refuse(std::nullopt);
    const Result<std::optional<IdentityRow>> before = public_identity();
    if (!before) return before.error();
    impl_->device_id = *before ? (*before)->device_id : std::string();
  }
  const DatabaseFiles files = files_at(path);
  // Both cannot be open at once: a copy may share its log and its lock file with the one it replaces, and the
  // locks of a file belong to the process.
  impl_->open = false;
  impl_->database = refusing_database(path, moved(path + " is being opened again"));
  Result<std::unique_ptr<Database>> opened = open_database(path, impl_->mode, impl_->options);
  if (!opened) return opened.error();
  if (moved_meanwhile((*opened)->handle()) || files.database != approvals::file_identity(path))
    return moved("the database " + path + " is being replaced");
  impl_->database = std::move(*opened);
  const Result<std::optional<IdentityRow>> now = public_identity();
  if (!now || !*now || (*now)->device_id != impl_->device_id) {
    Error why = now ? moved("the database " + path + " was replaced by one of " +
                            (*now ? "another device, " + (*now)->device_id : std::string("no device")) +
                            "; nothing runs until the right one is back or the node is started again")
                    : now.error();
    impl_->database = refusing_database(path, why);
    return why;
  }
  impl_->open = true;
  impl_->files = files_at(path);
  if (impl_->survive_power_loss) (void)survive_power_loss(true);
  impl_->seen.clear();
  ++impl_->epoch;
  return {};
}

}  // namespace hostclaw::approvals
