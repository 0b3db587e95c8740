// SPDX-License-Identifier: Apache-2.0
// What an approval is bound to beside its words: the working directory and the file that will be read as a
// program. Exec contract 11.2, 11.3, 4.3. Learns about files through FileProbe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/decide/engine.h"
#include "policy/decide/run_request.h"

namespace hostclaw::policy {

struct CwdCheck {
  std::string path;  // real path when ok
  Reason problem = Reason::kNone;
};
CwdCheck check_canonical_cwd(const std::string& absolute_cwd, const EngineContext& context);

struct OperandCheck {
  std::optional<PlanOperand> operand;  // what has to be bound; nullopt: nothing
  Reason problem = Reason::kNone;
};
OperandCheck check_operand(const std::vector<std::string>& argv, const std::string* payload,
                           const std::string& cwd, const EngineContext& context);

// True when the file that the plan binds is still the same path with the same content.
bool is_operand_unchanged(const PlanOperand& operand, const std::vector<std::string>& argv,
                          const std::string& cwd, const EngineContext& context);

}  // namespace hostclaw::policy
