#include "node-host/system/instance_lock.h"

#include <windows.h>

#include "node-host/system/system_error_windows.h"
#include "node-host/system/windows_handle.h"
#include "node-host/system/windows_text.h"

namespace hostclaw::node_host {
namespace {

std::string read_owner(const std::wstring& path) {
  const UniqueFd file =
      owned(::CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                          nullptr, OPEN_EXISTING, 0, nullptr));
  char text[32] = {};
  DWORD size = 0;
  if (!file || ::ReadFile(as_handle(file.get()), text, sizeof text - 1, &size, nullptr) == 0) return {};
  return std::string(text, size);
}

}  // namespace

std::int64_t process_id() { return static_cast<std::int64_t>(::GetCurrentProcessId()); }

bool process_is_alive(std::int64_t pid) {
  if (pid <= 0 || pid > 0xFFFF'FFFFLL) return false;
  const UniqueFd process =
      owned(::OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, static_cast<DWORD>(pid)));
  if (!process) return ::GetLastError() == ERROR_ACCESS_DENIED;
  return ::WaitForSingleObject(as_handle(process.get()), 0) == WAIT_TIMEOUT;
}

std::string host_platform() { return "win32"; }

Result<InstanceLock> InstanceLock::acquire(const std::string& state_directory) {
  const std::string path = state_directory + "\\node.lock";
  const auto wide = exact_wide(path);
  if (!wide) return make_error("STORE_IO", "cannot open " + path + ": the name is not UTF-8");
  InstanceLock lock;
  // Nobody else can open it for writing, or delete it, until this handle is closed, however the process ends.
  lock.file_ = owned(::CreateFileW(wide->c_str(), GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, nullptr,
                                   OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!lock.file_) {
    if (::GetLastError() != ERROR_SHARING_VIOLATION)
      return make_error("STORE_IO", "cannot open " + path + ": " + last_windows_error().message);
    const std::string owner = read_owner(*wide);
    return make_error("ALREADY_RUNNING",
                      "another hostclaw node uses this state directory" +
                          (owner.empty() ? std::string() : " (process " + owner + ")"),
                      "hostclaw status, or give this one its own HOSTCLAW_STATE_DIR");
  }
  const std::string pid = std::to_string(process_id());
  const HANDLE file = as_handle(lock.file_.get());
  DWORD written = 0;
  if (::SetEndOfFile(file) == 0 ||
      ::WriteFile(file, pid.data(), static_cast<DWORD>(pid.size()), &written, nullptr) == 0)
    return make_error("STORE_IO", "cannot write " + path + ": " + last_windows_error().message);
  return lock;
}

}  // namespace hostclaw::node_host
