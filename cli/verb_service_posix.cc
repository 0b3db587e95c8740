// SPDX-License-Identifier: Apache-2.0
// Service managers of POSIX systems start `hostclaw node run` itself.
#include "cli/command_line.h"

namespace hostclaw::cli {

void add_service(CLI::App&, Action&) {}

}  // namespace hostclaw::cli
