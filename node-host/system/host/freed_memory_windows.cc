// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/host/freed_memory.h"

namespace hostclaw::node_host {

// The heap of Windows keeps what it needs by itself.
void keep_freed_memory() {}
void give_back_freed_memory() {}

}  // namespace hostclaw::node_host
