// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

namespace hostclaw::cli {

// Not of the form YYYY.M.P: a gateway would read that as an OpenClaw release and compare it with its own.
std::string version() { return "native-" HOSTCLAW_VERSION; }

}  // namespace hostclaw::cli
