// SPDX-License-Identifier: Apache-2.0
// Which of the owner's deny and ask rules a command falls under, however it is dressed: behind wrappers,
// inside the text of shells, in what other programs are told to run. Where a part of it cannot be known (a
// variable, a text that is not to be read, a bound), it says which rule could not be excluded. Learns about
// files through FileProbe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/decide/command_analysis.h"
#include "policy/rules/rules.h"

namespace hostclaw::policy {

// `argv` as it would be started, in `directory` (symlinks resolved; nullopt: not known). Time is linear in
// its bytes times the rules; at most 256 files are looked up, 1 MiB of text is read and 64 programs deep is
// looked: beyond that every rule is one that could not be excluded. Requires rules in `input`.
RuleFinding search_rules(const AnalysisInput& input, const std::vector<std::string>& argv,
                         std::optional<std::string> directory);

}  // namespace hostclaw::policy
