// SPDX-License-Identifier: Apache-2.0
// The relay as a service, in words of the commands (relay_service_posix.cc, relay_service_windows.cc).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/relay_settings.h"
#include "node-host/app/service_manager.h"

namespace hostclaw::cli {

// Errors: those of node-host/app/service_manager.h; CONFIG_INVALID, RELAY_EXPOSED, TLS_FILES_INVALID.
// `token`: empty keeps the one of an earlier enable.
Result<node_host::ServiceChange> enable_relay(node_host::ServiceScope scope, const RelaySettings& settings,
                                              const std::string& token, bool start);
Result<node_host::ServiceChange> disable_relay(node_host::ServiceScope scope);
// Of which the verbs speak when none is named.
node_host::ServiceScope scope_of_relay();

struct RelayServiceLook {
  RelaySettings settings;
  std::string status;  // running | starting | stopping | stopped | failed | unknown
  bool configuration_error = false;
  std::string start_command;
  std::string restart_command;
  std::string log_command;
};
// nullopt: there is no such service.
std::optional<RelayServiceLook> look_at_relay_service();

}  // namespace hostclaw::cli
