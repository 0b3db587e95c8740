// SPDX-License-Identifier: Apache-2.0
// The least that a durable row costs: a prepared INSERT into a table of its own.
#pragma once

#include <sqlite3.h>

#include <stdexcept>
#include <string>

namespace hostclaw::bench {

class BareRows {
 public:
  // `synchronous` as SQLite's pragma has it. What fails is thrown as std::runtime_error.
  BareRows(const std::string& path, const char* synchronous, std::size_t bytes) : text_(bytes, 'x') {
    if (sqlite3_open(path.c_str(), &handle_) != SQLITE_OK) throw std::runtime_error("cannot open " + path);
    execute("PRAGMA journal_mode = WAL");
    execute((std::string("PRAGMA synchronous = ") + synchronous).c_str());
    execute("CREATE TABLE rows (sequence INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT");
    sqlite3_prepare_v2(handle_, "INSERT INTO rows (body) VALUES (?)", -1, &insert_, nullptr);
  }
  ~BareRows() {
    sqlite3_finalize(insert_);
    sqlite3_close(handle_);
  }
  BareRows(const BareRows&) = delete;
  BareRows& operator=(const BareRows&) = delete;

  // A row in a transaction of its own, or in the one that is open.
  void add() {
    sqlite3_bind_text(insert_, 1, text_.data(), static_cast<int>(text_.size()), SQLITE_STATIC);
    const bool done = sqlite3_step(insert_) == SQLITE_DONE;
    sqlite3_reset(insert_);
    if (!done) throw std::runtime_error(sqlite3_errmsg(handle_));
  }
  void add_together(int rows) {
    execute("BEGIN IMMEDIATE");
    for (int row = 0; row < rows; ++row) add();
    execute("COMMIT");
  }

 private:
  void execute(const char* sql) {
    if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
      throw std::runtime_error(sqlite3_errmsg(handle_));
  }
  sqlite3* handle_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  const std::string text_;
};

}  // namespace hostclaw::bench
