// SPDX-License-Identifier: Apache-2.0
// What an allow-always approval of a command would store. Exec contract 7.6, 11.4. Pure; safe from any
// thread.
#pragma once

#include <string>
#include <vector>

#include "policy/decide/command_analysis.h"
#include "policy/decide/engine.h"

namespace hostclaw::policy {

struct Coverage {
  std::vector<GrantToStore> patterns;  // one per reusable command, without duplicates
  bool complete = false;               // every command is covered
};

// `cwd` is the string that the grant is bound to.
Coverage allow_always_coverage(const CommandAnalysis& analysis, const std::string& cwd,
                               const EngineContext& context);

// `=node-command:` marker of a command text.
GrantToStore node_command_marker(std::string_view command_text);

}  // namespace hostclaw::policy
