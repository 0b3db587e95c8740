// What the files of `hostclaw policy` share.
#pragma once

#include <vector>

#include "cli/command_line.h"
#include "policy/lint.h"

namespace hostclaw::cli {

void add_policy_rules(CLI::App& policy, Action& action);

// "warning: ..." and what to do instead, on stderr.
void note_findings(const std::vector<policy::LintFinding>& findings);

}  // namespace hostclaw::cli
