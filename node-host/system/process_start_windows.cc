#include "node-host/system/process_start.h"

namespace hostclaw::node_host {

void settle_inherited_state() {}

void ignore_broken_pipes() {}

std::uint64_t raise_descriptor_limit(std::uint64_t wanted) { return wanted; }

}  // namespace hostclaw::node_host
