// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/retention.h"

#include <algorithm>
#include <vector>

#include "approvals/audit/audit_retention.h"

namespace hostclaw::clawlink {
namespace {

using approvals::Statement;

// Of each kind in one go: others wait for the same thread.
constexpr std::int64_t kMostTasks = 200;
constexpr std::int64_t kMostEventBytes = 16 * 1024 * 1024;
constexpr std::int64_t kMostLooked = 1000;
constexpr std::int64_t kMostLetters = 200;
constexpr std::int64_t kMostRows = 1000;
// Each removal is a row itself.
constexpr std::int64_t kRowsWorthRemoving = 16;
constexpr std::int64_t kKeepClockEvery = 10 * kMinute;
constexpr const char* kClockName = "retentionClock";

// As the index tasks_ended has it.
#define HOSTCLAW_ENDED "state IN ('completed', 'failed', 'rejected', 'cancelled')"

struct Ended {
  std::string task_id;
  std::int64_t at_ms = 0;
  std::int64_t event_bytes = 0;
  bool is_waited_for = false;
};

Result<std::vector<Ended>> ended_after(StoreSession& session, std::int64_t at_ms,
                                       const std::string& task_id) {
  Statement query = session.database.statement(
      "SELECT task_id, updated_at_ms, event_bytes, EXISTS (SELECT 1 FROM deliveries d WHERE d.task_id = "
      "tasks.task_id AND d.task_id <> '') FROM tasks WHERE " HOSTCLAW_ENDED
      " AND (updated_at_ms, task_id) > (?, ?) ORDER BY updated_at_ms, task_id LIMIT ?");
  query.bind(at_ms).bind(std::string_view(task_id)).bind(kMostLooked);
  return approvals::read_rows(query, [](const Statement& row) {
    return Ended{row.text(0), row.integer(1), row.integer(2), row.integer(3) != 0};
  });
}

Result<void> remove_task(StoreSession& session, const std::string& task_id) {
  if (Result<void> done =
          session.database.statement("DELETE FROM task_events WHERE task_id = ?").bind(task_id).run();
      !done) {
    return done;
  }
  return session.database.statement("DELETE FROM tasks WHERE task_id = ?").bind(task_id).run();
}

Result<std::int64_t> remove_dead_letters(StoreSession& session, std::int64_t now_ms) {
  if (session.limits.keep_dead_letters_ms == 0) return 0;
  const Result<void> done =
      session.database
          .statement(
              "DELETE FROM dead_letters WHERE delivery_id IN (SELECT delivery_id FROM dead_letters WHERE "
              "at_ms <= ? ORDER BY delivery_id LIMIT ?)")
          .bind(now_ms - session.limits.keep_dead_letters_ms)
          .bind(kMostLetters)
          .run();
  if (!done) return done.error();
  return sqlite3_changes64(session.database.handle());
}

// Whether so many rows may go that it is worth a row.
Result<bool> is_worth_removing(StoreSession& session, const approvals::AuditRetention& retention) {
  if (retention.keep_rows) {
    const Result<std::int64_t> rows =
        session.database.integer("SELECT coalesce(max(sequence) - min(sequence) + 1, 0) FROM audit");
    if (!rows) return rows.error();
    if (*rows >= *retention.keep_rows + kRowsWorthRemoving) return true;
  }
  if (!retention.keep_since_ms) return false;
  Statement query = session.database.statement("SELECT at_ms FROM audit ORDER BY sequence LIMIT 1 OFFSET ?");
  const Result<bool> found = query.bind(kRowsWorthRemoving - 1).step();
  if (!found) return found.error();
  return *found && query.integer(0) < *retention.keep_since_ms;
}

Result<std::int64_t> remove_record_rows(StoreSession& session, std::int64_t now_ms) {
  const RelayLimits& limits = session.limits;
  approvals::AuditRetention retention;
  if (limits.keep_record_ms != 0) retention.keep_since_ms = now_ms - limits.keep_record_ms;
  if (limits.keep_record_rows != 0) retention.keep_rows = limits.keep_record_rows;
  if (!retention.keep_since_ms && !retention.keep_rows) return 0;
  const Result<bool> worth = is_worth_removing(session, retention);
  if (!worth) return worth.error();
  if (!*worth) return 0;
  retention.at_most = kMostRows;
  return approvals::prune_audit_rows(session.database, retention, {"relay", "retention"}, session.now_ms);
}

}  // namespace

Result<std::int64_t> Retention::time_by(StoreSession& session, const approvals::ClockLook& look) {
  const bool first = !clock_;
  if (first) {
    Statement query = session.database.statement("SELECT value FROM meta WHERE name = ?");
    const Result<bool> found = query.bind(std::string_view(kClockName)).step();
    if (!found) return found.error();
    const Result<Json> state = *found ? parse_json(query.text_view(0)) : Result<Json>(Json());
    clock_ = state ? approvals::RetentionClock(*state) : approvals::RetentionClock();
  }
  const std::int64_t ahead_before = clock_->ahead_ms();
  const std::int64_t now = clock_->now(look);
  if (!first && (ahead_before != 0) == (clock_->ahead_ms() != 0) &&
      look.uptime_ms - clock_kept_at_ms_ < kKeepClockEvery)
    return now;
  clock_kept_at_ms_ = look.uptime_ms;
  const Result<void> kept =
      session.database
          .statement(
              "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = "
              "excluded.value")
          .bind(std::string_view(kClockName))
          .bind(std::string_view(dump_json(clock_->state())))
          .run();
  if (!kept) return kept.error();
  return now;
}

Result<void> Retention::remove_tasks(StoreSession& session, std::int64_t now_ms, Removed& removed) {
  const RelayLimits& limits = session.limits;
  std::int64_t too_many = 0;
  if (limits.keep_ended_tasks != 0) {
    const Result<std::int64_t> ended =
        session.database.integer("SELECT coalesce(sum(tasks), 0) FROM task_counts WHERE " HOSTCLAW_ENDED);
    if (!ended) return ended.error();
    too_many = std::max<std::int64_t>(0, *ended - limits.keep_ended_tasks);
  }
  const Result<std::vector<Ended>> candidates = ended_after(session, walked_ms_, walked_id_);
  if (!candidates) return candidates.error();
  std::int64_t event_bytes = 0;
  for (const Ended& task : *candidates) {
    const bool is_old = limits.keep_tasks_ms != 0 && task.at_ms <= now_ms - limits.keep_tasks_ms;
    if (!is_old && too_many == 0) {
      walked_ms_ = 0;
      walked_id_.clear();
      return {};
    }
    if (removed.tasks == kMostTasks || event_bytes > kMostEventBytes) {
      removed.more = true;
      return {};
    }
    walked_ms_ = task.at_ms;
    walked_id_ = task.task_id;
    // One that is waited for counts and cannot go; others are not to go in its place.
    too_many = std::max<std::int64_t>(0, too_many - 1);
    if (task.is_waited_for) continue;
    if (Result<void> done = remove_task(session, task.task_id); !done) return done;
    ++removed.tasks;
    event_bytes += task.event_bytes;
  }
  removed.more = static_cast<std::int64_t>(candidates->size()) == kMostLooked;
  if (removed.more) return {};
  walked_ms_ = 0;
  walked_id_.clear();
  return {};
}

Result<Removed> Retention::remove_some(StoreSession& session,
                                       const std::optional<approvals::ClockLook>& look) {
  Removed removed;
  const Result<std::int64_t> now = look ? time_by(session, *look) : Result<std::int64_t>(session.now_ms);
  if (!now) return now.error();
  if (clock_) removed.clock_ahead_ms = clock_->ahead_ms();
  if (Result<void> done = remove_tasks(session, *now, removed); !done) return done.error();
  const Result<std::int64_t> letters = remove_dead_letters(session, *now);
  if (!letters) return letters.error();
  removed.dead_letters = *letters;
  if (removed.tasks + removed.dead_letters > 0) {
    const Result<void> recorded = session.record(
        "removed", {{"tasks", removed.tasks}, {"deadLetters", removed.dead_letters}, {"by", "retention"}});
    if (!recorded) return recorded.error();
  }
  const Result<std::int64_t> rows = remove_record_rows(session, *now);
  if (!rows) return rows.error();
  removed.rows = *rows;
  removed.more = removed.more || *letters == kMostLetters || *rows >= kMostRows;
  return removed;
}

}  // namespace hostclaw::clawlink
