// SPDX-License-Identifier: Apache-2.0
// There are no Unix sockets here, and the client is not part of this program.
#include "cli/doctor_hostlink.h"

namespace hostclaw::cli {

HostlinkAnswer ask_hostlink(const hostlink::DoorConfig& config) {
  HostlinkAnswer answer;
  answer.where = config.tcp_bind + ":" + std::to_string(config.tcp_port);
  return answer;
}

std::optional<HostlinkSocket> look_at_hostlink_socket(const hostlink::DoorConfig&) { return std::nullopt; }

}  // namespace hostclaw::cli
