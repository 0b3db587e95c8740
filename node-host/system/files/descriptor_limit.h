// SPDX-License-Identifier: Apache-2.0
// The limit of open files that children get, where this process has another one. POSIX only.
#pragma once

#include <sys/resource.h>

#include <optional>

namespace hostclaw::node_host {

// nullopt: they get ours. Written once, before the first spawn().
std::optional<rlimit>& descriptor_limit_of_children();

}  // namespace hostclaw::node_host
