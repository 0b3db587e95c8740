// SPDX-License-Identifier: Apache-2.0
// What programs used, as far as it is known. A value; safe from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace hostclaw::node_host {

struct ResourceUse {
  // Of what. Programs: those that the run started, with the descendants that they waited for; the peak is
  // then that of the largest single process. Group: everything that ever was in the run's control group or
  // job object; the peak is that of all of it at one time and, in a control group, has what was kept of files
  // in it that the run was the first to read.
  enum class Of { kNothing, kPrograms, kGroup };
  Of of = Of::kNothing;
  std::optional<std::chrono::microseconds> cpu;  // user and system, all processors
  std::optional<std::uint64_t> peak_memory_bytes;
};

}  // namespace hostclaw::node_host
