// SPDX-License-Identifier: Apache-2.0
// The process that the Service Control Manager starts. It answers the manager while the node runs: starting
// until the node serves or honestly waits for a person, running, stopping while commands end. It ends the
// process when the node makes no progress or does not stop, so that the manager can start it again.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "node-host/system/process/supervisor.h"

namespace hostclaw::service_win {

struct ServiceProcess {
  std::string state_directory;  // service.status is written there
  // The node: answers the exit status of `node run`. It must take the supervisor's stop request, or end on
  // SIGTERM, which is raised when it took none.
  std::function<int(std::unique_ptr<node_host::Supervisor>)> run;
};

// Returns when the service has stopped, with the exit status of the node. After a failure that calls for a
// restart it does not return: the process ends as a crash does. At most once per process. Errors:
// SERVICE_NOT_SUPERVISED (the Service Control Manager did not start this process; Windows says so after some
// seconds), SERVICE_FAILED.
Result<int> run_as_service(ServiceProcess process);

// The same for the logon task, whose manager neither restarts nor stops gently: this process starts
// `hostclaw service logon-node ...` without a window, starts it again after a failure with the service's own
// pauses, and passes on a stop request of `hostclaw node stop --user`. Answers the last exit status.
Result<int> watch_over_logon_node(const std::string& state_directory);

// The node that the above started: a supervisor that hears its stop request.
std::unique_ptr<node_host::Supervisor> logon_node_supervisor(const std::string& state_directory);

// Asks the logon task's process of this account to stop; false: none listens.
bool ask_logon_node_to_stop();

}  // namespace hostclaw::service_win
