// SPDX-License-Identifier: Apache-2.0
// The machine's service, as the Service Control Manager sees it. See node-host/app/service_manager.h for
// promises and errors. Changing it needs an elevated prompt.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node-host/app/service_manager.h"
#include "service-win/service_plan.h"
#include "service-win/windows_service.h"

namespace hostclaw::service_win {

class ScmService final : public WindowsService {
 public:
  node_host::ServiceState query() override;
  Result<node_host::ServiceChange> install(const node_host::ServiceSpec& spec) override;
  Result<node_host::ServiceChange> uninstall(bool purge) override;
  Result<std::string> prepare(const node_host::ServiceSpec& spec) override;
  // Installs the service for that, without starting the node: the account's secrets are readable to it alone.
  Result<int> run_once(const node_host::ServiceSpec& spec, const std::vector<std::string>& arguments,
                       const std::string& input) override;
  Result<node_host::ServiceChange> start() override;
  Result<node_host::ServiceChange> stop() override;
  Result<node_host::ServiceChange> restart() override;
};

// What the registry says of the service without asking the manager; cheap.
std::optional<Definition> registered_definition();

// Both managers': refusals that look the same.
Result<void> check_spec(const node_host::ServiceSpec& spec, node_host::ServiceScope scope);
// Adds what examine() found to what a verb tells.
void add_findings(node_host::ServiceManager& manager, node_host::ServiceChange& change);
Result<int> run_program(const node_host::ServiceSpec& spec, const std::string& state_directory,
                        const std::vector<std::string>& arguments, const std::string& input);
Error not_installed(node_host::ServiceScope scope);

// The checks of `hostclaw doctor`.
std::vector<node_host::ServiceFinding> service_findings(const node_host::ServiceState& state);

}  // namespace hostclaw::service_win
