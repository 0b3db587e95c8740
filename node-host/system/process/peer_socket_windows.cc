// SPDX-License-Identifier: Apache-2.0
// Windows has no Unix sockets here: peers come by TLS and are known by their token and address.
#include "node-host/system/process/peer_socket.h"

namespace hostclaw::node_host {

std::optional<PeerProcess> peer_process(NativeHandle) { return std::nullopt; }
std::optional<LoopbackEnds> loopback_ends(NativeHandle) { return std::nullopt; }
bool process_lives(std::int64_t) { return true; }
PeerProcess process_of(const LoopbackEnds&) { return {}; }
std::string container_of(const std::string&) { return {}; }
// A peer that has gone is noticed when it is written to.
PeerPresence peer_presence(NativeHandle) { return PeerPresence::kThere; }
bool set_socket_mode(NativeHandle, std::uint32_t) { return false; }
bool set_file_group(const std::string&, const std::string&) { return false; }
bool set_file_mode(const std::string&, std::uint32_t) { return false; }
bool remove_stale_socket(const std::string&) { return false; }

}  // namespace hostclaw::node_host
