// SPDX-License-Identifier: Apache-2.0
#include "approvals/database/sqlite.h"

#include "approvals/platform/private_files.h"

namespace hostclaw::approvals {
namespace {

int last_errno(sqlite3_file* file) {
  int reason = 0;
  if (file != nullptr && file->pMethods != nullptr) {
    file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &reason);
  }
  return reason;
}

// The operating system's reason for an I/O error. SQLite forgets it on the way for some writes, where the
// file objects of the log and of the database still know it: an exceeded quota must not look like a broken
// disk.
int system_reason(sqlite3* handle) {
  if (handle == nullptr) return 0;
  if (const int reason = sqlite3_system_errno(handle); reason != 0) return reason;
  for (const int which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
    sqlite3_file* file = nullptr;
    sqlite3_file_control(handle, "main", which, static_cast<void*>(&file));
    if (const int reason = last_errno(file); reason != 0) return reason;
  }
  return 0;
}

}  // namespace

Statement::Statement(Database* database, sqlite3_stmt* handle, bool* in_use, Error error)
    : database_(database), handle_(handle), in_use_(in_use), error_(std::move(error)) {}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      handle_(std::exchange(other.handle_, nullptr)),
      in_use_(std::exchange(other.in_use_, nullptr)),
      error_(std::move(other.error_)),
      next_parameter_(other.next_parameter_) {}

Statement::~Statement() {
  if (handle_ == nullptr) return;
  if (in_use_ == nullptr) {
    sqlite3_finalize(handle_);
    return;
  }
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
  *in_use_ = false;
}

Statement& Statement::bind(std::string_view text) {
  if (handle_ == nullptr) return *this;
  // A null pointer would bind NULL; an empty view may carry one.
  const char* bytes = text.empty() ? "" : text.data();
  sqlite3_bind_text64(handle_, next_parameter_++, bytes, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind(std::int64_t value) {
  if (handle_ != nullptr) sqlite3_bind_int64(handle_, next_parameter_++, value);
  return *this;
}

Statement& Statement::bind(const std::optional<int>& value) {
  return value ? bind(static_cast<std::int64_t>(*value)) : bind_null();
}

Statement& Statement::bind(const std::optional<std::int64_t>& value) {
  return value ? bind(*value) : bind_null();
}

Statement& Statement::bind_blob(std::string_view bytes) {
  if (handle_ == nullptr) return *this;
  const char* data = bytes.empty() ? "" : bytes.data();
  sqlite3_bind_blob64(handle_, next_parameter_++, data, bytes.size(), SQLITE_TRANSIENT);
  return *this;
}

Statement& Statement::bind_null() {
  if (handle_ != nullptr) sqlite3_bind_null(handle_, next_parameter_++);
  return *this;
}

Result<bool> Statement::step() {
  if (handle_ == nullptr) return error_;
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  error_ = database_->error(code);
  if (database_->transaction_lost()) database_->lost_because_ = error_;
  return error_;
}

Result<void> Statement::run() {
  for (;;) {
    const Result<bool> row = step();
    if (!row) return row.error();
    if (!*row) return {};
  }
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_, column); }

std::string_view Statement::text_view(int column) const {
  const unsigned char* bytes = sqlite3_column_text(handle_, column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
}

std::string Statement::text(int column) const { return std::string(text_view(column)); }

std::string_view Statement::blob_view(int column) const {
  const void* bytes = sqlite3_column_blob(handle_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
}

std::string Statement::blob(int column) const { return std::string(blob_view(column)); }

bool Statement::is_null(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }

Result<std::unique_ptr<Database>> Database::open(const std::string& uri, const std::string& path, int flags,
                                                 std::chrono::milliseconds busy_timeout) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(
      uri.c_str(), &handle, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  std::unique_ptr<Database> database(new Database(handle, path));
  if (code != SQLITE_OK) return database->error(code);
  sqlite3_busy_timeout(handle, static_cast<int>(busy_timeout.count()));
  return database;
}

Database::~Database() {
  for (auto& [sql, cached] : cache_) sqlite3_finalize(cached.handle);
  sqlite3_close_v2(handle_);
}

Statement Database::statement(std::string_view sql) {
  if (refusal_) return Statement(this, nullptr, nullptr, *refusal_);
  if (transaction_lost()) return Statement(this, nullptr, nullptr, lost_error());
  const auto found = cache_.find(sql);
  if (found != cache_.end() && !found->second.in_use) {
    found->second.in_use = true;
    return Statement(this, found->second.handle, &found->second.in_use, {});
  }
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  if (code != SQLITE_OK) return Statement(this, nullptr, nullptr, error(code));
  if (found != cache_.end()) return Statement(this, prepared, nullptr, {});
  Cached& cached = cache_[sql];
  cached = {prepared, true};
  return Statement(this, prepared, &cached.in_use, {});
}

Result<void> Database::execute(const char* sql) {
  if (refusal_) return *refusal_;
  if (transaction_lost()) return lost_error();
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code);
  return {};
}

Result<std::int64_t> Database::integer(std::string_view sql) {
  Statement query = statement(sql);
  const Result<bool> row = query.step();
  if (!row) return row.error();
  return *row ? query.integer(0) : 0;
}

Error Database::lost_error() const {
  if (!lost_because_.code.empty()) return lost_because_;
  return make_error("STORE_IO", "the transaction on " + path_ + " was rolled back");
}

Error Database::error(int code) const {
  const std::string told =
      path_ + ": " + (handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_));
  const Error full =
      make_error("STORE_FULL", "no space is left for the database: " + told, command_for_free_space(path_));
  switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return make_error("STORE_CORRUPT", "the database is damaged and was left as it is: " + told,
                        command_to_rename(path_, path_ + ".damaged"));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return make_error("STORE_LOCKED", "another process keeps the database locked: " + told,
                        command_for_users_of(path_));
    case SQLITE_READONLY:
      return make_error("STORE_READ_ONLY", "the database cannot be written: " + told);
    case SQLITE_FULL:
      return full;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR: {
      const int reason = system_reason(handle_);
      if (is_out_of_space(reason)) return full;
      if (!is_access_denied(reason)) break;
      return make_error("STORE_READ_ONLY", "the database or its directory cannot be written: " + told);
    }
    default:
      break;
  }
  return make_error("STORE_IO", told);
}

Database::Scope::~Scope() {
  if (!open_) return;
  const bool lost = database_.transaction_lost();
  --database_.depth_;
  if (lost) {
    if (database_.depth_ == 0) database_.lost_because_ = {};
    return;
  }
  if (database_.depth_ == 0) {
    sqlite3_exec(database_.handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  } else {
    sqlite3_exec(database_.handle_, "ROLLBACK TO nested; RELEASE nested", nullptr, nullptr, nullptr);
  }
}

Result<void> Database::Scope::begin(std::string_view outermost) {
  Result<void> begun = database_.depth_ == 0 ? database_.statement(outermost).run()
                                             : database_.statement("SAVEPOINT nested").run();
  if (!begun) return begun;
  ++database_.depth_;
  open_ = true;
  return {};
}

Result<void> Database::Scope::commit() {
  if (database_.transaction_lost()) return database_.lost_error();
  Result<void> committed = database_.depth_ == 1 ? database_.statement("COMMIT").run()
                                                 : database_.statement("RELEASE nested").run();
  if (!committed) return committed;
  --database_.depth_;
  open_ = false;
  return {};
}

std::string sqlite_uri(const std::string& path, std::string_view query) {
  // Two slashes would begin the name of a machine.
  std::string uri = path.starts_with("//") ? "file://" : "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      static constexpr char kDigits[] = "0123456789ABCDEF";
      uri += '%';
      uri += kDigits[static_cast<unsigned char>(c) >> 4];
      uri += kDigits[static_cast<unsigned char>(c) & 0x0F];
    } else {
      uri += c;
    }
  }
  if (!query.empty()) uri.append("?").append(query);
  return uri;
}

Error newer_schema(const Database& database, std::int64_t version, std::int64_t known) {
  return make_error("STORE_NEWER_VERSION", database.path() + " has schema " + std::to_string(version) +
                                               ", this program knows up to " + std::to_string(known) +
                                               "; use the newer hostclaw that wrote it");
}

}  // namespace hostclaw::approvals
