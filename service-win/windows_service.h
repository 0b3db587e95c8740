// SPDX-License-Identifier: Apache-2.0
// What both managers of Windows do alike: the log is a file in the state, and what doctor finds follows from
// what the manager says.
#pragma once

#include <string>
#include <vector>

#include "node-host/app/service_manager.h"

namespace hostclaw::service_win {

class WindowsService : public node_host::ServiceManager {
 public:
  Result<int> show_log(const node_host::LogWish& wish) final;
  Result<std::string> read_log(const node_host::LogWish& wish) final;
  std::vector<node_host::ServiceFinding> examine() final;
};

}  // namespace hostclaw::service_win
