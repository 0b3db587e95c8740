// SPDX-License-Identifier: Apache-2.0
// The checks of `hostclaw doctor` for the relay of agents: does it answer, its clock, its certificate, who
// may read its token, its database. They look and change nothing. Cost: one connection to this machine, a
// second at most, and SQLite's quick_check.
#pragma once

#include <string>
#include <vector>

#include "cli/doctor_checks.h"

namespace hostclaw::cli {

inline constexpr const char* kClawlinkOff = "CLAWLINK_OFF";

const std::vector<std::string>& clawlink_checks();
std::vector<CheckResult> examine_clawlink(const std::string& state_directory);

}  // namespace hostclaw::cli
