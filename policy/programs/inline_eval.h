// SPDX-License-Identifier: Apache-2.0
// strictInlineEval: code given on the command line of an interpreter. Exec contract 8.8. Pure; safe from any
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hostclaw::policy {

struct InlineEvalHit {
  std::string name;     // interpreter name without version suffix, e.g. python3
  std::string form;     // the flag (`-c`), "inline program" or "inline command"
  std::string message;  // `<name> <flag>`, `<name> inline program`, `<name> inline command`
};

// The hit of one segment: looks through dispatch wrappers and carriers. First the effective argv, then the
// raw one.
std::optional<InlineEvalHit> inline_eval_hit(const std::vector<std::string>& argv);

// True for a name that 8.8 lists (version suffix removed).
bool is_inline_eval_interpreter(std::string_view executable_token);

}  // namespace hostclaw::policy
