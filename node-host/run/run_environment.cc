// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/run_environment.h"

namespace hostclaw::node_host {

void RunEnvironment::set(const std::string& name, const std::string& value) {
  const std::string prefix = name + "=";
  bool replaced = false;
  for (auto item = entries_.begin(); item != entries_.end();) {
    if (!item->starts_with(prefix)) {
      ++item;
    } else if (replaced) {
      item = entries_.erase(item);
    } else {
      *item++ = prefix + value;
      replaced = true;
    }
  }
  if (!replaced) entries_.push_back(prefix + value);
}

std::string RunEnvironment::get(const std::string& name) const {
  const std::string prefix = name + "=";
  for (const auto& item : entries_)
    if (item.starts_with(prefix)) return item.substr(prefix.size());
  return {};
}

}  // namespace hostclaw::node_host
