// SPDX-License-Identifier: Apache-2.0
// One file, several programs: which one it is says the name that it was called by.
#pragma once

#include <optional>

namespace hostclaw::cli {

// As `hostlink` or `hostlink-cli` (links to this program) it is HostLink's client, and this is its exit
// status; nothing when it is hostclaw.
std::optional<int> run_as_called(int argc, char** argv);

}  // namespace hostclaw::cli
