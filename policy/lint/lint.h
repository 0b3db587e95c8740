// SPDX-License-Identifier: Apache-2.0
// What an owner should know about a policy: entries that open more than they seem to, and entries that never
// match. Looks at files through a FileProbe, which may be null. Pure otherwise.
#pragma once

#include <string>
#include <vector>

#include "policy/decide/engine.h"
#include "policy/document/document.h"

namespace hostclaw::policy {

struct LintFinding {
  enum class Severity { kWarning, kNote };
  Severity severity = Severity::kWarning;
  std::string code;   // OPENS_EVERYTHING | GENERAL_DOOR | NEVER_MATCHES | PATH_MISSING | WIDE_PATTERN |
                      // SELF_LISTED | NOT_EXECUTABLE | POLICY_OPEN | POLICY_MALFORMED
  std::string agent;  // empty: the defaults
  std::size_t index = 0;
  std::string pattern;  // empty: not about an entry
  std::string message;  // one sentence
  std::string instead;  // what to do, or empty
};

std::vector<LintFinding> lint_policy(const PolicyDocument& document, const EngineContext& context);

// The findings about one entry that is about to be added.
std::vector<LintFinding> lint_entry(const std::string& agent, const AllowlistEntry& entry,
                                    const EngineContext& context);

// The findings about entries of `after` that `before` does not have.
std::vector<LintFinding> lint_changes(const PolicyDocument& before, const PolicyDocument& after,
                                      const EngineContext& context);

// Rules that cover nothing any more, or that an allow entry would make pointless. Codes: RULE_EXPIRED |
// RULE_OPENS_EVERYTHING | RULE_GENERAL_DOOR | RULE_SELF_LISTED | RULE_DIRECTORY | RULE_SCRIPT_CHANGED;
// `pattern` is the id of the rule.
std::vector<LintFinding> lint_rules(const std::vector<Rule>& rules, const EngineContext& context);

}  // namespace hostclaw::policy
