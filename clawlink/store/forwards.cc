// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/forwards.h"

#include "clawlink/model/wire_text.h"

namespace hostclaw::clawlink {
namespace {

using approvals::Statement;

Forward forward_in(const Statement& row) { return {row.text(0), row.text(1), row.text(2), row.text(3)}; }

#define HOSTCLAW_FORWARD_COLUMNS "agent_id, url, place, token_file"
#define HOSTCLAW_FORWARDED_COLUMNS                                                              \
  "task_id, agent_id, message_id, body, foreign_task_id, foreign_context_id, due_ms, wait_ms, " \
  "failing_since_ms, sent_again, asks, told"

Forwarded forwarded_in(const Statement& row) {
  Forwarded out;
  out.task_id = row.text(0);
  out.agent_id = row.text(1);
  out.message_id = row.text(2);
  out.body = row.text(3);
  out.foreign_task_id = row.text(4);
  out.foreign_context_id = row.text(5);
  out.due_ms = row.integer(6);
  out.wait_ms = row.integer(7);
  out.failing_since_ms = row.integer(8);
  out.sent_again = row.integer(9) != 0;
  out.asks = row.integer(10) != 0;
  out.told = row.text(11);
  return out;
}

// Used and revoked: it gives nobody a right, and the id stays guarded for as long as its tasks are kept.
Result<void> guard_for_later(StoreSession& session, const std::string& agent_id) {
  return session.database
      .statement(
          "INSERT INTO credentials (key_id, agent_id, sha256, created_at_ms, used_at_ms, expires_at_ms, "
          "revoked_at_ms) VALUES (?, ?, zeroblob(32), ?, ?, 0, ?)")
      .bind(short_id(12))
      .bind(agent_id)
      .bind(session.now_ms)
      .bind(session.now_ms)
      .bind(session.now_ms)
      .run();
}

}  // namespace

Result<void> put_forward(StoreSession& session, const Forward& forward, const Agent& agent,
                         const std::string& by) {
  if (!is_agent_id(forward.agent_id) || is_reserved_id(forward.agent_id))
    return make_error("AGENT_INVALID", "this is no id that an agent may have");
  const Result<std::optional<Forward>> before = find_forward(session, forward.agent_id);
  if (!before) return before.error();
  const Result<std::optional<Agent>> there = find_agent(session, forward.agent_id);
  if (!there) return there.error();
  if (*there && !*before)
    return make_error("AGENT_EXISTS", "an agent of that id is registered at this relay",
                      "hostclaw clawlink agents remove " + forward.agent_id);
  if (Result<void> put = put_agent(session, agent); !put) return put;
  if (Result<void> guarded = session.database.statement("UPDATE agents SET guarded = 1 WHERE agent_id = ?")
                                 .bind(forward.agent_id)
                                 .run();
      !guarded) {
    return guarded;
  }
  if (!*before) {
    if (Result<void> kept = guard_for_later(session, forward.agent_id); !kept) return kept;
  } else if ((*before)->url != forward.url) {
    // What its tasks are called there is nothing to the new endpoint.
    const Result<void> anew = session.database
                                  .statement(
                                      "UPDATE forwarded SET foreign_task_id = '', foreign_context_id = '', "
                                      "due_ms = ? WHERE agent_id = ?")
                                  .bind(session.now_ms)
                                  .bind(forward.agent_id)
                                  .run();
    if (!anew) return anew;
  }
  const Result<void> stored =
      session.database
          .statement("INSERT INTO forwards (" HOSTCLAW_FORWARD_COLUMNS
                     ") VALUES (?, ?, ?, ?) ON CONFLICT (agent_id) DO UPDATE SET url = excluded.url, place = "
                     "excluded.place, token_file = excluded.token_file")
          .bind(forward.agent_id)
          .bind(forward.url)
          .bind(forward.where)
          .bind(forward.token_file)
          .run();
  if (!stored) return stored;
  return session.record("forward", {{"agent", forward.agent_id}, {"to", forward.where}, {"by", by}});
}

Result<std::vector<Forward>> list_forwards(StoreSession& session) {
  Statement query =
      session.database.statement("SELECT " HOSTCLAW_FORWARD_COLUMNS " FROM forwards ORDER BY agent_id");
  return approvals::read_rows(query, forward_in);
}

Result<std::optional<Forward>> find_forward(StoreSession& session, std::string_view agent_id) {
  Statement query =
      session.database.statement("SELECT " HOSTCLAW_FORWARD_COLUMNS " FROM forwards WHERE agent_id = ?");
  const Result<bool> found = query.bind(agent_id).step();
  if (!found) return found.error();
  if (!*found) return std::optional<Forward>();
  return std::optional<Forward>(forward_in(query));
}

Result<Forward> remove_forward(StoreSession& session, const std::string& agent_id, const std::string& by) {
  Result<std::optional<Forward>> there = find_forward(session, agent_id);
  if (!there) return there.error();
  if (!*there)
    return make_error("FORWARD_UNKNOWN", "no agent " + agent_id + " lives elsewhere",
                      "hostclaw clawlink forward list");
  // The row goes with its agent.
  if (Result<void> gone = remove_agent(session, agent_id, by); !gone) return gone.error();
  return std::move(**there);
}

Result<void> put_forwarded(StoreSession& session, const Forwarded& forwarded, bool is_known) {
  return session.database
      .statement(
          "INSERT INTO forwarded (" HOSTCLAW_FORWARDED_COLUMNS
          ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (task_id) DO UPDATE SET message_id = "
          "excluded.message_id, body = excluded.body, foreign_task_id = excluded.foreign_task_id, "
          "foreign_context_id = excluded.foreign_context_id, due_ms = CASE WHEN ?13 = 0 AND EXISTS (SELECT 1 "
          "FROM tasks WHERE task_id = excluded.task_id AND state IN ('completed', 'failed', 'rejected', "
          "'cancelled')) THEN 1 ELSE excluded.due_ms END, wait_ms = "
          "excluded.wait_ms, failing_since_ms = excluded.failing_since_ms, sent_again = "
          "excluded.sent_again, asks = excluded.asks, told = excluded.told")
      .bind(forwarded.task_id)
      .bind(forwarded.agent_id)
      .bind(forwarded.message_id)
      .bind(forwarded.body)
      .bind(forwarded.foreign_task_id)
      .bind(forwarded.foreign_context_id)
      .bind(forwarded.due_ms)
      .bind(forwarded.wait_ms)
      .bind(forwarded.failing_since_ms)
      .bind(static_cast<std::int64_t>(forwarded.sent_again))
      .bind(static_cast<std::int64_t>(forwarded.asks))
      .bind(forwarded.told)
      .bind(static_cast<std::int64_t>(is_known))
      .run();
}

Result<void> remove_forwarded(StoreSession& session, std::string_view task_id) {
  return session.database.statement("DELETE FROM forwarded WHERE task_id = ?").bind(task_id).run();
}

Result<std::optional<Forwarded>> find_forwarded(StoreSession& session, std::string_view task_id) {
  Statement query =
      session.database.statement("SELECT " HOSTCLAW_FORWARDED_COLUMNS " FROM forwarded WHERE task_id = ?");
  const Result<bool> found = query.bind(task_id).step();
  if (!found) return found.error();
  if (!*found) return std::optional<Forwarded>();
  return std::optional<Forwarded>(forwarded_in(query));
}

Result<std::vector<Forwarded>> due_forwarded(StoreSession& session, std::string_view agent_id,
                                             std::size_t most) {
  Statement query = session.database.statement(
      "SELECT " HOSTCLAW_FORWARDED_COLUMNS
      " FROM forwarded WHERE agent_id = ? AND due_ms <= ? ORDER BY due_ms LIMIT ?");
  query.bind(agent_id).bind(session.now_ms).bind(static_cast<std::int64_t>(most));
  return approvals::read_rows(query, forwarded_in);
}

Result<std::int64_t> next_forwarded_ms(StoreSession& session, std::string_view agent_id) {
  Statement query =
      session.database.statement("SELECT coalesce(min(due_ms), 0) FROM forwarded WHERE agent_id = ?");
  const Result<bool> found = query.bind(agent_id).step();
  if (!found) return found.error();
  return query.integer(0);
}

Result<std::int64_t> count_followed(StoreSession& session, std::string_view agent_id) {
  Statement query =
      session.database.statement("SELECT count(*) FROM forwarded WHERE agent_id = ? AND asks = 0");
  const Result<bool> found = query.bind(agent_id).step();
  if (!found) return found.error();
  return query.integer(0);
}

Result<bool> has_earlier_message(StoreSession& session, const Leased& message) {
  return session.database
      .statement(
          "SELECT 1 FROM deliveries WHERE task_id = ? AND kind = 'task_delegation' AND delivery_id < ? LIMIT "
          "1")
      .bind(message.task_id)
      .bind(message.delivery_id)
      .step();
}

Result<bool> has_one_message(StoreSession& session, std::string_view task_id) {
  Statement query =
      session.database.statement("SELECT count(*) FROM task_events WHERE task_id = ? AND kind = 'message'");
  const Result<bool> found = query.bind(task_id).step();
  if (!found) return found.error();
  return query.integer(0) <= 1;
}

Result<void> bring_up(StoreSession& session, std::string_view task_id) {
  session.effects.look_at(session.now_ms);
  return session.database
      .statement("UPDATE deliveries SET due_ms = ?1 WHERE task_id = ?2 AND lease IS NULL AND due_ms > ?1")
      .bind(session.now_ms)
      .bind(task_id)
      .run();
}

Result<void> take_out(StoreSession& session, const Leased& message) {
  return session.database.statement("DELETE FROM deliveries WHERE delivery_id = ?")
      .bind(message.delivery_id)
      .run();
}

Result<void> postpone(StoreSession& session, const Leased& message, std::int64_t delay_ms) {
  session.effects.look_at(session.now_ms + delay_ms);
  return session.database
      .statement(
          "UPDATE deliveries SET lease = NULL, lease_until_ms = NULL, due_ms = ?, tries = tries - 1 WHERE "
          "lease = ?")
      .bind(session.now_ms + delay_ms)
      .bind(message.lease)
      .run();
}

}  // namespace hostclaw::clawlink
