// SPDX-License-Identifier: Apache-2.0
#include "support.h"

#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "approvals/platform/private_files.h"

namespace hostclaw::approvals::testing {

TemporaryDirectory::TemporaryDirectory() : path_(must(make_private_temporary_directory())) {}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::permissions(path_, std::filesystem::perms::owner_all, ignored);
  std::filesystem::remove_all(path_, ignored);
}

namespace {

void make_owner_only(const std::string& file) {
  using std::filesystem::perms;
  std::filesystem::permissions(file, perms::owner_read | perms::owner_write);
}

}  // namespace

void close_directory(const std::string& directory) {
  std::filesystem::permissions(directory, std::filesystem::perms::owner_all);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
  make_owner_only(path);
}

std::unique_ptr<Store> open_store(const std::string& directory, OpenMode mode, const StoreOptions& options) {
  return must(Store::open(directory, mode, options));
}

std::string open_code(const std::string& directory, OpenMode mode, const StoreOptions& options) {
  const auto opened = Store::open(directory, mode, options);
  return opened ? "opened" : opened.error().code;
}

std::string setting_text(Store& store, const std::string& key) {
  const auto value = store.setting(key);
  if (!value) return value.error().code;
  return value->has_value() ? dump_json(**value) : "absent";
}

void run_sql(const std::string& file, const std::string& sql) {
  std::filesystem::create_directories(std::filesystem::path(file).parent_path());
  sqlite3* handle = nullptr;
  if (sqlite3_open(file.c_str(), &handle) != SQLITE_OK) throw std::runtime_error("cannot open " + file);
  char* message = nullptr;
  const int code = sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, &message);
  const std::string told = message == nullptr ? "" : message;
  sqlite3_free(message);
  sqlite3_close(handle);
  make_owner_only(file);
  if (code != SQLITE_OK) throw std::runtime_error(told);
}

}  // namespace hostclaw::approvals::testing
