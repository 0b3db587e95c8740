// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/instance_lock.h"

#include <windows.h>

#include "node-host/system/files/windows_handle.h"
#include "node-host/system/host/system_error_windows.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

constexpr int kLockTries = 10;
constexpr DWORD kLockPauseMs = 25;

RunningNode read_holder(const std::wstring& path) {
  const UniqueFd file =
      owned(::CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                          nullptr, OPEN_EXISTING, 0, nullptr));
  char text[256] = {};
  DWORD size = 0;
  const bool read = file && ::ReadFile(as_handle(file.get()), text, sizeof text - 1, &size, nullptr) != 0;
  return read ? parse_running_node({text, size}) : RunningNode{};
}

// Nobody else can open it for writing, or delete it, until the handle is closed, however the process ends.
UniqueFd open_alone(const std::wstring& path, DWORD disposition) {
  return owned(::CreateFileW(path.c_str(), GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, nullptr,
                             disposition, FILE_ATTRIBUTE_NORMAL, nullptr));
}

bool write_holder(HANDLE file, std::string_view note) {
  const std::string text = std::to_string(process_id()) + "\n" + std::string(note) + "\n";
  DWORD written = 0;
  return ::SetFilePointer(file, 0, nullptr, FILE_BEGIN) != INVALID_SET_FILE_POINTER &&
         ::SetEndOfFile(file) != 0 &&
         ::WriteFile(file, text.data(), static_cast<DWORD>(text.size()), &written, nullptr) != 0;
}

std::string lock_path(const std::string& state_directory) { return state_directory + "\\node.lock"; }

}  // namespace

std::int64_t process_id() { return static_cast<std::int64_t>(::GetCurrentProcessId()); }

std::string host_platform() { return "win32"; }

Result<InstanceLock> InstanceLock::acquire(const std::string& state_directory) {
  const std::string path = lock_path(state_directory);
  const auto wide = exact_wide(path);
  if (!wide) return make_error("STORE_IO", "cannot open " + path + ": the name is not UTF-8");
  InstanceLock lock;
  // Whoever looks with holder() has it for a moment.
  for (int left = kLockTries;; --left) {
    lock.file_ = open_alone(*wide, OPEN_ALWAYS);
    if (lock.file_ || ::GetLastError() != ERROR_SHARING_VIOLATION || left == 0) break;
    ::Sleep(kLockPauseMs);
  }
  if (!lock.file_) {
    if (::GetLastError() != ERROR_SHARING_VIOLATION)
      return make_error("STORE_IO", "cannot open " + path + ": " + last_windows_error().message);
    const RunningNode owner = read_holder(*wide);
    return make_error("ALREADY_RUNNING",
                      "another hostclaw node uses this state directory" +
                          (owner.pid > 0 ? " (process " + std::to_string(owner.pid) + ")" : std::string()),
                      "hostclaw status, or give this one its own HOSTCLAW_STATE_DIR");
  }
  if (!write_holder(as_handle(lock.file_.get()), ""))
    return make_error("STORE_IO", "cannot write " + path + ": " + last_windows_error().message);
  return lock;
}

std::optional<RunningNode> InstanceLock::holder(const std::string& state_directory) {
  const auto wide = exact_wide(lock_path(state_directory));
  if (!wide || open_alone(*wide, OPEN_EXISTING) || ::GetLastError() != ERROR_SHARING_VIOLATION)
    return std::nullopt;
  return read_holder(*wide);
}

void InstanceLock::note(std::string_view text) const { (void)write_holder(as_handle(file_.get()), text); }

}  // namespace hostclaw::node_host
