// SPDX-License-Identifier: Apache-2.0
// A thin layer over SQLite: one connection, cached prepared statements, transactions that nest, and one place
// where SQLite's result codes become this room's error codes. Used by this room only.
//
// Thread rule: one Database and its Statements belong to one thread at a time. Nothing here throws.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hostclaw::approvals {

class Database;

// One use of a prepared statement. Parameters are bound in order; the statement goes back to the cache when
// the object dies. A statement that could not be prepared answers its error from step() and run().
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  Statement& bind(std::string_view text);
  Statement& bind(std::int64_t value);
  Statement& bind(const std::optional<int>& value);
  Statement& bind(const std::optional<std::int64_t>& value);
  Statement& bind_blob(std::string_view bytes);
  Statement& bind_null();

  Result<bool> step();  // true: a row is there
  Result<void> run();   // to the end, rows ignored

  // Of the row that step() announced. Text views live until the next step() or the end of the object.
  std::int64_t integer(int column) const;
  std::string text(int column) const;
  std::string_view text_view(int column) const;
  std::string blob(int column) const;
  std::string_view blob_view(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  Statement(Database* database, sqlite3_stmt* handle, bool* in_use, Error error);
  Database* database_;
  sqlite3_stmt* handle_;
  bool* in_use_;  // null: not from the cache, finalized on destruction
  Error error_;
  int next_parameter_ = 1;
};

// Every row that is left, each as `reader` makes it of the statement.
template <class Reader>
auto read_rows(Statement& query, Reader reader)
    -> Result<std::vector<std::decay_t<decltype(reader(std::as_const(query)))>>> {
  std::vector<std::decay_t<decltype(reader(std::as_const(query)))>> out;
  for (;;) {
    const Result<bool> found = query.step();
    if (!found) return found.error();
    if (!*found) return out;
    out.push_back(reader(std::as_const(query)));
  }
}

class Database {
 public:
  // `uri` is an SQLite file URI; `path` is what messages name. `flags` as sqlite3_open_v2 (SQLITE_OPEN_URI
  // added).
  static Result<std::unique_ptr<Database>> open(const std::string& uri, const std::string& path, int flags,
                                                std::chrono::milliseconds busy_timeout);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Requires: `sql` is a string literal (the cache keeps a view of it).
  Statement statement(std::string_view sql);
  // One or more statements without parameters.
  Result<void> execute(const char* sql);
  Result<std::int64_t> integer(std::string_view sql);  // first column of the first row, 0 when there is none

  // Told of each row that the record gets here, in its transaction; an error undoes that.
  using AuditFollower = std::function<Result<void>(std::int64_t at_ms)>;
  void follow_audit_rows(AuditFollower follower) { audit_follower_ = std::move(follower); }
  bool has_audit_follower() const { return static_cast<bool>(audit_follower_); }
  Result<void> audit_row_appended(std::int64_t at_ms) {
    return audit_follower_ ? audit_follower_(at_ms) : Result<void>();
  }

  // Runs `body` (answering some Result<T>) in one transaction that is allowed to write from its start. A body
  // that answers an error is rolled back. A transaction inside a transaction is a savepoint of the outer one.
  template <class Body>
  std::invoke_result_t<Body> transaction(Body&& body) {
    return in_scope("BEGIN IMMEDIATE", std::forward<Body>(body));
  }
  // The same for reading only: everything that `body` reads is of one moment, and nobody is kept from
  // writing.
  template <class Body>
  std::invoke_result_t<Body> reading(Body&& body) {
    return in_scope("BEGIN", std::forward<Body>(body));
  }
  // Runs `body` in the transaction that is open, else in one of its own. Cheaper than a savepoint; but what a
  // body that fails has written stays in the open transaction, so that its caller has to fail as well.
  template <class Body>
  std::invoke_result_t<Body> joining(Body&& body) {
    if (depth_ == 0) return transaction(std::forward<Body>(body));
    return body();
  }
  bool in_transaction() const { return depth_ > 0; }

  // From now on every statement answers this error instead of reaching the file; nullopt: as usual again.
  // Requires: no statement and no transaction is open.
  void refuse(std::optional<Error> why) { refusal_ = std::move(why); }
  const std::optional<Error>& refusal() const { return refusal_; }

  sqlite3* handle() const { return handle_; }
  const std::string& path() const { return path_; }
  // The error of the last call that failed with `code`.
  Error error(int code) const;

 private:
  AuditFollower audit_follower_;
  class Scope {
   public:
    explicit Scope(Database& database) : database_(database) {}
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    Result<void> begin(std::string_view outermost);
    Result<void> commit();

   private:
    Database& database_;
    bool open_ = false;
  };
  template <class Body>
  std::invoke_result_t<Body> in_scope(std::string_view outermost, Body&& body) {
    Scope scope(*this);
    if (Result<void> begun = scope.begin(outermost); !begun) return begun.error();
    std::invoke_result_t<Body> outcome = body();
    if (!outcome) return outcome;
    if (Result<void> committed = scope.commit(); !committed) return committed.error();
    return outcome;
  }
  struct Cached {
    sqlite3_stmt* handle = nullptr;
    bool in_use = false;
  };
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  // True when an error made SQLite end the transaction behind our back; nothing may be written until it is
  // over.
  bool transaction_lost() const { return depth_ > 0 && sqlite3_get_autocommit(handle_) != 0; }
  Error lost_error() const;

  sqlite3* handle_;
  std::string path_;
  int depth_ = 0;
  Error lost_because_;
  std::optional<Error> refusal_;
  std::unordered_map<std::string_view, Cached> cache_;

  friend class Statement;
};

// `path` as the path part of an SQLite file URI, with `query` ("mode=ro") appended.
std::string sqlite_uri(const std::string& path, std::string_view query);

// Opens a database that belongs to another program. Without a write-ahead log the file is read as immutable;
// with one, the file and its log are copied to a private temporary directory first (they are read in place
// when they are too large or never hold still). No file is created beside `path`, and none is changed.
// Errors: as Database::open; STORE_NOT_FOUND when there is no such file.
class ReadOnlyDatabase {
 public:
  static Result<ReadOnlyDatabase> open(const std::string& path);
  ReadOnlyDatabase(ReadOnlyDatabase&&) noexcept;
  ReadOnlyDatabase& operator=(ReadOnlyDatabase&&) = delete;
  ~ReadOnlyDatabase();
  Database& database() { return *database_; }
  // False when the file was changed by someone since open(), in a way that the reader could not notice: read
  // again.
  bool still_current() const;

 private:
  ReadOnlyDatabase() = default;
  Result<void> open_copy();
  std::unique_ptr<Database> database_;
  std::string path_;
  std::string temporary_directory_;
  std::string fingerprint_;  // of an immutable reading; empty otherwise
};

// STORE_NEWER_VERSION: the file is of a later program than this one, which knows schemas up to `known`.
Error newer_schema(const Database& database, std::int64_t version, std::int64_t known);

}  // namespace hostclaw::approvals
