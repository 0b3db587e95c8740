// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/host/host_facts.h"

#include <windows.h>
// After windows.h.
#include <psapi.h>

#include <algorithm>
#include <csignal>
#include <vector>

#include "node-host/system/files/windows_handle.h"
#include "node-host/system/files/windows_path.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

// Functions that answer the length, or the size that is needed when it does not fit.
template <class Read>
std::wstring read_text(Read read) {
  std::wstring text(512, L'\0');
  for (;;) {
    const DWORD size = read(text.data(), static_cast<DWORD>(text.size()));
    if (size == 0) return {};
    const bool fits = size < text.size();
    text.resize(fits ? size : size + 1);
    if (fits) return text;
  }
}

std::wstring variable(const wchar_t* name) {
  return read_text([name](wchar_t* text, DWORD size) { return ::GetEnvironmentVariableW(name, text, size); });
}

}  // namespace

HostStats read_host_stats(const std::string& home) {
  HostStats stats;
  SYSTEM_INFO system{};
  ::GetNativeSystemInfo(&system);
  const DWORD all = ::GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
  stats.cpu_count =
      static_cast<int>(std::clamp<DWORD>(all != 0 ? all : system.dwNumberOfProcessors, 1, 4096));
  MEMORYSTATUSEX memory{};
  memory.dwLength = sizeof memory;
  if (::GlobalMemoryStatusEx(&memory) != 0) {
    stats.memory_total_bytes = memory.ullTotalPhys;
    stats.memory_free_bytes = std::min<std::uint64_t>(memory.ullAvailPhys, memory.ullTotalPhys);
  }
  ULARGE_INTEGER available{};
  ULARGE_INTEGER total{};
  const auto path = exact_wide(home);
  if (path && ::GetDiskFreeSpaceExW(path->c_str(), &available, &total, nullptr) != 0 && total.QuadPart > 0) {
    stats.disk_total_bytes = total.QuadPart;
    stats.disk_available_bytes = std::min(available.QuadPart, total.QuadPart);
  }
  return stats;
}

std::string host_name() {
  DWORD size = 0;
  ::GetComputerNameExW(ComputerNameDnsHostname, nullptr, &size);
  std::wstring name(size, L'\0');
  if (size == 0 || ::GetComputerNameExW(ComputerNameDnsHostname, name.data(), &size) == 0 || size == 0)
    return "localhost";
  name.resize(size);
  return from_wide(name);
}

std::string default_display_name() { return host_name(); }

std::string current_user() {
  wchar_t name[257] = {};
  DWORD size = 257;
  const std::string user = ::GetUserNameW(name, &size) != 0 && size > 1 ? from_wide({name, size - 1}) : "?";
  const std::string domain = from_wide(variable(L"USERDOMAIN"));
  return "user " + (domain.empty() ? user : domain + "\\" + user);
}

bool running_as_root() {
  HANDLE token = nullptr;
  if (::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &token) == 0) return false;
  const UniqueFd owner = owned(token);
  TOKEN_ELEVATION elevation{};
  DWORD size = 0;
  return ::GetTokenInformation(token, TokenElevation, &elevation, sizeof elevation, &size) != 0 &&
         elevation.TokenIsElevated != 0;
}

std::vector<int> stop_signals() { return {SIGINT, SIGTERM, SIGBREAK}; }

policy::Environment current_environment() {
  policy::Environment environment;
  wchar_t* const block = ::GetEnvironmentStringsW();
  if (block == nullptr) return environment;
  for (const wchar_t* item = block; *item != L'\0';) {
    const std::wstring_view entry(item);
    item += entry.size() + 1;
    // What cmd.exe remembers of other drives begins with an equals sign.
    const std::size_t equals = entry.find(L'=');
    if (equals == std::wstring_view::npos || equals == 0) continue;
    environment.emplace_back(from_wide(entry.substr(0, equals)), from_wide(entry.substr(equals + 1)));
  }
  ::FreeEnvironmentStringsW(block);
  return environment;
}

std::string home_directory() {
  for (const wchar_t* name : {L"USERPROFILE", L"ALLUSERSPROFILE"}) {
    const std::string path = from_wide(variable(name));
    if (verbatim_path(path)) return path;
  }
  return "C:\\";
}

std::string current_directory() {
  const std::wstring path =
      read_text([](wchar_t* text, DWORD size) { return ::GetCurrentDirectoryW(size, text); });
  return path.empty() ? "C:\\" : from_wide(without_prefix(path));
}

// A directory that a process is in cannot go away.
std::string current_directory_link() { return current_directory(); }

policy::Platform host_policy_platform() { return policy::Platform::kWindows; }

std::string executable_path() {
  return from_wide(
      read_text([](wchar_t* text, DWORD size) { return ::GetModuleFileNameW(nullptr, text, size); }));
}

std::int64_t uptime_ms() { return static_cast<std::int64_t>(::GetTickCount64()); }

std::string boot_id() { return {}; }

std::uint64_t resident_bytes() {
  PROCESS_MEMORY_COUNTERS counters{};
  counters.cb = sizeof counters;
  if (::GetProcessMemoryInfo(::GetCurrentProcess(), &counters, sizeof counters) == 0) return 0;
  return counters.WorkingSetSize;
}

}  // namespace hostclaw::node_host
