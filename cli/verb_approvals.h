// SPDX-License-Identifier: Apache-2.0
// What the files of `hostclaw approvals` share.
#pragma once

#include "cli/command_line.h"

namespace hostclaw::cli {

void add_approvals_questions(CLI::App& approvals, Action& action);  // pending, show, resolve
void add_approvals_watch(CLI::App& approvals, Action& action);
void add_approvals_grants(CLI::App& approvals, Action& action);

}  // namespace hostclaw::cli
