// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/agents.h"

#include "base/sha256.h"
#include "base/text.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/queue.h"
#include "clawlink/store/tasks.h"

namespace hostclaw::clawlink {
namespace {

using approvals::Statement;

constexpr std::size_t kKeyIdBytes = 8;
constexpr std::size_t kSecretBytes = 32;
constexpr std::string_view kTokenStart = "clk_";
// How old the stored moment of an agent or a key may become before it is written again: reading is no reason
// to write the disk each time.
constexpr std::int64_t kSeenGrain = 5 * kSecond;

#define HOSTCLAW_AGENT_COLUMNS \
  "agent_id, name, capabilities, machine, description, registered_at_ms, last_seen_ms, guarded"

Agent read_agent(const Statement& query) {
  Agent agent;
  agent.agent_id = query.text(0);
  agent.name = query.text(1);
  if (Result<Json> known = parse_json(query.text_view(2))) agent.capabilities = std::move(*known);
  agent.machine = query.text(3);
  agent.description = query.text(4);
  agent.registered_at_ms = query.integer(5);
  agent.last_seen_ms = query.integer(6);
  agent.guarded = query.integer(7) != 0;
  return agent;
}

std::string digest_of(std::string_view token) {
  const Sha256Digest digest = sha256(token);
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// "clk_<key id>_<random>": the key id is of hexadecimal digits, the rest is not looked into.
std::optional<std::string> key_id_of(std::string_view token) {
  if (!token.starts_with(kTokenStart)) return std::nullopt;
  token.remove_prefix(kTokenStart.size());
  const std::size_t end = token.find('_');
  if (end == std::string_view::npos || end != 2 * kKeyIdBytes) return std::nullopt;
  return std::string(token.substr(0, end));
}

Error unauthorized() {
  return make_error("UNAUTHORIZED", "Unauthorized. Provide Authorization: Bearer <token>");
}

Result<Caller> authenticate_credential(StoreSession& session, const std::string& key_id,
                                       const std::string& token) {
  Statement query = session.database.statement(
      "SELECT agent_id, sha256, expires_at_ms, revoked_at_ms, used_at_ms FROM credentials WHERE key_id = ?");
  const Result<bool> found = query.bind(key_id).step();
  if (!found) return found.error();
  // The same work for a key that there is not.
  const std::string expected = *found ? query.blob(1) : std::string(32, '\0');
  const bool fits = equal_constant_time(expected, digest_of(token));
  if (!*found || !fits || query.integer(3) != 0 ||
      (query.integer(2) != 0 && query.integer(2) <= session.now_ms)) {
    return unauthorized();
  }
  Caller caller{query.text(0), key_id};
  const std::int64_t used_at = query.integer(4);
  if (used_at != 0 && (!session.stamps || session.now_ms - used_at < kSeenGrain)) return caller;
  if (Result<void> done = session.database.statement("UPDATE credentials SET used_at_ms = ? WHERE key_id = ?")
                              .bind(session.now_ms)
                              .bind(key_id)
                              .run();
      !done) {
    return done.error();
  }
  if (used_at != 0) return caller;
  if (Result<void> done = session.database.statement("UPDATE agents SET guarded = 1 WHERE agent_id = ?")
                              .bind(caller.agent)
                              .run();
      !done) {
    return done.error();
  }
  if (Result<void> done =
          session.record("credential", {{"agent", caller.agent}, {"key", key_id}, {"guarded", true}});
      !done) {
    return done.error();
  }
  return caller;
}

// The tasks that an agent has, waiting or in work.
Result<std::vector<std::string>> open_tasks_of(StoreSession& session, const std::string& agent_id) {
  Statement query = session.database.statement(
      "SELECT task_id FROM tasks WHERE to_agent = ? AND state IN ('submitted', 'working', 'input_required')");
  query.bind(agent_id);
  return approvals::read_rows(query, [](const Statement& row) { return row.text(0); });
}

// One that is offline and was not heard of since it registered.
Result<bool> remove_silent_agent(StoreSession& session) {
  std::string silent;
  {
    Statement query = session.database.statement(
        "SELECT agent_id FROM agents WHERE guarded = 0 AND last_seen_ms <= ? AND last_seen_ms = "
        "registered_at_ms ORDER BY last_seen_ms LIMIT 1");
    const Result<bool> found = query.bind(session.now_ms - session.limits.online_ms).step();
    if (!found || !*found) return found;
    silent = query.text(0);
  }
  if (Result<void> gone = remove_agent(session, silent, std::string(kRelayName)); !gone) return gone.error();
  return true;
}

}  // namespace

bool is_reserved_id(std::string_view agent_id) {
  return agent_id == kRelayName || agent_id == kA2aClientName;
}

Result<void> put_agent(StoreSession& session, const Agent& agent) {
  const Result<std::optional<Agent>> before = find_agent(session, agent.agent_id);
  if (!before) return before.error();
  if (!*before) {
    const Result<std::int64_t> known = count_agents(session, false);
    if (!known) return known.error();
    if (*known >= session.limits.agents) {
      const Result<bool> room = remove_silent_agent(session);
      if (!room) return room.error();
      if (!*room) return make_error("AGENTS_FULL", "this relay knows too many agents already");
    }
  }
  const Result<void> done =
      session.database
          .statement("INSERT INTO agents (" HOSTCLAW_AGENT_COLUMNS
                     ") VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (agent_id) DO UPDATE SET name = "
                     "excluded.name, capabilities = excluded.capabilities, machine = excluded.machine, "
                     "description = excluded.description, registered_at_ms = excluded.registered_at_ms, "
                     "last_seen_ms = excluded.last_seen_ms")
          .bind(agent.agent_id)
          .bind(agent.name)
          .bind(dump_json(agent.capabilities))
          .bind(agent.machine)
          .bind(agent.description)
          .bind(session.now_ms)
          .bind(session.now_ms)
          .bind(static_cast<std::int64_t>(*before && (*before)->guarded))
          .run();
  if (!done) return done;
  session.effects.look_at(session.now_ms + session.limits.forget_agent_ms);
  return session.record("agent",
                        {{"agent", agent.agent_id}, {"name", agent.name}, {"again", before->has_value()}});
}

Result<std::optional<Agent>> find_agent(StoreSession& session, std::string_view agent_id) {
  Statement query =
      session.database.statement("SELECT " HOSTCLAW_AGENT_COLUMNS " FROM agents WHERE agent_id = ?");
  const Result<bool> found = query.bind(agent_id).step();
  if (!found) return found.error();
  if (!*found) return std::optional<Agent>();
  return std::optional<Agent>(read_agent(query));
}

Result<bool> heard_of(StoreSession& session, std::string_view agent_id) {
  Statement query = session.database.statement("SELECT last_seen_ms FROM agents WHERE agent_id = ?");
  const Result<bool> found = query.bind(agent_id).step();
  if (!found || !*found) return found;
  if (!session.stamps || session.now_ms - query.integer(0) < kSeenGrain) return true;
  const Result<void> done =
      session.database.statement("UPDATE agents SET last_seen_ms = ? WHERE agent_id = ?")
          .bind(session.now_ms)
          .bind(agent_id)
          .run();
  if (!done) return done.error();
  return true;
}

Result<std::vector<Agent>> list_agents(StoreSession& session, const AgentFilter& filter) {
  Statement query = session.database.statement("SELECT " HOSTCLAW_AGENT_COLUMNS
                                               " FROM agents WHERE last_seen_ms > ? AND agent_id <> ? ORDER "
                                               "BY registered_at_ms, agent_id");
  query.bind(filter.only_online ? session.now_ms - session.limits.online_ms : std::int64_t{-1});
  query.bind(filter.except);
  return approvals::read_rows(query, read_agent);
}

Result<std::int64_t> count_agents(StoreSession& session, bool only_online) {
  Statement query = session.database.statement("SELECT count(*) FROM agents WHERE last_seen_ms > ?");
  query.bind(only_online ? session.now_ms - session.limits.online_ms : std::int64_t{-1});
  const Result<bool> found = query.step();
  if (!found) return found.error();
  return query.integer(0);
}

Result<void> remove_agent(StoreSession& session, const std::string& agent_id, const std::string& by) {
  const Result<void> gone =
      session.database.statement("DELETE FROM agents WHERE agent_id = ?").bind(agent_id).run();
  if (!gone) return gone;
  if (sqlite3_changes64(session.database.handle()) == 0)
    return make_error("AGENT_UNKNOWN", "no agent " + agent_id + " is registered");
  // Used ones stay, revoked: they tell that the id was somebody's.
  if (Result<void> done =
          session.database.statement("DELETE FROM credentials WHERE agent_id = ? AND used_at_ms = 0")
              .bind(agent_id)
              .run();
      !done) {
    return done;
  }
  if (Result<void> done =
          session.database.statement("UPDATE credentials SET revoked_at_ms = ? WHERE agent_id = ?")
              .bind(session.now_ms)
              .bind(agent_id)
              .run();
      !done) {
    return done;
  }
  const Result<std::vector<std::string>> open = open_tasks_of(session, agent_id);
  if (!open) return open.error();
  for (const char* sql :
       {"DELETE FROM deliveries WHERE to_agent = ?", "DELETE FROM sent_events WHERE agent_id = ?"}) {
    Statement query = session.database.statement(sql);
    if (Result<void> done = query.bind(agent_id).run(); !done) return done;
  }
  for (const std::string& task_id : *open) {
    const Result<std::optional<Task>> task = find_task(session, task_id);
    if (!task) return task.error();
    if (!*task) continue;
    const bool taken = (*task)->state != TaskState::kSubmitted;
    if (Result<void> done =
            fail_task(session, **task, (taken ? "" : "not delivered: ") + agent_id + " has left");
        !done) {
      return done;
    }
  }
  return session.record("agent", {{"agent", agent_id}, {"by", by}, {"left", true}});
}

Json to_json(const Agent& agent, std::int64_t now_ms, const RelayLimits& limits) {
  const bool online = now_ms - agent.last_seen_ms < limits.online_ms;
  return {{"agent_id", agent.agent_id},
          {"name", agent.name},
          {"capabilities", agent.capabilities},
          {"machine", agent.machine},
          {"description", agent.description},
          {"registered_at", iso_time(agent.registered_at_ms)},
          {"last_heartbeat", static_cast<double>(agent.last_seen_ms) / 1000.0},
          {"status", online ? "online" : "offline"}};
}

Result<NewCredential> make_credential(StoreSession& session, const std::string& agent_id,
                                      const std::string& by) {
  // Those that nobody has used, and all used ones but the newest.
  if (Result<void> done =
          session.database
              .statement(
                  "UPDATE credentials SET revoked_at_ms = ?1 WHERE agent_id = ?2 AND revoked_at_ms = 0 "
                  "AND key_id <> coalesce((SELECT key_id FROM credentials WHERE agent_id = ?2 AND "
                  "revoked_at_ms = 0 AND used_at_ms > 0 ORDER BY used_at_ms DESC LIMIT 1), '')")
              .bind(session.now_ms)
              .bind(agent_id)
              .run();
      !done) {
    return done.error();
  }
  NewCredential made;
  const std::string raw = random_text(kKeyIdBytes);
  const auto bytes = from_base64url(raw).value_or(std::vector<std::uint8_t>());
  made.key_id = to_hex(bytes);
  made.token = std::string(kTokenStart) + made.key_id + "_" + random_text(kSecretBytes);
  if (Result<void> done =
          session.database
              .statement("INSERT INTO credentials (key_id, agent_id, sha256, created_at_ms, used_at_ms, "
                         "expires_at_ms, revoked_at_ms) VALUES (?, ?, ?, ?, 0, 0, 0)")
              .bind(made.key_id)
              .bind(agent_id)
              .bind_blob(digest_of(made.token))
              .bind(session.now_ms)
              .run();
      !done) {
    return done.error();
  }
  if (Result<void> done = session.record(
          "credential", {{"agent", agent_id}, {"key", made.key_id}, {"by", by}, {"made", true}});
      !done) {
    return done.error();
  }
  return made;
}

Result<std::int64_t> revoke_credentials(StoreSession& session, const std::string& key_or_agent,
                                        const std::string& by) {
  Result<void> done =
      session.database
          .statement(
              "UPDATE credentials SET revoked_at_ms = ?1 WHERE revoked_at_ms = 0 AND (key_id = ?2 OR "
              "agent_id = ?2)")
          .bind(session.now_ms)
          .bind(key_or_agent)
          .run();
  if (!done) return done.error();
  const auto revoked = static_cast<std::int64_t>(sqlite3_changes64(session.database.handle()));
  if (revoked == 0)
    return make_error("CREDENTIAL_UNKNOWN", "no credential in force has this key or is of this agent",
                      "hostclaw clawlink credentials list");
  done = session.record("credential", {{"of", key_or_agent}, {"by", by}, {"revoked", revoked}});
  if (!done) return done.error();
  return revoked;
}

Result<std::vector<Credential>> list_credentials(StoreSession& session, const std::string& agent_id) {
  Statement query = session.database.statement(
      "SELECT key_id, agent_id, created_at_ms, used_at_ms, revoked_at_ms FROM credentials WHERE ?1 = '' OR "
      "agent_id = ?1 ORDER BY agent_id, created_at_ms");
  query.bind(agent_id);
  return approvals::read_rows(query, [](const Statement& row) {
    return Credential{row.text(0), row.text(1), row.integer(2), row.integer(3), row.integer(4)};
  });
}

bool shows_credential(const Presented& presented) { return presented.bearer && key_id_of(*presented.bearer); }

Result<Caller> authenticate(StoreSession& session, const AccessRules& rules, const Presented& presented) {
  if (shows_credential(presented))
    return authenticate_credential(session, *key_id_of(*presented.bearer), *presented.bearer);
  return authenticate_shared(rules, presented);
}

Result<Caller> authenticate_shared(const AccessRules& rules, const Presented& presented) {
  if (rules.shared_token.empty()) return Caller();
  const std::string& shown = presented.bearer ? *presented.bearer : presented.query_token;
  if (!equal_constant_time(shown, rules.shared_token)) return unauthorized();
  return Caller();
}

Result<bool> is_guarded(StoreSession& session, std::string_view agent_id) {
  const Result<std::optional<Agent>> agent = find_agent(session, agent_id);
  if (!agent) return agent.error();
  if (*agent) return (*agent)->guarded;
  return session.database.statement("SELECT 1 FROM credentials WHERE agent_id = ? AND used_at_ms > 0")
      .bind(agent_id)
      .step();
}

Result<Sender> speak_as(StoreSession& session, const AccessRules& rules, const Caller& caller,
                        const std::string& claimed) {
  if (caller.has_credential()) {
    if (!claimed.empty() && claimed != caller.agent)
      return make_error("FORBIDDEN", "this credential is of agent " + caller.agent + ", not of " + claimed);
    return Sender{caller.agent, true};
  }
  if (rules.require_credentials)
    return make_error("FORBIDDEN", "this relay wants the agent_token of the agent that speaks");
  if (claimed.empty()) return Sender{};
  if (is_reserved_id(claimed)) return make_error("FORBIDDEN", claimed + " is a name of the relay's own");
  const Result<bool> guarded = is_guarded(session, claimed);
  if (!guarded) return guarded.error();
  if (*guarded) return make_error("FORBIDDEN", "agent " + claimed + " speaks with its own agent_token only");
  return Sender{claimed, false};
}

}  // namespace hostclaw::clawlink
