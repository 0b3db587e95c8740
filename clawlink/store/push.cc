// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/push.h"

#include <algorithm>

#include "base/utf8.h"
#include "clawlink/store/tasks.h"

namespace hostclaw::clawlink {
namespace {

using approvals::Statement;

constexpr std::size_t kMostReasonBytes = 300;
constexpr std::int64_t kMostDue = 10'000;

#define HOSTCLAW_PUSH_COLUMNS                                                                          \
  "push_id, task_id, config_id, caller, key_id, url, token, scheme, credentials, place, told, tries, " \
  "finished"

PushConfig read_config(const Statement& query) {
  PushConfig config;
  config.push_id = query.integer(0);
  config.task_id = query.text(1);
  config.config_id = query.text(2);
  config.caller = query.text(3);
  config.key_id = query.text(4);
  config.url = query.text(5);
  config.token = query.text(6);
  config.scheme = query.text(7);
  config.credentials = query.text(8);
  config.where = query.text(9);
  config.told = query.integer(10);
  config.tries = query.integer(11);
  config.finished = query.integer(12) != 0;
  return config;
}

Result<std::optional<PushConfig>> one_config(Statement& query) {
  const Result<bool> found = query.step();
  if (!found) return found.error();
  if (!*found) return std::optional<PushConfig>();
  return std::optional<PushConfig>(read_config(query));
}

Json names_of(const PushConfig& config) {
  return {{"task", config.task_id}, {"config", config.config_id}, {"to", config.where}};
}

Result<void> check_room(StoreSession& session, const PushConfig& config) {
  Statement of_task = session.database.statement("SELECT count(*) FROM push_configs WHERE task_id = ?");
  Result<bool> counted = of_task.bind(config.task_id).step();
  if (!counted) return counted.error();
  if (of_task.integer(0) >= session.limits.push_configs_of_task)
    return make_error("PUSH_CONFIGS_FULL", "this task has " +
                                               std::to_string(session.limits.push_configs_of_task) +
                                               " push notification configs: delete one first");
  Statement of_caller =
      session.database.statement("SELECT count(*) FROM push_configs WHERE caller = ? AND finished = 0");
  counted = of_caller.bind(config.caller).step();
  if (!counted) return counted.error();
  if (of_caller.integer(0) >= session.limits.push_configs_of_caller)
    return make_error("PUSH_CONFIGS_FULL",
                      "there are " + std::to_string(session.limits.push_configs_of_caller) +
                          " push notification configs of this caller already: delete some first");
  const Result<std::int64_t> all =
      session.database.integer("SELECT count(*) FROM push_configs WHERE finished = 0");
  if (!all) return all.error();
  if (*all >= session.limits.push_configs)
    return make_error("PUSH_CONFIGS_FULL", "this relay has too many push notification configs already");
  return {};
}

Result<void> delete_config(StoreSession& session, const std::string& task_id, const std::string& config_id) {
  return session.database.statement("DELETE FROM push_configs WHERE task_id = ? AND config_id = ?")
      .bind(task_id)
      .bind(config_id)
      .run();
}

// As far as the task has come by now.
Result<Task> task_of(StoreSession& session, const PushConfig& config) {
  Result<std::optional<Task>> task = find_task(session, config.task_id);
  if (!task) return task.error();
  if (!*task) return make_error("STORE_IO", "a push notification config has no task");
  return std::move(**task);
}

// Nothing more is told: it keeps its address and loses its secrets.
Result<void> finish(StoreSession& session, const PushConfig& config, std::int64_t told) {
  return session.database
      .statement(
          "UPDATE push_configs SET told = ?, tries = 0, due_ms = NULL, finished = 1, token = '', credentials "
          "= '' WHERE push_id = ?")
      .bind(told)
      .bind(config.push_id)
      .run();
}

// Everything up to `told` is behind it: due again, at rest, or done for good.
Result<void> move_on(StoreSession& session, const PushConfig& config, const Task& task, std::int64_t told) {
  if (told < task.events) {
    session.effects.pushes = true;
    return session.database
        .statement("UPDATE push_configs SET told = ?, tries = 0, due_ms = ? WHERE push_id = ?")
        .bind(told)
        .bind(session.now_ms)
        .bind(config.push_id)
        .run();
  }
  if (!is_end(task.state)) {
    return session.database
        .statement("UPDATE push_configs SET told = ?, tries = 0, due_ms = NULL WHERE push_id = ?")
        .bind(told)
        .bind(config.push_id)
        .run();
  }
  return finish(session, config, told);
}

std::int64_t push_backoff_ms(const RelayLimits& limits, const PushFailure& failure, std::int64_t tries) {
  constexpr std::int64_t kMostDoublings = 30;
  const std::int64_t grown = limits.push_backoff_ms << std::clamp<std::int64_t>(tries - 1, 0, kMostDoublings);
  return std::min(std::max(grown, failure.retry_after_ms), limits.push_backoff_most_ms);
}

Result<void> give_up(StoreSession& session, const PushConfig& config, const std::string& why, bool is_final) {
  const Result<Task> task = task_of(session, config);
  if (!task) return task.error();
  const std::int64_t events = task->events - std::max<std::int64_t>(config.told, 0);
  Result<void> done = session.database
                          .statement(
                              "INSERT INTO push_failures (caller, task_id, config_id, place, events, reason, "
                              "at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)")
                          .bind(config.caller)
                          .bind(config.task_id)
                          .bind(config.config_id)
                          .bind(config.where)
                          .bind(events)
                          .bind(why)
                          .bind(session.now_ms)
                          .run();
  if (!done) return done;
  done =
      session.database
          .statement(
              "DELETE FROM push_failures WHERE failure_id <= (SELECT failure_id FROM push_failures ORDER BY "
              "failure_id DESC LIMIT 1 OFFSET ?)")
          .bind(session.limits.dead_letters)
          .run();
  if (!done) return done;
  Json row = names_of(config);
  row["givenUp"] = events;
  row["why"] = why;
  if (done = session.record("push", row); !done) return done;
  return is_final ? finish(session, config, task->events) : move_on(session, config, *task, task->events);
}

}  // namespace

Result<void> put_push_config(StoreSession& session, const PushConfig& config) {
  if (Result<void> gone = delete_config(session, config.task_id, config.config_id); !gone) return gone;
  if (Result<void> room = check_room(session, config); !room) return room;
  const Result<void> stored =
      session.database
          .statement(
              "INSERT INTO push_configs (task_id, config_id, caller, key_id, url, token, scheme, "
              "credentials, "
              "place, told, tries, due_ms, finished) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0)")
          .bind(config.task_id)
          .bind(config.config_id)
          .bind(config.caller)
          .bind(config.key_id)
          .bind(config.url)
          .bind(config.token)
          .bind(config.scheme)
          .bind(config.credentials)
          .bind(config.where)
          .bind(config.told)
          .bind(session.now_ms)
          .run();
  if (!stored) return stored;
  session.effects.pushes = true;
  Json row = names_of(config);
  row["by"] = config.caller;
  return session.record("push", row);
}

Result<std::optional<PushConfig>> find_push_config(StoreSession& session, const std::string& task_id,
                                                   const std::string& config_id) {
  Statement query = session.database.statement("SELECT " HOSTCLAW_PUSH_COLUMNS
                                               " FROM push_configs WHERE task_id = ? AND config_id = ?");
  query.bind(task_id).bind(config_id);
  return one_config(query);
}

Result<std::optional<PushConfig>> find_push_config(StoreSession& session, std::int64_t push_id) {
  Statement query =
      session.database.statement("SELECT " HOSTCLAW_PUSH_COLUMNS " FROM push_configs WHERE push_id = ?");
  query.bind(push_id);
  return one_config(query);
}

Result<std::vector<PushConfig>> list_push_configs(StoreSession& session, const std::string& task_id) {
  Statement query = session.database.statement("SELECT " HOSTCLAW_PUSH_COLUMNS
                                               " FROM push_configs WHERE task_id = ? ORDER BY config_id");
  query.bind(task_id);
  return approvals::read_rows(query, read_config);
}

Result<void> remove_push_config(StoreSession& session, const PushConfig& config, const std::string& why) {
  if (Result<void> gone = delete_config(session, config.task_id, config.config_id); !gone) return gone;
  Json row = names_of(config);
  row["removed"] = why;
  return session.record("push", row);
}

Result<void> wake_pushes(StoreSession& session, const std::string& task_id) {
  const Result<void> woken =
      session.database
          .statement(
              "UPDATE push_configs SET due_ms = ? WHERE task_id = ? AND due_ms IS NULL AND finished = 0")
          .bind(session.now_ms)
          .bind(task_id)
          .run();
  if (!woken) return woken;
  if (sqlite3_changes64(session.database.handle()) > 0) session.effects.pushes = true;
  return {};
}

Result<DuePushes> due_pushes(StoreSession& session) {
  DuePushes out;
  {
    Statement query = session.database.statement(
        "SELECT push_id, caller FROM push_configs WHERE due_ms <= ? ORDER BY due_ms LIMIT ?");
    query.bind(session.now_ms).bind(kMostDue);
    for (;;) {
      const Result<bool> found = query.step();
      if (!found) return found.error();
      if (!*found) break;
      out.now.push_back({query.integer(0), query.text(1)});
    }
  }
  Statement next = session.database.statement("SELECT min(due_ms) FROM push_configs WHERE due_ms > ?");
  const Result<bool> found = next.bind(session.now_ms).step();
  if (!found) return found.error();
  if (*found && !next.is_null(0)) out.next_ms = next.integer(0);
  return out;
}

Result<void> push_told(StoreSession& session, std::int64_t push_id, std::int64_t told) {
  const Result<std::optional<PushConfig>> config = find_push_config(session, push_id);
  if (!config) return config.error();
  if (!*config) return {};
  const Result<Task> task = task_of(session, **config);
  if (!task) return task.error();
  return move_on(session, **config, *task, told);
}

Result<bool> push_failed(StoreSession& session, std::int64_t push_id, const PushFailure& failure) {
  const Result<std::optional<PushConfig>> config = find_push_config(session, push_id);
  if (!config) return config.error();
  if (!*config) return false;
  const std::int64_t tries = (*config)->tries + 1;
  const std::string why(utf8_prefix(failure.why, kMostReasonBytes));
  if (failure.is_final || tries >= session.limits.push_tries) {
    const std::string after =
        failure.is_final ? why : "tried " + std::to_string(tries) + " times, at last: " + why;
    if (Result<void> done = give_up(session, **config, after, failure.is_final); !done) return done.error();
    return true;
  }
  const Result<void> stored =
      session.database.statement("UPDATE push_configs SET tries = ?, due_ms = ? WHERE push_id = ?")
          .bind(tries)
          .bind(session.now_ms + push_backoff_ms(session.limits, failure, tries))
          .bind(push_id)
          .run();
  if (!stored) return stored.error();
  return false;
}

}  // namespace hostclaw::clawlink
