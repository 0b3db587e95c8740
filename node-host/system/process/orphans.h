// SPDX-License-Identifier: Apache-2.0
// What a run leaves behind when its programs have ended, or when this program has. Thread rule: safe from any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hostclaw::node_host {

// Children carry this variable: a mark to find them by.
inline constexpr const char* kRunMarkerVariable = "HOSTCLAW_RUN";

// False when the kernel refuses; then orphans go to the init process and only the marker finds them. Windows
// has no such thing and needs none: a job object knows its members.
bool become_reaper_of_orphans();

enum class Sweep { kQuick, kThorough };

// Reaps ended children that were adopted from a run. Leaves alone what spawn() started and has not been
// forgotten, and children in our own session (started by other means). Returns true while any child is left.
// kQuick is a few system calls, but misses orphans while an ended child of the other kinds waits to be
// reaped; kThorough then passes over /proc. Windows: nothing is ever to be reaped.
bool reap_orphans(Sweep sweep = Sweep::kThorough);

// A living process that an earlier process of this program started for a run.
struct LeftProcess {
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;  // with the pid never used again
  std::string name;               // as the kernel knows it
  std::string mark;               // the one of `prefixes` that it was found by
};

// Processes whose mark (kRunMarkerVariable) begins with one of `prefixes`. This process is left out, and so
// are those that it descends from: it may have been started again out of a run. One pass over all processes.
// Windows: none, for they ended with their job.
std::vector<LeftProcess> find_left_behind(const std::vector<std::string>& prefixes);

// SIGTERM, or SIGKILL when `now`. Never hits another process than the one that was found.
void tell_to_end(const LeftProcess& process, bool now);

}  // namespace hostclaw::node_host
