// SPDX-License-Identifier: Apache-2.0
// The relay is no service here yet: `clawlink serve` is started by whoever wants it.
#include "cli/relay_service.h"

namespace hostclaw::cli {
namespace {

Error no_relay_service() {
  return make_error("SERVICE_MANAGER_MISSING", "the relay is a service of systemd only, which is not here",
                    "hostclaw clawlink serve");
}

}  // namespace

Result<node_host::ServiceChange> enable_relay(node_host::ServiceScope, const RelaySettings&,
                                              const std::string&, bool) {
  return no_relay_service();
}
Result<node_host::ServiceChange> disable_relay(node_host::ServiceScope) { return no_relay_service(); }
node_host::ServiceScope scope_of_relay() { return node_host::ServiceScope::kSystem; }
std::optional<RelayServiceLook> look_at_relay_service() { return std::nullopt; }

}  // namespace hostclaw::cli
