// SPDX-License-Identifier: Apache-2.0
// What the files of `hostclaw audit` share.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"

namespace hostclaw::cli {

// `audit retention` and `audit mirror`, as children of `audit`.
void add_audit_settings(CLI::App& audit, Action& action);

// The mirrors that are configured and how they are doing: {"journald": {"target", "sent", "dropped", ...}}.
Json mirrors_json(approvals::Store& store);
// One line for each: `journald  /run/...: 120 rows, up to row 124`; with `only_failing`, those that lose
// rows.
std::vector<std::string> mirror_lines(approvals::Store& store, bool only_failing = false);

}  // namespace hostclaw::cli
