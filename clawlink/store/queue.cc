// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/queue.h"

#include <algorithm>

#include "clawlink/model/wire_text.h"

namespace hostclaw::clawlink {
namespace {

using approvals::Statement;

constexpr std::size_t kLeaseBytes = 16;

Result<void> check_room(StoreSession& session, const std::string& agent, std::int64_t bytes) {
  const RelayLimits& limits = session.limits;
  Statement query = session.database.statement(
      "SELECT count(*), coalesce(max(rows_waiting), 0), coalesce(max(bytes_waiting), 0), EXISTS (SELECT 1 "
      "FROM "
      "agents WHERE agents.agent_id = ?1) FROM queues WHERE queues.agent_id = ?1");
  if (const Result<bool> found = query.bind(agent).step(); !found) return found.error();
  const bool has_queue = query.integer(0) != 0;
  const bool registered = query.integer(3) != 0;
  if (query.integer(1) >= (registered ? limits.queue_rows : limits.unregistered_rows) ||
      query.integer(2) + bytes > (registered ? limits.queue_bytes : limits.unregistered_bytes)) {
    return make_error("QUEUE_FULL", "too much waits for " + agent + " already");
  }
  if (registered || has_queue) return {};
  // Ids that somebody made up must not take the room of agents that are there.
  const Result<std::int64_t> queues = session.database.integer(
      "SELECT count(*) FROM queues WHERE NOT EXISTS (SELECT 1 FROM agents WHERE agents.agent_id = "
      "queues.agent_id)");
  if (!queues) return queues.error();
  if (*queues >= limits.unregistered_queues)
    return make_error("QUEUES_FULL", "messages wait for too many agents that are not registered");
  return {};
}

Result<std::int64_t> insert(StoreSession& session, const NewDelivery& delivery, std::int64_t bytes,
                            std::optional<std::int64_t> body_id) {
  const std::int64_t expires =
      delivery.expires_ms != 0 ? delivery.expires_ms : session.now_ms + session.limits.delivery_ttl_ms;
  Statement query = session.database.statement(
      "INSERT INTO deliveries (to_agent, kind, task_id, body, body_id, bytes, priority, queued_at_ms, "
      "due_ms, "
      "expires_ms, tries, of_connection) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)");
  query.bind(delivery.to_agent).bind(delivery.kind).bind(delivery.task_id);
  if (body_id) {
    query.bind_null().bind(*body_id);
  } else {
    query.bind(delivery.body).bind_null();
  }
  const Result<void> done = query.bind(bytes)
                                .bind(static_cast<std::int64_t>(delivery.priority))
                                .bind(session.now_ms)
                                .bind(session.now_ms)
                                .bind(expires)
                                .run();
  if (!done) return done.error();
  session.effects.agents.insert(delivery.to_agent);
  session.effects.look_at(expires);
  return sqlite3_last_insert_rowid(session.database.handle());
}

constexpr const char* kTake =
    "UPDATE deliveries SET lease = ?, lease_until_ms = ?, of_connection = ?, tries = tries + 1 "
    "WHERE delivery_id = (SELECT delivery_id FROM deliveries WHERE to_agent = ? AND lease IS NULL AND "
    "priority = ? AND due_ms <= ? AND expires_ms > ? ORDER BY due_ms LIMIT 1) "
    "RETURNING delivery_id, kind, task_id, coalesce(body, (SELECT shared_bodies.body FROM shared_bodies "
    "WHERE "
    "shared_bodies.body_id = deliveries.body_id)), queued_at_ms, tries, bytes";

// The next one of that priority, or none.
Result<std::optional<Leased>> take_one(StoreSession& session, const LeaseWish& wish, int priority,
                                       std::size_t& bytes) {
  Leased leased;
  leased.lease = random_text(kLeaseBytes);
  leased.lease_until_ms = session.now_ms + wish.lease_ms;
  Statement query = session.database.statement(kTake);
  const Result<bool> found = query.bind(leased.lease)
                                 .bind(leased.lease_until_ms)
                                 .bind(static_cast<std::int64_t>(wish.of_connection))
                                 .bind(wish.agent)
                                 .bind(static_cast<std::int64_t>(priority))
                                 .bind(session.now_ms)
                                 .bind(session.now_ms)
                                 .step();
  if (!found) return found.error();
  if (!*found) return std::optional<Leased>();
  leased.delivery_id = query.integer(0);
  leased.kind = query.text(1);
  leased.task_id = query.text(2);
  leased.body = query.text(3);
  leased.queued_at_ms = query.integer(4);
  leased.tries = query.integer(5);
  bytes += static_cast<std::size_t>(query.integer(6));
  if (const Result<bool> end = query.step(); !end) return end.error();
  return std::optional<Leased>(std::move(leased));
}

constexpr const char* kDropEnded =
    "DELETE FROM deliveries WHERE lease = ? AND kind = 'task_delegation' AND task_id IN (SELECT task_id FROM "
    "tasks WHERE state IN ('completed', 'failed', 'rejected', 'cancelled'))";

Error stale() {
  return make_error("LEASE_STALE",
                    "this lease is over: the message was acknowledged, given back, or somebody else has it");
}

// True: the statement changed a row.
Result<void> changed_or_stale(StoreSession& session, Statement& query) {
  if (Result<void> done = query.run(); !done) return done;
  if (sqlite3_changes64(session.database.handle()) == 0) return stale();
  return {};
}

}  // namespace

Result<std::int64_t> enqueue(StoreSession& session, const NewDelivery& delivery) {
  const auto bytes = static_cast<std::int64_t>(delivery.body.size());
  if (Result<void> room = check_room(session, delivery.to_agent, bytes); !room) return room.error();
  return insert(session, delivery, bytes, std::nullopt);
}

Result<std::int64_t> enqueue_for_all(StoreSession& session, const std::vector<std::string>& agents,
                                     const std::string& kind, const std::string& body) {
  if (agents.empty()) return std::int64_t{0};
  if (const Result<void> kept =
          session.database.statement("INSERT INTO shared_bodies (body, uses) VALUES (?, 0)").bind(body).run();
      !kept) {
    return kept.error();
  }
  const std::int64_t body_id = sqlite3_last_insert_rowid(session.database.handle());
  NewDelivery delivery;
  delivery.kind = kind;
  delivery.expires_ms = session.now_ms + session.limits.broadcast_ttl_ms;
  const auto bytes = static_cast<std::int64_t>(body.size());
  std::int64_t reached = 0;
  for (const std::string& agent : agents) {
    const Result<void> room = check_room(session, agent, bytes);
    if (!room && room.error().code == "QUEUE_FULL") continue;
    if (!room) return room.error();
    delivery.to_agent = agent;
    if (const Result<std::int64_t> id = insert(session, delivery, bytes, body_id); !id) return id;
    ++reached;
  }
  const char* const counted = reached > 0 ? "UPDATE shared_bodies SET uses = ? WHERE body_id = ?"
                                          : "DELETE FROM shared_bodies WHERE uses = ? AND body_id = ?";
  const Result<void> done = session.database.statement(counted).bind(reached).bind(body_id).run();
  if (!done) return done.error();
  return reached;
}

Result<std::int64_t> count_waiting(StoreSession& session, const std::string& agent) {
  Statement query = session.database.statement("SELECT rows_waiting FROM queues WHERE agent_id = ?");
  const Result<bool> found = query.bind(agent).step();
  if (!found) return found.error();
  return *found ? query.integer(0) : 0;
}

Result<std::vector<Leased>> lease_messages(StoreSession& session, const LeaseWish& wish) {
  std::vector<Leased> out;
  std::size_t bytes = 0;
  for (int priority = 0; priority < kPriorities; ++priority) {
    while (out.size() < wish.most && bytes < wish.most_bytes) {
      Result<std::optional<Leased>> next = take_one(session, wish, priority, bytes);
      if (!next) return next.error();
      if (!*next) break;
      out.push_back(std::move(**next));
    }
  }
  if (!out.empty()) session.effects.look_at(session.now_ms + wish.lease_ms);
  return out;
}

std::string message_text(const Leased& message, bool leased) {
  std::string members = "\"queued_at\":" + json_string(iso_time(message.queued_at_ms));
  if (leased) {
    members += ",\"lease\":" + json_string(message.lease) +
               ",\"lease_until\":" + json_string(iso_time(message.lease_until_ms)) +
               ",\"delivery_id\":" + std::to_string(message.delivery_id) +
               ",\"attempt\":" + std::to_string(message.tries);
  }
  return with_members(message.body, members);
}

Result<std::string> agent_of_lease(StoreSession& session, std::string_view lease) {
  Statement query = session.database.statement("SELECT to_agent FROM deliveries WHERE lease = ?");
  const Result<bool> found = query.bind(lease).step();
  if (!found) return found.error();
  if (!*found) return stale();
  return query.text(0);
}

Result<void> acknowledge(StoreSession& session, std::string_view lease) {
  Statement query = session.database.statement("DELETE FROM deliveries WHERE lease = ?");
  query.bind(lease);
  return changed_or_stale(session, query);
}

Result<std::int64_t> acknowledge_as_event(StoreSession& session, std::string_view lease,
                                          const std::string& text) {
  const Result<std::string> agent = agent_of_lease(session, lease);
  if (!agent) return agent.error();
  if (Result<void> gone = acknowledge(session, lease); !gone) return gone.error();
  Result<void> kept =
      session.database.statement("INSERT INTO sent_events (agent_id, body, at_ms) VALUES (?, ?, ?)")
          .bind(*agent)
          .bind(text)
          .bind(session.now_ms)
          .run();
  if (!kept) return kept.error();
  const std::int64_t event = sqlite3_last_insert_rowid(session.database.handle());
  session.effects.look_at(session.now_ms + session.limits.keep_events_ms);
  kept = session.database
             .statement(
                 "DELETE FROM sent_events WHERE agent_id = ?1 AND event_id <= (SELECT event_id FROM "
                 "sent_events WHERE agent_id = ?1 ORDER BY event_id DESC LIMIT 1 OFFSET ?2)")
             .bind(*agent)
             .bind(session.limits.keep_events)
             .run();
  if (!kept) return kept.error();
  return event;
}

Result<std::int64_t> extend_lease(StoreSession& session, std::string_view lease, std::int64_t lease_ms) {
  const std::int64_t until = session.now_ms + lease_ms;
  Statement query = session.database.statement("UPDATE deliveries SET lease_until_ms = ? WHERE lease = ?");
  query.bind(until).bind(lease);
  if (Result<void> changed = changed_or_stale(session, query); !changed) return changed.error();
  session.effects.look_at(until);
  return until;
}

Result<void> give_back(StoreSession& session, std::string_view lease, std::int64_t delay_ms) {
  const Result<std::string> agent = agent_of_lease(session, lease);
  if (!agent) return agent.error();
  if (const Result<void> ended = session.database.statement(kDropEnded).bind(lease).run(); !ended)
    return ended;
  if (sqlite3_changes64(session.database.handle()) > 0) return {};
  Statement query = session.database.statement(
      "UPDATE deliveries SET lease = NULL, lease_until_ms = NULL, due_ms = ? WHERE lease = ?");
  query.bind(session.now_ms + delay_ms).bind(lease);
  if (Result<void> changed = changed_or_stale(session, query); !changed) return changed;
  session.effects.look_at(session.now_ms + delay_ms);
  if (delay_ms == 0) session.effects.agents.insert(*agent);
  return {};
}

Result<void> free_leases(StoreSession& session, const std::vector<std::string>& leases) {
  for (const std::string& lease : leases) {
    Statement query = session.database.statement(
        "UPDATE deliveries SET lease = NULL, lease_until_ms = NULL, tries = tries - 1 WHERE lease = ? "
        "RETURNING to_agent");
    const Result<bool> found = query.bind(lease).step();
    if (!found) return found.error();
    if (*found) session.effects.agents.insert(query.text(0));
  }
  return {};
}

Result<void> free_connection_leases(StoreSession& session) {
  return session.database
      .statement(
          "UPDATE deliveries SET lease = NULL, lease_until_ms = NULL, tries = tries - 1 WHERE lease IS NOT "
          "NULL AND of_connection = 1")
      .run();
}

Result<std::vector<SentEvent>> sent_events(StoreSession& session, const std::string& agent,
                                           std::int64_t after, std::size_t most, std::size_t most_bytes) {
  Statement query = session.database.statement(
      "SELECT event_id, body FROM sent_events WHERE agent_id = ? AND event_id > ? ORDER BY event_id LIMIT ?");
  query.bind(agent).bind(after).bind(static_cast<std::int64_t>(most));
  std::vector<SentEvent> out;
  for (std::size_t bytes = 0; bytes < most_bytes;) {
    const Result<bool> found = query.step();
    if (!found) return found.error();
    if (!*found) return out;
    out.push_back({query.integer(0), query.text(1)});
    bytes += out.back().text.size();
  }
  return out;
}

Result<std::int64_t> withdraw(StoreSession& session, const std::string& task_id, std::string_view kind) {
  const Result<void> done =
      session.database
          .statement(
              "DELETE FROM deliveries WHERE task_id = ? AND task_id <> '' AND kind = ? AND lease IS NULL")
          .bind(task_id)
          .bind(kind)
          .run();
  if (!done) return done.error();
  return static_cast<std::int64_t>(sqlite3_changes64(session.database.handle()));
}

std::int64_t backoff_ms(const RelayLimits& limits, std::int64_t tries) {
  std::int64_t delay = limits.backoff_ms;
  for (std::int64_t i = 1; i < tries && delay < limits.backoff_most_ms; ++i) delay *= 2;
  return std::min(delay, limits.backoff_most_ms);
}

}  // namespace hostclaw::clawlink
