// SPDX-License-Identifier: Apache-2.0
#include "clawlink/a2a/notifications.h"

#include "clawlink/a2a/objects.h"
#include "clawlink/store/tasks.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::size_t kNotificationPageBytes = 1'000'000;

Result<bool> has_right(StoreSession& session, const AccessRules& access, const PushConfig& config) {
  if (config.key_id.empty()) return !access.require_credentials;
  approvals::Statement query = session.database.statement(
      "SELECT 1 FROM credentials WHERE key_id = ? AND revoked_at_ms = 0 AND (expires_at_ms = 0 OR "
      "expires_at_ms > ?)");
  return query.bind(config.key_id).bind(session.now_ms).step();
}

Result<std::optional<Notification>> first_one(StoreSession& session, const Task& task, Notification one) {
  const Result<std::vector<TaskEvent>> events = task_events(session, task.task_id);
  if (!events) return events.error();
  one.body = dump_json(Json{{"task", a2a_task(task, *events)}});
  one.tells = task.events;
  return std::optional<Notification>(std::move(one));
}

// Messages of the client, and answers that came too late, are told nobody.
Result<std::optional<Notification>> next_change(StoreSession& session, const Task& task, Notification one) {
  one.tells = one.config.told;
  while (one.tells < task.events) {
    const auto events = task_events(session, task.task_id, one.tells, kNotificationPageBytes);
    if (!events) return events.error();
    if (events->empty()) break;
    for (const TaskEvent& event : *events) {
      one.tells = event.seq;
      const Json update = a2a_update(task, event);
      if (update.is_null()) continue;
      one.body = dump_json(update);
      return std::optional<Notification>(std::move(one));
    }
  }
  if (Result<void> done = push_told(session, one.config.push_id, task.events); !done) return done.error();
  return std::optional<Notification>();
}

}  // namespace

Result<std::optional<Notification>> next_notification(StoreSession& session, const AccessRules& access,
                                                      std::int64_t push_id) {
  Result<std::optional<PushConfig>> config = find_push_config(session, push_id);
  if (!config) return config.error();
  if (!*config || (*config)->finished) return std::optional<Notification>();
  const Result<bool> right = has_right(session, access, **config);
  if (!right) return right.error();
  if (!*right) {
    const Result<void> gone =
        remove_push_config(session, **config, "the right that it was made with has ended");
    if (!gone) return gone.error();
    return std::optional<Notification>();
  }
  const Result<std::optional<Task>> task = find_task(session, (*config)->task_id);
  if (!task) return task.error();
  if (!*task) return make_error("STORE_IO", "a push notification config has no task");
  Notification one;
  one.config = std::move(**config);
  if (one.config.told < 0) return first_one(session, **task, std::move(one));
  return next_change(session, **task, std::move(one));
}

}  // namespace hostclaw::clawlink
