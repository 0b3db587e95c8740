// SPDX-License-Identifier: Apache-2.0
// OpenClaw's words for a decision that does not allow: what a gateway, its agents and its exec tool compare.
// Exec contract 3.5. Pure; safe from any thread.
#pragma once

#include <string>

#include "policy/model/types.h"

namespace hostclaw::node_host {

struct DenialWords {
  std::string code;          // INVALID_REQUEST | SYSTEM_RUN_DENIED | UNAVAILABLE
  std::string message;       // the first line is OpenClaw's; further ones explain and name the next command
  std::string event_reason;  // of exec.denied; empty: no event is sent
};

// Requires: the verdict is not allow. Every code has its row in a table there; one without does not compile.
DenialWords denial_words(const policy::Decision& decision);

// For a prepare that gives no plan (policy::PrepareEvaluation::refusal).
DenialWords prepare_words(const policy::Decision& refusal);

}  // namespace hostclaw::node_host
