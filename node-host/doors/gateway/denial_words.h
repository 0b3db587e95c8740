// SPDX-License-Identifier: Apache-2.0
// OpenClaw's words for a decision that does not allow: what a gateway, its agents and its exec tool compare.
// Exec contract 3.5. Pure; safe from any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "policy/types.h"

namespace hostclaw::node_host {

struct DenialWords {
  std::string code;          // INVALID_REQUEST | SYSTEM_RUN_DENIED | UNAVAILABLE
  std::string message;       // the first line is OpenClaw's; further ones explain and name the next command
  std::string event_reason;  // of exec.denied; empty: no event is sent
};

// Requires: the verdict is not allow. A code without words of its own is told as a miss of the allowlist, or
// as asking where the verdict asks.
DenialWords denial_words(const policy::Decision& decision);

// The codes that have words of their own, or are known to need none.
std::span<const std::string_view> codes_with_words();

}  // namespace hostclaw::node_host
