// SPDX-License-Identifier: Apache-2.0
// Commands that would use this very program on itself. What changes its policy, answers, grants, keys or
// record is never for a run of the node, whatever the policy says and whoever approves; nor is what shows
// other runs. Everything else is a program like others.
//
// The program is known by its name, by the identity of its file (links of either kind, other names) and by
// its content (copies). It is looked for as the program of each command, behind wrappers, as a later word of
// a command that starts others, and in text that could not be read or is handed to an interpreter. What hides
// better than that is stopped by the command line itself, which asks the system whether it descends from a
// run.
//
// Pure; learns about files through FileProbe.
#pragma once

#include <optional>
#include <string>

#include "policy/decide/command_analysis.h"
#include "policy/decide/own_verbs.h"

namespace hostclaw::policy {

struct SelfUse {
  VerbUse use = VerbUse::kChanges;  // never one that is for runs
  std::string shown;                // "hostclaw exec-policy preset"; arguments are left out
};

// The first command of the request that is not for a run.
std::optional<SelfUse> forbidden_self_use(const AnalysisInput& input, const CommandAnalysis& analysis);

// True when `file` is this program.
bool is_own_program(const ExecutableLookup& file, const EngineContext& context);

}  // namespace hostclaw::policy
