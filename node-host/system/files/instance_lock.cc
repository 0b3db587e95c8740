// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/instance_lock.h"

#include <charconv>

namespace hostclaw::node_host {

RunningNode parse_running_node(std::string_view content) {
  RunningNode node;
  std::from_chars(content.data(), content.data() + content.size(), node.pid);
  const std::size_t line = content.find('\n');
  if (line == std::string_view::npos) return node;
  const std::string_view rest = content.substr(line + 1);
  node.note = std::string(rest.substr(0, rest.find('\n')));
  return node;
}

}  // namespace hostclaw::node_host
