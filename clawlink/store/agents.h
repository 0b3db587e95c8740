// SPDX-License-Identifier: Apache-2.0
// Agents, their credentials, and who may speak as whom.
//
// A credential is `clk_<key id>_<random>`; the database holds its SHA-256 alone. From the first time that one
// is used, its agent is guarded: nothing but a credential of this agent speaks as it, and the shared token,
// or nothing on a relay without one, has no power over it. At most two credentials of an agent are in force,
// so that one can be replaced without a gap. A guarded agent that leaves keeps its id from everybody for as
// long as tasks are kept.
//
// Errors: AGENT_INVALID, AGENTS_FULL, AGENT_UNKNOWN, CREDENTIAL_UNKNOWN, UNAUTHORIZED, FORBIDDEN, STORE_*.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

// Names that the relay itself speaks by; no agent has them.
inline constexpr std::string_view kRelayName = "relay";
inline constexpr std::string_view kA2aClientName = "a2a-client";  // A2A callers without a credential
bool is_reserved_id(std::string_view agent_id);

struct Agent {
  std::string agent_id;
  std::string name;
  Json capabilities = Json::array();
  std::string machine;
  std::string description;
  std::int64_t registered_at_ms = 0;
  std::int64_t last_seen_ms = 0;
  bool guarded = false;
};

// Replaces what was said before of the same id; what waits for it stays.
Result<void> put_agent(StoreSession& session, const Agent& agent);
Result<std::optional<Agent>> find_agent(StoreSession& session, std::string_view agent_id);
// False: there is no such agent.
Result<bool> heard_of(StoreSession& session, std::string_view agent_id);
struct AgentFilter {
  bool only_online = false;
  std::string except;  // empty: nobody
};
Result<std::vector<Agent>> list_agents(StoreSession& session, const AgentFilter& filter);
Result<std::int64_t> count_agents(StoreSession& session, bool only_online);
// The agent, its credentials and what waits for it; delegators of tasks that it had are told. AGENT_UNKNOWN.
Result<void> remove_agent(StoreSession& session, const std::string& agent_id, const std::string& by);

// {agent_id, name, ..., status}: the original's record.
Json to_json(const Agent& agent, std::int64_t now_ms, const RelayLimits& limits);

struct NewCredential {
  std::string key_id;
  std::string token;  // secret; shown once
};
// The ones that were never used go; of used ones the newest stays.
Result<NewCredential> make_credential(StoreSession& session, const std::string& agent_id,
                                      const std::string& by);
// Of one key, or of every key of an agent. CREDENTIAL_UNKNOWN.
Result<std::int64_t> revoke_credentials(StoreSession& session, const std::string& key_or_agent,
                                        const std::string& by);
struct Credential {
  std::string key_id;
  std::string agent_id;
  std::int64_t created_at_ms = 0;
  std::int64_t used_at_ms = 0;
  std::int64_t revoked_at_ms = 0;
};
Result<std::vector<Credential>> list_credentials(StoreSession& session, const std::string& agent_id);

// What a request showed.
struct Presented {
  std::optional<std::string> bearer;  // a header of that scheme wins, even when it is wrong
  std::string query_token;
};
struct AccessRules {
  std::string shared_token;  // empty: none is needed
  bool require_credentials = false;
};
struct Caller {
  std::string agent;  // of the credential; empty: the shared token, or nothing where nothing is needed
  std::string key_id;
  bool has_credential() const { return !agent.empty(); }
  // For keys of repeated requests and for the record.
  std::string name() const { return has_credential() ? "agent:" + agent : "shared"; }
};
// False: the shared token, or nothing, so that the store need not be asked.
bool shows_credential(const Presented& presented);
Result<Caller> authenticate_shared(const AccessRules& rules, const Presented& presented);
// UNAUTHORIZED. A credential is looked up and remembered as used.
Result<Caller> authenticate(StoreSession& session, const AccessRules& rules, const Presented& presented);

// The agent that the caller speaks as: of the credential, else the one that is claimed, when nobody guards
// it. FORBIDDEN; an empty id with a caller without credential stays empty.
struct Sender {
  std::string agent;
  bool verified = false;
};
Result<Sender> speak_as(StoreSession& session, const AccessRules& rules, const Caller& caller,
                        const std::string& claimed);

// Whether that agent speaks with its credential alone, or did so when it left.
Result<bool> is_guarded(StoreSession& session, std::string_view agent_id);

}  // namespace hostclaw::clawlink
