// SPDX-License-Identifier: Apache-2.0
// `hostclaw node install` and its siblings, and what `connect --service` shares with them.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/command_line.h"
#include "cli/node_flags.h"
#include "node-host/app/service_manager.h"

namespace hostclaw::cli {

struct ScopeFlags {
  bool system = false;
  bool user = false;
  node_host::ServiceScope scope() const;         // of what is installed
  node_host::ServiceScope scope_of_new() const;  // of what is to be installed
};
void add_scope_flags(CLI::App& verb, ScopeFlags& flags);

struct InstallFlags {
  NodeFlags node;
  ScopeFlags scope;
  std::string run_as;
  std::vector<std::string> groups;
  std::string state_directory;
  bool force = false;
  bool no_start = false;
  bool json = false;
};
void add_install_flags(CLI::App& verb, InstallFlags& flags);

// The service that those flags mean. Errors: CONFIG_INVALID.
Result<node_host::ServiceSpec> service_spec(const InstallFlags& flags);

// Adds install, uninstall, status, start, stop and restart to `hostclaw node`.
void add_node_service(CLI::App& node, Action& action);

// {"label","loaded","loadedText","notLoadedText","command","runtime"}: OpenClaw's shape of a service.
Json service_json(const node_host::ServiceState& state);

}  // namespace hostclaw::cli
