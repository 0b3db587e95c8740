// SPDX-License-Identifier: Apache-2.0
// HostLink's door: sockets of its configuration, connections, and what they ask for, through the corridor.
// Source: HostLink contract. Thread rule: the io_context thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "hostlink/door/door_config.h"
#include "node-host/app/door_maker.h"
#include "node-host/system/process/activated_sockets.h"

namespace hostclaw::hostlink {

// Stored by `hostclaw hostlink enable`: {"config": path or ""}; `hostclaw node run` opens the door then.
inline constexpr const char* kDoorSetting = "hostlink.door";

struct DoorSource {
  std::string config_path;       // empty: the defaults, or kDefaultConfigPath where there is one
  bool only_if_enabled = false;  // go by kDoorSetting, and stay shut where it says nothing
  // The Unix socket that the service manager has made: served in the place of unix_path, its file left alone.
  std::shared_ptr<node_host::ActivatedSocket> activated = {};
};

// For NodeOptions::doors. Errors of open(): CONFIG_*, SOCKET_* with what to type.
node_host::DoorMaker hostlink_door(DoorSource source);

// The pin of the certificate that the door has made for itself (tls without tls_cert). Errors:
// TLS_NO_CERTIFICATE.
Result<std::string> own_pin(const std::string& state_directory);

// The configuration that a door would use. Errors: CONFIG_*.
Result<DoorConfig> door_config_of(const std::string& path);

}  // namespace hostclaw::hostlink
