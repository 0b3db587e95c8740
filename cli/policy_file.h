// SPDX-License-Identifier: Apache-2.0
// A whole policy as one file that its owner keeps under version control: rules, switches, the lists of the
// approvals document. What the file does not have is left alone; what it has is exactly so afterwards.
// Entries that allow-always answers have left are no part of it and stay.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "approvals/store/store.h"
#include "base/json.h"
#include "base/result.h"
#include "policy/rules/rules.h"

namespace hostclaw::cli {

struct PolicyFile {
  std::optional<std::vector<policy::Rule>> rules;       // the owner's, sets of templates included
  std::optional<bool> starter;                          // the starter rules are on
  std::optional<std::map<std::string, Json>> settings;  // "exec.…"; what is not named has its initial value
  std::optional<Json> defaults;                         // security, ask, askFallback, autoAllowSkills
  std::optional<Json> agents;                           // the same and `allowlist`, by agent
};

// Strict: unknown members, rules without an id, examples that fail and settings that do not exist are errors
// (POLICY_FILE_INVALID, RULE_*, SETTING_*) that name the member. A member `tests` is left to `policy test`.
Result<PolicyFile> read_policy_file(const std::string& text);
Json to_json(const PolicyFile& file);

// What is stored, complete; of a fresh node where `store` is null.
Result<PolicyFile> stored_policy(approvals::Store* store);

// One line for each thing that would change: `+ ...`, `- ...` or `~ NAME: OLD -> NEW`.
std::vector<std::string> policy_difference(const PolicyFile& stored, const PolicyFile& wanted);

// All of it or, when anything is refused, nothing. Every change is a row of the record.
Result<void> apply_policy(approvals::Store& store, const PolicyFile& wanted);

}  // namespace hostclaw::cli
