// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/proc_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

std::string proc_file(std::int64_t pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

std::string read_proc_file(const std::string& path, std::size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!fd) return text;
  std::array<char, 8192> buffer;
  while (text.size() < limit) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

std::optional<ProcessStatus> read_process_status(const std::string& path) {
  const std::string text = read_proc_file(path, 8192);
  // The name may hold anything, closing parentheses too; the last one ends it.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text.size()) return std::nullopt;
  ProcessStatus status;
  status.pid = std::strtoll(text.c_str(), nullptr, 10);
  status.state = text[name_end + 2];
  const char* at = text.c_str() + name_end + 3;
  // Fields 4 to 22 of proc(5).
  for (int field = 4; field <= 22; ++field) {
    char* end = nullptr;
    const long long value = std::strtoll(at, &end, 10);
    if (end == at) return std::nullopt;
    at = end;
    if (field == 4) status.parent = value;
    if (field == 5) status.group = value;
    if (field == 6) status.session = value;
    if (field == 20) status.threads = value;
    if (field == 22) status.start_ticks = static_cast<std::uint64_t>(value);
  }
  return status;
}

}  // namespace hostclaw::node_host
