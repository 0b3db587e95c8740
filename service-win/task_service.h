// SPDX-License-Identifier: Apache-2.0
// A user's own node: a task that starts it at logon, through the interface of Task Scheduler 2.0. No
// administrator is needed. See node-host/app/service_manager.h for promises and errors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "service-win/windows_service.h"

namespace hostclaw::service_win {

class TaskService final : public WindowsService {
 public:
  node_host::ServiceState query() override;
  Result<node_host::ServiceChange> install(const node_host::ServiceSpec& spec) override;
  Result<node_host::ServiceChange> uninstall(bool purge) override;
  Result<std::string> prepare(const node_host::ServiceSpec& spec) override;
  Result<int> run_once(const node_host::ServiceSpec& spec, const std::vector<std::string>& arguments,
                       const std::string& input) override;
  Result<node_host::ServiceChange> start() override;
  Result<node_host::ServiceChange> stop() override;
  Result<node_host::ServiceChange> restart() override;
};

// The state directory of this account's installed task, without asking the scheduler; cheap.
std::optional<std::string> registered_task_state();

}  // namespace hostclaw::service_win
