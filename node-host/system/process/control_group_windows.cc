// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/control_group.h"

namespace hostclaw::node_host {

std::shared_ptr<ControlGroups> ControlGroups::of_this_service() { return nullptr; }

const std::string& ControlGroups::directory() const {
  static const std::string none;
  return none;
}

}  // namespace hostclaw::node_host
