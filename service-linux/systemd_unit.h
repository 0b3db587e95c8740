// SPDX-License-Identifier: Apache-2.0
// The text of our unit file, written and read. Pure. Each directive that is absent on purpose has its reason
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
inline constexpr int kStopGraceSeconds = 20;  // for commands that run when the service stops

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

struct UnitFacts {
  bool ours = false;  // carries our marker
  std::vector<std::string> program_arguments;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> groups;
  std::string account;
  std::string working_directory;
  std::string state_directory;
};

UnitFacts read_unit(std::string_view text);

// One word as ExecStart= takes it: quoted where needed, nothing expanded.
std::string exec_word(std::string_view word);

}  // namespace hostclaw::service_linux
