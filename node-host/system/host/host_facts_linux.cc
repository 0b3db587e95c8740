// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/host/host_facts.h"

#include <pwd.h>
#include <signal.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string_view>
#include <vector>

namespace hostclaw::node_host {
namespace {

struct Memory {
  std::uint64_t total = 0;
  std::uint64_t available = 0;
};

Memory read_memory() {
  Memory memory;
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::string unit;
  std::uint64_t kibibytes = 0;
  while (file >> name >> kibibytes && std::getline(file, unit)) {
    if (name == "MemTotal:") memory.total = kibibytes * 1024;
    if (name == "MemAvailable:") memory.available = kibibytes * 1024;
  }
  if (memory.total == 0) {
    const auto page = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_PAGESIZE)));
    memory.total = static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES))) * page;
    memory.available = static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_AVPHYS_PAGES))) * page;
  }
  memory.available = std::min(memory.available, memory.total);
  return memory;
}

std::optional<std::array<double, 3>> read_load() {
  std::array<double, 3> load{};
  if (::getloadavg(load.data(), 3) != 3) return std::nullopt;
  bool any = false;
  for (double& value : load) {
    value = std::clamp(std::round(value * 100) / 100, 0.0, 100'000.0);
    any = any || value > 0;
  }
  if (!any) return std::nullopt;
  return load;
}

}  // namespace

HostStats read_host_stats(const std::string& home) {
  HostStats stats;
  stats.cpu_count = static_cast<int>(std::clamp(::sysconf(_SC_NPROCESSORS_ONLN), 1L, 4096L));
  stats.load_average = read_load();
  const Memory memory = read_memory();
  stats.memory_total_bytes = memory.total;
  stats.memory_free_bytes = memory.available;
  struct statvfs volume {};
  if (::statvfs(home.c_str(), &volume) == 0 && volume.f_blocks > 0) {
    const std::uint64_t block = volume.f_frsize != 0 ? volume.f_frsize : volume.f_bsize;
    stats.disk_total_bytes = volume.f_blocks * block;
    stats.disk_available_bytes = std::min<std::uint64_t>(volume.f_bavail, volume.f_blocks) * block;
  }
  return stats;
}

std::string host_name() {
  utsname names{};
  if (::uname(&names) != 0 || names.nodename[0] == '\0') return "localhost";
  return names.nodename;
}

std::string default_display_name() { return host_name(); }

namespace {

std::string named_user(uid_t uid) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  std::string text = "uid " + std::to_string(uid);
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    text += " (" + std::string(found->pw_name) + ")";
  return text;
}

}  // namespace

std::string current_user() {
  const uid_t uid = ::getuid();
  std::string text = named_user(uid);
  // Who logged in, as the kernel remembers it through sudo and su.
  std::ifstream file("/proc/self/loginuid");
  std::uint32_t login = 0;
  if (file >> login && login != 0xFFFFFFFFU && login != uid) text += ", logged in as " + named_user(login);
  return text;
}

bool running_as_root() { return ::geteuid() == 0; }

std::vector<int> stop_signals() {
  std::vector<int> signals{SIGINT, SIGTERM};
  // A terminal that closes. Whoever started us with nohup wants it to go on then.
  struct sigaction hangup {};
  if (::sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) signals.push_back(SIGHUP);
  return signals;
}

policy::Environment current_environment() {
  policy::Environment environment;
  for (char** item = environ; item != nullptr && *item != nullptr; ++item) {
    const std::string_view text(*item);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

std::string home_directory() {
  if (const char* home = ::getenv("HOME"); home != nullptr && home[0] == '/') return home;
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr &&
      found->pw_dir != nullptr && found->pw_dir[0] == '/')
    return found->pw_dir;
  return "/";
}

std::string current_directory() {
  std::array<char, PATH_MAX> buffer{};
  if (::getcwd(buffer.data(), buffer.size()) == nullptr || buffer[0] != '/') return "/";
  return buffer.data();
}

std::string current_directory_link() { return "/proc/self/cwd"; }

policy::Platform host_policy_platform() { return policy::Platform::kPosix; }

std::string executable_path() {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
  if (size <= 0) return {};
  std::string text(path, static_cast<std::size_t>(size));
  // What the kernel appends when the file was replaced, as a package's update does.
  if (text.ends_with(" (deleted)")) text.resize(text.size() - 10);
  return text;
}

std::int64_t uptime_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (!(file >> size >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_PAGESIZE)));
}

}  // namespace hostclaw::node_host
