// SPDX-License-Identifier: Apache-2.0
// What /proc says about processes. Linux only. Thread rule: safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace hostclaw::node_host {

struct ProcessStatus {
  std::int64_t pid = 0;
  std::int64_t parent = 0;
  std::int64_t group = 0;
  std::int64_t session = 0;
  std::int64_t threads = 1;
  std::uint64_t start_ticks = 0;  // since boot
  char state = '?';
  // A zombie whose other threads still run has not ended.
  bool ended() const { return (state == 'Z' || state == 'X') && threads <= 1; }
};

std::string proc_file(std::int64_t pid, const char* name);  // "/proc/PID/NAME"
// At most about `limit` bytes; empty when it cannot be read.
std::string read_proc_file(const std::string& path, std::size_t limit);
// Of a `stat` file.
std::optional<ProcessStatus> read_process_status(const std::string& path);

}  // namespace hostclaw::node_host
