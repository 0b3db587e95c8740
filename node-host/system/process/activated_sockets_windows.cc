// SPDX-License-Identifier: Apache-2.0
// Windows' service manager passes no sockets.
#include "node-host/system/process/activated_sockets.h"

namespace hostclaw::node_host {

Result<std::optional<ActivatedSocket>> take_activated_socket() { return std::optional<ActivatedSocket>(); }

}  // namespace hostclaw::node_host
