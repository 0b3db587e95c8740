// SPDX-License-Identifier: Apache-2.0
#include "windows_support.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "node-host/system/host/random_bytes.h"
#include "node-host/system/process/run_console_windows.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

namespace fs = std::filesystem;

std::string random_name() {
  std::array<std::uint8_t, 8> bytes{};
  fill_random(bytes);
  return "hostclaw-test-" + to_hex(bytes);
}

std::string real_path(const fs::path& path) {
  const UniqueFd file = owned(::CreateFileW(path.c_str(), FILE_READ_ATTRIBUTES,
                                            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                            OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr));
  REQUIRE(file);
  return from_wide(final_path(as_handle(file.get())));
}

}  // namespace

std::wstring wide(const std::string& text) {
  const auto result = exact_wide(text);
  REQUIRE(result);
  return *result;
}

namespace {

// The program of a test is not hostclaw: runs that are ended here ask the test program.
[[maybe_unused]] const bool helper_is_known = [] {
  wchar_t path[MAX_PATH] = {};
  ::GetModuleFileNameW(nullptr, path, MAX_PATH);
  set_console_helper({from_wide((fs::path(path).parent_path() / L"test_child.exe").wstring()), "console"});
  return true;
}();

}  // namespace

std::string test_child() {
  wchar_t path[MAX_PATH];
  REQUIRE(::GetModuleFileNameW(nullptr, path, MAX_PATH) > 0);
  return real_path(fs::path(path).parent_path() / L"test_child.exe");
}

TemporaryDirectory::TemporaryDirectory() {
  wchar_t base[MAX_PATH + 1];
  REQUIRE(::GetTempPathW(MAX_PATH + 1, base) > 0);
  const fs::path path = fs::path(base) / wide(random_name());
  fs::create_directories(path);
  path_ = real_path(path);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  fs::remove_all(fs::path(wide(path_)), ignored);
}

std::string TemporaryDirectory::write(const std::string& name, std::string_view text) const {
  std::ofstream(fs::path(wide(*this / name)), std::ios::binary) << text;
  return *this / name;
}

std::string TemporaryDirectory::make_directory(const std::string& name) const {
  fs::create_directories(fs::path(wide(*this / name)));
  return *this / name;
}

std::string TemporaryDirectory::copy_of_test_child(const std::string& name) const {
  fs::copy_file(fs::path(wide(test_child())), fs::path(wide(*this / name)));
  return *this / name;
}

std::string read_file(const std::string& path) {
  std::ifstream in(fs::path(wide(path)), std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

UniqueFd open_for_writing(const std::string& path) {
  return owned(::CreateFileW(wide(path).c_str(), GENERIC_WRITE,
                             FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                             0, nullptr));
}

bool remove_file(const std::string& path) { return ::DeleteFileW(wide(path).c_str()) != 0; }

bool rename_file(const std::string& from, const std::string& to) {
  return ::MoveFileExW(wide(from).c_str(), wide(to).c_str(), MOVEFILE_REPLACE_EXISTING) != 0;
}

Signal::Signal()
    : name_(random_name()), event_(owned(::CreateEventW(nullptr, TRUE, FALSE, wide(name_).c_str()))) {
  REQUIRE(event_);
}

bool Signal::is_set() const { return ::WaitForSingleObject(handle(), 0) == WAIT_OBJECT_0; }
bool Signal::wait() const { return ::WaitForSingleObject(handle(), 20'000) == WAIT_OBJECT_0; }

UniqueFd open_process(std::int64_t pid) {
  return owned(::OpenProcess(SYNCHRONIZE | PROCESS_TERMINATE, FALSE, static_cast<DWORD>(pid)));
}

bool has_ended(const UniqueFd& process) {
  return ::WaitForSingleObject(as_handle(process.get()), 0) == WAIT_OBJECT_0;
}

}  // namespace hostclaw::node_host
