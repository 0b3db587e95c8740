// SPDX-License-Identifier: Apache-2.0
#include "cli/called_as.h"

namespace hostclaw::cli {

// HostLink's client is a program of the container, which is Linux.
std::optional<int> run_as_called(int, char**) { return std::nullopt; }

}  // namespace hostclaw::cli
