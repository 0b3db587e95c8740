// SPDX-License-Identifier: Apache-2.0
// Facts about this machine and this process. Thread rule: safe from any thread; current_environment() must
// not run beside a setenv().
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/model/types.h"

namespace hostclaw::node_host {

// What `node.host.stats` carries (transport contract 6.3), already within that event's limits.
struct HostStats {
  int cpu_count = 1;                                  // 1..4096
  std::optional<std::array<double, 3>> load_average;  // 1, 5, 15 minutes; absent when all are zero
  std::uint64_t memory_total_bytes = 0;
  std::uint64_t memory_free_bytes = 0;  // what programs can still get without swapping; at most the total
  // Of the volume that holds the home directory; both or none.
  std::optional<std::uint64_t> disk_total_bytes;
  std::optional<std::uint64_t> disk_available_bytes;  // for this user
};

HostStats read_host_stats(const std::string& home);

std::string host_name();             // as uname; "localhost" when it has none
std::string default_display_name();  // what a gateway shows for this machine unless the owner chose a name
std::string current_user();          // "uid 1000 (name)", or "uid 1000" where it has no name
bool running_as_root();
// By which this process is asked to end: SIGINT, SIGTERM; Windows: also when its console is closed.
std::vector<int> stop_signals();
policy::Environment current_environment();  // in the order of the process; entries without `=` left out
// $HOME when absolute, else the account's; "/" as the last resort. Windows: %USERPROFILE%.
std::string home_directory();
std::string current_directory();  // absolute; "/" when it is gone
// A path that leads to the directory of this process, even when it has none any more where there is one.
std::string current_directory_link();
policy::Platform host_policy_platform();  // the rules for paths and command lines of this system
std::string executable_path();            // of this program, absolute, links resolved; empty when unknown
// Since this machine started, sleep included, and which start that was ("" where the system does not say).
std::int64_t uptime_ms();
std::string boot_id();
std::uint64_t resident_bytes();  // of this process, 0 when unknown

}  // namespace hostclaw::node_host
