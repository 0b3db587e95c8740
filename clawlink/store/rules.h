// SPDX-License-Identifier: Apache-2.0
// The owner's rules about agents: who may delegate to whom, who may read and write which files. Without a
// rule everybody may. What is denied is denied whatever else is allowed; where something is allowed to some,
// everybody else may not. Patterns know `*` alone. An id that is only claimed is nobody whom a rule allows
// something; `*` allows it to everybody.
//
// Errors: RULE_UNKNOWN, FORBIDDEN, STORE_*.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

inline constexpr const char* kDelegate = "delegate";  // what: the agent that is asked
inline constexpr const char* kReadFile = "read";      // what: the key of the file
inline constexpr const char* kWriteFile = "write";

struct Rule {
  std::int64_t rule_id = 0;
  std::string effect;  // allow | deny
  std::string verb;    // delegate | read | write
  std::string who;     // pattern of agent ids
  std::string what;
};

Result<std::int64_t> add_rule(StoreSession& session, const Rule& rule, const std::string& by);
Result<void> remove_rule(StoreSession& session, std::int64_t rule_id, const std::string& by);
Result<std::vector<Rule>> list_rules(StoreSession& session);

// Who asks. Proven: by a credential, or named by the relay itself.
struct Asker {
  std::string id;
  bool proven = false;
};

// FORBIDDEN, naming the rule.
Result<void> check_rules(StoreSession& session, const char* verb, const Asker& who, const std::string& what);

// The same on a list of rules. Pure.
Result<void> judge(const std::vector<Rule>& rules, std::string_view verb, const Asker& who,
                   std::string_view what);

}  // namespace hostclaw::clawlink
