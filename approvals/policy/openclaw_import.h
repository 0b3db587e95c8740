// SPDX-License-Identifier: Apache-2.0
// Reads an OpenClaw state directory of either generation, read-only: identity, node device token, node
// settings and the approvals document. 2026.9.6: state/openclaw.sqlite (tolerates a live WAL). 2026.4.20:
// identity/device.json, identity/device-auth.json, node.json, exec-approvals.json. Source: transport contract
// section 8.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "approvals/store/store.h"
#include "base/result.h"

namespace hostclaw::approvals {

struct OpenClawState {
  std::string generation;  // "sqlite" | "files"
  std::optional<IdentityRow> identity;
  std::optional<std::string> node_token;  // secret
  std::optional<Json> node_config;        // {version, nodeId, displayName, gateway:{...}}
  std::optional<std::string> approvals_raw_text;
  std::vector<std::string> notes;  // what was left out and why, one sentence each
};

// Errors: IMPORT_NOT_FOUND (no OpenClaw state there), IMPORT_UNREADABLE, IMPORT_MALFORMED (names the file or
// row). Never writes into `directory`.
Result<OpenClawState> read_openclaw_state(const std::string& directory);

}  // namespace hostclaw::approvals
