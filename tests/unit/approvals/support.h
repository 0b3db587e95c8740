// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share: a private directory that disappears, and short forms for opening a
// store.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>

#include "approvals/store/store.h"

namespace hostclaw::approvals::testing {

// Who writes, where a test does not care.
inline const Actor kCli{"cli", "tester"};
inline const Actor kHuman{"cli", "alice"};

class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& content);
void close_directory(const std::string& directory);  // 0700

std::unique_ptr<Store> open_store(const std::string& directory, OpenMode mode = OpenMode::kReadWrite,
                                  const StoreOptions& options = {});
// The error code of opening, or "opened".
std::string open_code(const std::string& directory, OpenMode mode = OpenMode::kReadWrite,
                      const StoreOptions& options = {});
// A setting as JSON text, "absent", or the error's code.
std::string setting_text(Store& store, const std::string& key);
// Runs SQL on a file with a plain connection, creating the file when it is missing.
void run_sql(const std::string& file, const std::string& sql);

template <class T>
T must(Result<T> result) {
  if (!result) FAIL(result.error().code << ": " << result.error().message);
  return std::move(*result);
}
inline void must(const Result<void>& result) {
  if (!result) FAIL(result.error().code << ": " << result.error().message);
}
template <class T>
std::string code_of(const Result<T>& result) {
  return result ? std::string("ok") : result.error().code;
}

}  // namespace hostclaw::approvals::testing
