// SPDX-License-Identifier: Apache-2.0
// Who this account is on a relay: ~/.clawlink/agent_state.json (0600), the original client's file with the
// agent's credential in addition. It holds for the relay that it names alone.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace hostclaw::clawlink {

struct AgentState {
  std::string relay_url;
  std::string agent_id;
  std::string agent_name;
  std::string agent_token;  // secret; empty with the original's relay
};

// nullopt: not registered there. STATE_UNREADABLE when the file is there and cannot be used.
Result<std::optional<AgentState>> load_agent_state(const std::string& home, const std::string& relay_url);
// The relay that this account is registered with; nullopt: with none. Errors as above.
Result<std::optional<std::string>> registered_relay(const std::string& home);
// In one step: nobody sees half of it, and a crash leaves the one from before.
Result<void> save_agent_state(const std::string& home, const AgentState& state);
std::string agent_state_path(const std::string& home);

// Without slashes at the end; `localhost` is 127.0.0.1.
std::string comparable_url(std::string url);

}  // namespace hostclaw::clawlink
