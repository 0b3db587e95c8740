// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/housekeeping.h"

#include "clawlink/store/agents.h"
#include "clawlink/store/forwards.h"
#include "clawlink/store/queue.h"
#include "clawlink/store/tasks.h"

namespace hostclaw::clawlink {
namespace {

using approvals::Statement;

// Of each kind in one go: others wait for the same thread.
constexpr std::int64_t kLot = 200;

struct Due {
  std::int64_t delivery_id = 0;
  std::string to_agent;
  std::string kind;
  std::string task_id;
  std::int64_t tries = 0;
};

Result<std::vector<Due>> read_due(Statement& query) {
  return approvals::read_rows(query, [](const Statement& row) {
    return Due{row.integer(0), row.text(1), row.text(2), row.text(3), row.integer(4)};
  });
}

Result<void> bury(StoreSession& session, const Due& due, const std::string& why) {
  Result<void> done =
      session.database
          .statement(
              "INSERT OR REPLACE INTO dead_letters (delivery_id, to_agent, kind, task_id, body, reason, "
              "at_ms) SELECT delivery_id, to_agent, kind, task_id, coalesce(body, ''), ?, ? FROM "
              "deliveries WHERE delivery_id = ?")
          .bind(why)
          .bind(session.now_ms)
          .bind(due.delivery_id)
          .run();
  if (!done) return done;
  done =
      session.database.statement("DELETE FROM deliveries WHERE delivery_id = ?").bind(due.delivery_id).run();
  if (!done) return done;
  done = session.database
             .statement(
                 "DELETE FROM dead_letters WHERE delivery_id <= (SELECT delivery_id FROM dead_letters "
                 "ORDER BY delivery_id DESC LIMIT 1 OFFSET ?)")
             .bind(session.limits.dead_letters)
             .run();
  if (!done) return done;
  done = session.record("dead-letter", {{"delivery", due.delivery_id},
                                        {"to", due.to_agent},
                                        {"kind", due.kind},
                                        {"task", due.task_id},
                                        {"why", why}});
  if (!done || due.kind != "task_delegation") return done;
  const Result<std::optional<Task>> task = find_task(session, due.task_id);
  if (!task) return task.error();
  if (!*task) return {};
  // More about a task that is worked on elsewhere: that goes on.
  const Result<std::optional<Forwarded>> elsewhere = find_forwarded(session, due.task_id);
  if (!elsewhere) return elsewhere.error();
  if (*elsewhere) return {};
  return fail_task(session, **task, "not delivered: " + why);
}

Result<void> end_lease(StoreSession& session, const Due& due) {
  // What is carried elsewhere is tried more often, and by the relay itself.
  const Result<std::optional<Forward>> forward = find_forward(session, due.to_agent);
  if (!forward) return forward.error();
  if (due.tries >= (*forward ? kForwardTries : session.limits.deliveries))
    return bury(session, due, "handed out " + std::to_string(due.tries) + " times and never acknowledged");
  if (due.kind == "task_delegation") {
    const Result<std::optional<Task>> task = find_task(session, due.task_id);
    if (!task) return task.error();
    if (*task && is_end((*task)->state)) {
      return session.database.statement("DELETE FROM deliveries WHERE delivery_id = ?")
          .bind(due.delivery_id)
          .run();
    }
  }
  const std::int64_t again = session.now_ms + backoff_ms(session.limits, due.tries);
  session.effects.look_at(again);
  return session.database
      .statement(
          "UPDATE deliveries SET lease = NULL, lease_until_ms = NULL, due_ms = ? WHERE delivery_id = ?")
      .bind(again)
      .bind(due.delivery_id)
      .run();
}

Result<bool> end_leases(StoreSession& session) {
  Result<std::vector<Due>> due = [&] {
    Statement query = session.database.statement(
        "SELECT delivery_id, to_agent, kind, task_id, tries FROM deliveries WHERE lease IS NOT NULL AND "
        "lease_until_ms <= ? ORDER BY lease_until_ms LIMIT ?");
    query.bind(session.now_ms).bind(kLot);
    return read_due(query);
  }();
  if (!due) return due.error();
  for (const Due& one : *due) {
    if (Result<void> done = end_lease(session, one); !done) return done.error();
  }
  return static_cast<std::int64_t>(due->size()) == kLot;
}

Result<bool> expire_messages(StoreSession& session) {
  Result<std::vector<Due>> due = [&] {
    Statement query = session.database.statement(
        "SELECT delivery_id, to_agent, kind, task_id, tries FROM deliveries WHERE expires_ms <= ? ORDER BY "
        "expires_ms LIMIT ?");
    query.bind(session.now_ms).bind(kLot);
    return read_due(query);
  }();
  if (!due) return due.error();
  for (const Due& one : *due) {
    if (Result<void> done = bury(session, one, "nobody took it in time"); !done) return done.error();
  }
  return static_cast<std::int64_t>(due->size()) == kLot;
}

Result<bool> pass_deadlines(StoreSession& session) {
  std::vector<std::string> ids;
  {
    Statement query = session.database.statement(
        "SELECT task_id FROM tasks WHERE deadline_ms > 0 AND deadline_ms <= ? AND state IN ('submitted', "
        "'working', 'input_required') ORDER BY deadline_ms LIMIT ?");
    query.bind(session.now_ms).bind(kLot);
    for (;;) {
      const Result<bool> found = query.step();
      if (!found) return found.error();
      if (!*found) break;
      ids.push_back(query.text(0));
    }
  }
  for (const std::string& id : ids) {
    const Result<std::optional<Task>> task = find_task(session, id);
    if (!task) return task.error();
    if (!*task) continue;
    if (Result<void> done = fail_task(session, **task, "the deadline has passed"); !done) return done.error();
  }
  return static_cast<std::int64_t>(ids.size()) == kLot;
}

Result<bool> forget_agents(StoreSession& session) {
  Statement query = session.database.statement(
      "SELECT agent_id FROM agents WHERE last_seen_ms <= ? AND agent_id NOT IN (SELECT agent_id FROM "
      "forwards) "
      "ORDER BY last_seen_ms LIMIT 1");
  const Result<bool> found = query.bind(session.now_ms - session.limits.forget_agent_ms).step();
  if (!found || !*found) return found;
  const std::string agent = query.text(0);
  if (Result<void> done = remove_agent(session, agent, "relay"); !done) return done.error();
  return true;
}

Result<void> drop_old(StoreSession& session) {
  const std::int64_t now = session.now_ms;
  const RelayLimits& limits = session.limits;
  if (Result<void> done = session.database.statement("DELETE FROM requests WHERE at_ms <= ?")
                              .bind(now - limits.keep_requests_ms)
                              .run();
      !done) {
    return done;
  }
  if (Result<void> done = session.database.statement("DELETE FROM sent_events WHERE at_ms <= ?")
                              .bind(now - limits.keep_events_ms)
                              .run();
      !done) {
    return done;
  }
  // Ids that somebody guarded are free again once nothing of what was said to them is left.
  return session.database
      .statement(
          "DELETE FROM credentials WHERE revoked_at_ms > 0 AND revoked_at_ms <= ? AND agent_id NOT IN "
          "(SELECT "
          "agent_id FROM agents) AND NOT EXISTS (SELECT 1 FROM tasks WHERE from_agent = "
          "credentials.agent_id) "
          "AND NOT EXISTS (SELECT 1 FROM tasks WHERE to_agent = credentials.agent_id)")
      .bind(now - limits.guard_id_ms)
      .run();
}

// The agents whose messages have become due since housekeeping looked last.
Result<void> wake(StoreSession& session, std::int64_t since_ms) {
  Statement query = session.database.statement(
      "SELECT DISTINCT to_agent FROM deliveries WHERE lease IS NULL AND due_ms > ? AND due_ms <= ?");
  query.bind(since_ms).bind(session.now_ms);
  for (;;) {
    const Result<bool> found = query.step();
    if (!found) return found.error();
    if (!*found) return {};
    session.effects.agents.insert(query.text(0));
  }
}

Result<void> find_next_moment(StoreSession& session) {
  for (const char* sql : {
           "SELECT min(lease_until_ms) FROM deliveries WHERE lease IS NOT NULL",
           "SELECT min(due_ms) FROM deliveries WHERE lease IS NULL AND due_ms > ?",
           "SELECT min(expires_ms) FROM deliveries",
           "SELECT min(deadline_ms) FROM tasks WHERE deadline_ms > 0 AND state IN ('submitted', 'working', "
           "'input_required')",
       }) {
    Statement query = session.database.statement(sql);
    if (std::string_view(sql).find('?') != std::string_view::npos) query.bind(session.now_ms);
    const Result<bool> found = query.step();
    if (!found) return found.error();
    if (*found && !query.is_null(0)) session.effects.look_at(query.integer(0));
  }
  return {};
}

}  // namespace

Result<Removed> keep_house(StoreSession& session, House& house) {
  const std::int64_t since_ms = house.looked_at_ms;
  house.looked_at_ms = session.now_ms;
  bool more = false;
  for (Result<bool> (*const part)(StoreSession&) :
       {end_leases, expire_messages, pass_deadlines, forget_agents}) {
    const Result<bool> left = part(session);
    if (!left) return left.error();
    more = more || *left;
  }
  const Result<Removed> removed = house.retention.remove_some(session, house.clock);
  if (!removed) return removed;
  if (Result<void> done = drop_old(session); !done) return done.error();
  if (Result<void> done = wake(session, since_ms); !done) return done.error();
  if (Result<void> done = find_next_moment(session); !done) return done.error();
  session.effects.look_at(more || removed->more ? session.now_ms : session.now_ms + kMinute);
  return removed;
}

}  // namespace hostclaw::clawlink
