// SPDX-License-Identifier: Apache-2.0
// The text of our unit files, written and read. Pure. Each directive that is absent on purpose has its reason
// in docs/service.md. Source: systemd.service(5), systemd.exec(5), systemd.syntax(7).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/profile.h"
#include "node-host/app/service_manager.h"

namespace hostclaw::service_linux {

// Of this profile.
inline std::string unit_name() { return with_profile("hostclaw") + ".service"; }
inline std::string relay_unit_name() { return with_profile("hostclaw-clawlink") + ".service"; }
inline constexpr const char* kRelayToken = "clawlink-token";  // the credential's name
inline constexpr int kStopGraceSeconds = 20;                  // for commands that run when the service stops

struct UnitPlan {
  node_host::ServiceScope scope = node_host::ServiceScope::kSystem;
  std::vector<std::string> program_arguments;  // absolute program first
  std::string account;                         // system scope only
  bool own_account = false;                    // one that only this service uses
  std::vector<std::string> groups;
  std::string state_directory;
  bool standard_state = false;  // systemd makes it: a folder of /var/lib
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::pair<std::string, std::string>> credentials;  // id, absolute path of a 0600 file
  int systemd_version = 0;
};

std::string render_unit(const UnitPlan& plan);

// The relay for agents (`hostclaw clawlink serve`). It runs no commands, so that it is closed in much
// further.
struct RelayUnitPlan {
  node_host::ServiceScope scope = node_host::ServiceScope::kSystem;
  std::vector<std::string> program_arguments;  // absolute program first; never a secret
  std::string account;                         // system scope only
  std::string state_directory;
  bool standard_state = false;  // systemd makes it: a folder of /var/lib
  std::vector<std::pair<std::string, std::string>> environment;
  std::string token_file;  // absolute path of a 0600 file; empty: no token
  int systemd_version = 0;
};

std::string render_relay_unit(const RelayUnitPlan& plan);

struct UnitFacts {
  bool ours = false;      // carries our marker
  bool of_relay = false;  // carries the relay's
  std::vector<std::string> program_arguments;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::pair<std::string, std::string>> credentials;
  std::vector<std::string> groups;
  std::string account;
  std::string working_directory;
  std::string state_directory;
};

UnitFacts read_unit(std::string_view text);

// One word as ExecStart= takes it: quoted where needed, nothing expanded.
std::string exec_word(std::string_view word);

}  // namespace hostclaw::service_linux
