// SPDX-License-Identifier: Apache-2.0
// The checks of `hostclaw doctor` for HostLink's door: is it served, who may reach its socket, who may come
// in. They look and change nothing; the daemon is asked as anybody may ask it, without a token.
// Cost: one connection to a socket of this machine, at most a second.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "approvals/store/store.h"
#include "cli/doctor_checks.h"
#include "hostlink/door/door_config.h"

namespace hostclaw::cli {

inline constexpr const char* kHostlinkOff = "HOSTLINK_OFF";

std::vector<CheckResult> examine_hostlink(approvals::Store& store);

// ---- what the system tells (hostlink_probe_posix.cc, hostlink_probe_windows.cc)

struct HostlinkAnswer {
  enum class Kind {
    kHostclaw,  // it answers a hello of protocol 2
    kOlder,     // it answers, and knows protocol 1 only
    kSilent,    // something listens, and says nothing that can be read
    kClosed,    // this account may not connect
    kNobody,
    kUnknown,  // it cannot be asked from here
  };
  Kind kind = Kind::kUnknown;
  std::string where;   // a path, or address:port
  std::string node;    // how it calls itself
  std::string detail;  // why nobody answered
};
HostlinkAnswer ask_hostlink(const hostlink::DoorConfig& config);

struct HostlinkSocket {
  unsigned mode = 0;
  std::string group;  // its name, or its number
  bool configured_group_exists = false;
};
// nullopt: there is no socket at its path, or none on this system.
std::optional<HostlinkSocket> look_at_hostlink_socket(const hostlink::DoorConfig& config);

}  // namespace hostclaw::cli
