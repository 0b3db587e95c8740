// SPDX-License-Identifier: Apache-2.0
// `hostclaw clawlink` and what its files share.
#pragma once

#include "cli/command_line.h"

namespace hostclaw::cli {

void add_clawlink(CLI::App& parent, Action& action);
// `clawlink serve`.
void add_clawlink_serve(CLI::App& clawlink, Action& action);
// `clawlink enable` and `disable`.
void add_clawlink_service(CLI::App& clawlink, Action& action);
// `clawlink agents`, `credentials`, `rules` and `audit`: the owner's, on the relay's database itself.
void add_clawlink_owner(CLI::App& clawlink, Action& action);

}  // namespace hostclaw::cli
