// SPDX-License-Identifier: Apache-2.0
// What a kept run's directory holds (kept_runs.h), for its keeper and for who looks there. POSIX. Thread
// rule: safe from any thread.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

inline constexpr const char* kKeptRunName = "/run.json";  // which run it is
inline constexpr const char* kKeptLockName = "/keeper";  // locked as long as the keeper lives; its process id
inline constexpr const char* kKeptEndName = "/end.json";  // how it ended

// False: not all of it was taken.
inline bool write_all(NativeHandle file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace hostclaw::node_host
