// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/control_group.h"

namespace hostclaw::node_host {

std::shared_ptr<ControlGroups> ControlGroups::of_this_service() { return nullptr; }

void ControlGroups::end_all() const {}
void ControlGroups::remove_those(const std::string&, bool) const {}

const std::string& ControlGroups::directory() const {
  static const std::string none;
  return none;
}

}  // namespace hostclaw::node_host
