// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/tasks.h"

#include "approvals/platform/random_id.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/push.h"
#include "clawlink/store/queue.h"

namespace hostclaw::clawlink {
namespace {

using approvals::Statement;

constexpr std::size_t kMessageIdCharacters = 12;
constexpr std::size_t kMostStatusBytes = 4096;  // of what lists tell; the event has the whole of it
constexpr int kDraws = 16;                      // of an id, before a clash of its beginning counts as a fault

#define HOSTCLAW_TASK_COLUMNS                                                                               \
  "task_id, message_id, context_id, from_agent, to_agent, state, status_text, priority, origin, verified, " \
  "deadline_ms, created_at_ms, updated_at_ms, events, event_bytes"

Task read_task(const Statement& query) {
  Task task;
  task.task_id = query.text(0);
  task.message_id = query.text(1);
  task.context_id = query.text(2);
  task.from_agent = query.text(3);
  task.to_agent = query.text(4);
  task.state = task_state_from(query.text_view(5)).value_or(TaskState::kFailed);
  task.status_text = query.text(6);
  task.priority = query.text(7);
  task.origin = query.text(8);
  task.verified = query.integer(9) != 0;
  task.deadline_ms = query.integer(10);
  task.created_at_ms = query.integer(11);
  task.updated_at_ms = query.integer(12);
  task.events = query.integer(13);
  task.event_bytes = query.integer(14);
  return task;
}

Result<bool> message_id_is_free(StoreSession& session, const std::string& message_id) {
  Statement query = session.database.statement("SELECT 1 FROM tasks WHERE message_id = ?");
  const Result<bool> found = query.bind(message_id).step();
  if (!found) return found.error();
  return !*found;
}

Result<void> draw_ids(StoreSession& session, Task& task) {
  for (int draw = 0; draw < kDraws; ++draw) {
    task.task_id = approvals::new_uuid();
    task.message_id = task.task_id.substr(0, kMessageIdCharacters);
    const Result<bool> is_free = message_id_is_free(session, task.message_id);
    if (!is_free) return is_free.error();
    if (*is_free) return {};
  }
  return make_error("STORE_IO", "no free id was found for a task");
}

Result<void> insert_task(StoreSession& session, const Task& task) {
  return session.database
      .statement("INSERT INTO tasks (" HOSTCLAW_TASK_COLUMNS
                 ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)")
      .bind(task.task_id)
      .bind(task.message_id)
      .bind(task.context_id)
      .bind(task.from_agent)
      .bind(task.to_agent)
      .bind(to_string(task.state))
      .bind(task.status_text)
      .bind(task.priority)
      .bind(task.origin)
      .bind(static_cast<std::int64_t>(task.verified))
      .bind(task.deadline_ms)
      .bind(task.created_at_ms)
      .bind(task.updated_at_ms)
      .run();
}

// Beyond the limits only what ends the task is kept.
Result<void> add_event(StoreSession& session, Task& task, const char* kind, const Json& body,
                       bool always = false) {
  session.effects.tasks.insert(task.task_id);
  const std::string text = dump_json(body);
  const auto bytes = static_cast<std::int64_t>(text.size());
  const bool has_room =
      task.events < session.limits.task_events && task.event_bytes + bytes <= session.limits.task_event_bytes;
  if (!has_room && !always) return {};
  ++task.events;
  task.event_bytes += bytes;
  const Result<void> stored =
      session.database
          .statement("INSERT INTO task_events (task_id, seq, kind, body, at_ms) VALUES (?, ?, ?, ?, ?)")
          .bind(task.task_id)
          .bind(task.events)
          .bind(kind)
          .bind(text)
          .bind(session.now_ms)
          .run();
  if (!stored) return stored;
  return wake_pushes(session, task.task_id);
}

Result<void> store_progress(StoreSession& session, const Task& task) {
  return session.database
      .statement(
          "UPDATE tasks SET state = ?, status_text = ?, updated_at_ms = ?, events = ?, event_bytes = ? WHERE "
          "task_id = ?")
      .bind(to_string(task.state))
      .bind(task.status_text)
      .bind(task.updated_at_ms)
      .bind(task.events)
      .bind(task.event_bytes)
      .bind(task.task_id)
      .run();
}

Json parts_of(const Json& text, const Json& context) {
  Json parts = Json::array({text.is_string() ? Json{{"text", text}} : Json{{"data", text}}});
  if (!context.is_null() && !context.empty()) parts.push_back(Json{{"data", context}});
  return parts;
}

Json message_event(const char* role, const std::string& from, bool verified, Json parts,
                   const std::string& sender_message_id) {
  Json body{{"role", role}, {"from", from}, {"verified", verified}, {"parts", std::move(parts)}};
  body["messageId"] = sender_message_id.empty() ? approvals::new_uuid() : sender_message_id;
  return body;
}

std::string delegation_text(const StoreSession& session, const Task& task, const std::string& by,
                            bool verified, const Json& text, const Json& context) {
  Json body{{"type", "task_delegation"},
            {"message_id", task.message_id},
            {"task_id", task.task_id},
            {"context_id", task.context_id},
            {"from_agent", by},
            {"to_agent", task.to_agent},
            {"task", text},
            {"context", context},
            {"priority", task.priority},
            {"sender_verified", verified},
            {"timestamp", iso_time(session.now_ms)}};
  if (task.deadline_ms != 0) body["deadline"] = iso_time(task.deadline_ms);
  return dump_json(body);
}

NewDelivery delegation(const Task& task, std::string body, std::int64_t expires_ms) {
  NewDelivery delivery;
  delivery.to_agent = task.to_agent;
  delivery.kind = "task_delegation";
  delivery.body = std::move(body);
  delivery.task_id = task.task_id;
  delivery.priority = read_priority(task.priority);
  delivery.expires_ms = expires_ms;
  return delivery;
}

// The record says which text it was, not what it said.
Json text_of_record(const Json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : dump_json(value);
  return {{"bytes", text.size()}, {"sha256", sha256_hex(text)}};
}

// What the delegator hears, in the original's shape.
struct Answer {
  std::string message_id;
  std::string response_id;
  std::string from_agent;
  std::string to_agent;
  Json result;
  std::string status;
  std::string task_id;
  bool verified = false;
};

Result<void> deliver_answer(StoreSession& session, const Answer& answer) {
  Json body{{"type", "task_response"},
            {"message_id", answer.message_id},
            {"response_id", answer.response_id},
            {"from_agent", answer.from_agent},
            {"to_agent", answer.to_agent},
            {"result", answer.result},
            {"status", answer.status},
            {"sender_verified", answer.verified},
            {"timestamp", iso_time(session.now_ms)}};
  if (!answer.task_id.empty()) body["task_id"] = answer.task_id;
  NewDelivery delivery;
  delivery.to_agent = answer.to_agent;
  delivery.kind = "task_response";
  delivery.body = dump_json(body);
  delivery.task_id = answer.task_id;
  const Result<std::int64_t> id = enqueue(session, delivery);
  if (!id) return id.error();
  return {};
}

Json artifact_of(const Json& result) {
  Json part = result.is_string() ? Json{{"text", result}} : Json{{"data", result}};
  return {{"artifactId", "result"}, {"name", "result"}, {"parts", Json::array({std::move(part)})}};
}

}  // namespace

Result<Task> create_task(StoreSession& session, const NewTask& wanted) {
  Task task;
  if (Result<void> drawn = draw_ids(session, task); !drawn) return drawn.error();
  task.context_id = wanted.context_id.empty() ? approvals::new_uuid() : wanted.context_id;
  task.from_agent = wanted.from_agent;
  task.to_agent = wanted.to_agent;
  task.priority = wanted.priority;
  task.origin = wanted.origin;
  task.verified = wanted.verified;
  task.deadline_ms = wanted.deadline_ms;
  task.created_at_ms = task.updated_at_ms = session.now_ms;
  if (Result<void> stored = insert_task(session, task); !stored) return stored.error();
  Json parts = wanted.parts.is_null() ? parts_of(wanted.text, wanted.context) : wanted.parts;
  const Json first =
      message_event("user", task.from_agent, task.verified, std::move(parts), wanted.sender_message_id);
  if (Result<void> kept = add_event(session, task, "message", first); !kept) return kept.error();
  if (Result<void> stored = store_progress(session, task); !stored) return stored.error();
  if (task.deadline_ms != 0) session.effects.look_at(task.deadline_ms);
  const NewDelivery delivery = delegation(
      task, delegation_text(session, task, task.from_agent, task.verified, wanted.text, wanted.context),
      wanted.expires_ms);
  if (const Result<std::int64_t> id = enqueue(session, delivery); !id) return id.error();
  const Result<void> recorded = session.record("task", {{"task", task.task_id},
                                                        {"from", task.from_agent},
                                                        {"to", task.to_agent},
                                                        {"verified", task.verified},
                                                        {"origin", task.origin},
                                                        {"text", text_of_record(wanted.text)}});
  if (!recorded) return recorded.error();
  return task;
}

Result<Task> continue_task(StoreSession& session, const Task& before, const FollowUp& more) {
  if (is_end(before.state))
    return make_error("TASK_ENDED", "the task has ended: " + std::string(to_string(before.state)));
  Task task = before;
  Json parts = more.parts.is_null() ? parts_of(more.text, more.context) : more.parts;
  const Json said = message_event("user", more.by, more.verified, std::move(parts), more.sender_message_id);
  if (Result<void> kept = add_event(session, task, "message", said); !kept) return kept.error();
  const NewDelivery delivery =
      delegation(task, delegation_text(session, task, more.by, more.verified, more.text, more.context), 0);
  if (const Result<std::int64_t> id = enqueue(session, delivery); !id) return id.error();
  if (const Result<void> recorded = session.record("task", {{"task", task.task_id},
                                                            {"from", more.by},
                                                            {"to", task.to_agent},
                                                            {"verified", more.verified},
                                                            {"continues", true},
                                                            {"text", text_of_record(more.text)}});
      !recorded) {
    return recorded.error();
  }
  if (task.state != TaskState::kInputRequired) {
    task.updated_at_ms = session.now_ms;
    if (Result<void> stored = store_progress(session, task); !stored) return stored.error();
    return task;
  }
  TaskChange change;
  change.to = TaskState::kWorking;
  change.by = more.by;
  Result<Changed> changed = change_task(session, task, change);
  if (!changed) return changed.error();
  return std::move(changed->task);
}

Result<Changed> change_task(StoreSession& session, const Task& before, const TaskChange& change) {
  Changed out{before, change.to && may_follow(before.state, *change.to)};
  Task& task = out.task;
  const bool ends = out.moved && is_end(*change.to);
  for (const Json& artifact : change.artifacts) {
    if (Result<void> kept = add_event(session, task, "artifact", artifact, ends); !kept) return kept.error();
  }
  if (change.to) {
    Json body{{"state", to_string(*change.to)}, {"by", change.by}};
    if (!change.text.empty()) body["text"] = change.text;
    if (!change.word.empty() && change.word != to_string(*change.to)) body["word"] = change.word;
    if (!out.moved) body["late"] = true;
    if (Result<void> kept = add_event(session, task, "status", body, ends); !kept) return kept.error();
  }
  if (out.moved) {
    task.state = *change.to;
    task.status_text = utf8_prefix(change.text, kMostStatusBytes);
  }
  if (!is_end(before.state)) task.updated_at_ms = session.now_ms;
  if (Result<void> stored = store_progress(session, task); !stored) return stored.error();
  if (ends) {
    if (const auto gone = withdraw(session, task.task_id, "task_delegation"); !gone) return gone.error();
  }
  Json row{{"task", task.task_id}, {"by", change.by}, {"artifacts", change.artifacts.size()}};
  if (change.to) row["state"] = to_string(*change.to);
  if (!out.moved) row["unchanged"] = true;
  if (Result<void> recorded = session.record("answer", row); !recorded) return recorded.error();
  return out;
}

Result<Responded> respond(StoreSession& session, const Response& response) {
  Responded out;
  out.response_id = short_id(kMessageIdCharacters);
  Answer answer{response.message_id,
                out.response_id,
                response.from_agent,
                response.to_agent,
                response.result,
                response.status,
                {},
                response.verified};
  const Result<std::optional<Task>> task = find_task(session, response.message_id);
  if (!task) return task.error();
  // Only the one who was asked moves a task.
  if (*task && (*task)->to_agent == response.from_agent) {
    const StatusWord status = read_status_word(response.status);
    TaskChange change;
    change.to = status.state;
    change.by = response.from_agent;
    change.word = response.status;
    const bool gives = !response.result.is_null() && response.result != "";
    const bool about_work = status.state == TaskState::kWorking ||
                            status.state == TaskState::kInputRequired || status.state == TaskState::kFailed ||
                            status.state == TaskState::kRejected;
    if (gives && about_work && response.result.is_string()) change.text = response.result.get<std::string>();
    if (gives && !about_work) change.artifacts.push_back(artifact_of(response.result));
    Result<Changed> changed = change_task(session, **task, change);
    if (!changed) return changed.error();
    out.task = std::move(*changed);
    answer.task_id = out.task->task.task_id;
  } else if (Result<void> recorded = session.record("answer", {{"message", response.message_id},
                                                               {"by", response.from_agent},
                                                               {"to", response.to_agent},
                                                               {"unknownTask", true}});
             !recorded) {
    return recorded.error();
  }
  // Who asked by another protocol looks at the task.
  if (out.task && out.task->task.origin != "clawlink") return out;
  if (answer.to_agent.empty() && out.task) answer.to_agent = out.task->task.from_agent;
  if (answer.to_agent.empty()) return out;
  if (Result<void> told = deliver_answer(session, answer); !told) return told.error();
  return out;
}

Result<Task> cancel_task(StoreSession& session, const Task& before, const std::string& by, bool verified) {
  if (before.state == TaskState::kCancelled) return before;
  if (is_end(before.state))
    return make_error("TASK_ENDED", "the task has ended: " + std::string(to_string(before.state)));
  const Result<std::int64_t> waited = withdraw(session, before.task_id, "task_delegation");
  if (!waited) return waited.error();
  TaskChange change;
  change.to = TaskState::kCancelled;
  change.by = by;
  Result<Changed> changed = change_task(session, before, change);
  if (!changed) return changed.error();
  const Task& task = changed->task;
  if (before.state != TaskState::kSubmitted || *waited == 0) {
    NewDelivery delivery;
    delivery.to_agent = task.to_agent;
    delivery.kind = "task_cancel";
    delivery.task_id = task.task_id;
    delivery.priority = Priority::kUrgent;
    delivery.body = dump_json(Json{{"type", "task_cancel"},
                                   {"message_id", task.message_id},
                                   {"task_id", task.task_id},
                                   {"from_agent", by},
                                   {"to_agent", task.to_agent},
                                   {"sender_verified", verified},
                                   {"timestamp", iso_time(session.now_ms)}});
    if (const Result<std::int64_t> id = enqueue(session, delivery); !id) return id.error();
  }
  if (by != task.from_agent && task.origin == "clawlink") {
    const Answer answer{task.message_id,
                        short_id(kMessageIdCharacters),
                        by,
                        task.from_agent,
                        "cancelled by " + by,
                        "cancelled",
                        task.task_id,
                        verified};
    if (Result<void> told = deliver_answer(session, answer); !told) return told.error();
  }
  return std::move(changed->task);
}

Result<void> fail_task(StoreSession& session, const Task& task, const std::string& why) {
  TaskChange change;
  change.to = TaskState::kFailed;
  change.by = "relay";
  change.text = why;
  const Result<Changed> changed = change_task(session, task, change);
  if (!changed) return changed.error();
  if (!changed->moved || task.origin != "clawlink") return {};
  const Answer answer{task.message_id,
                      short_id(kMessageIdCharacters),
                      "relay",
                      task.from_agent,
                      why,
                      "failed",
                      task.task_id,
                      true};
  const Result<void> told = deliver_answer(session, answer);
  // A delegator whose own queue is full sees it in the task.
  if (!told && !told.error().code.starts_with("QUEUE")) return told;
  return {};
}

Result<std::optional<Task>> find_task(StoreSession& session, std::string_view id) {
  const char* const sql = id.size() > kMessageIdCharacters
                              ? "SELECT " HOSTCLAW_TASK_COLUMNS " FROM tasks WHERE task_id = ?"
                              : "SELECT " HOSTCLAW_TASK_COLUMNS " FROM tasks WHERE message_id = ?";
  Statement query = session.database.statement(sql);
  const Result<bool> found = query.bind(id).step();
  if (!found) return found.error();
  if (!*found) return std::optional<Task>();
  return std::optional<Task>(read_task(query));
}

Result<std::vector<TaskEvent>> task_events(StoreSession& session, const std::string& task_id,
                                           std::int64_t after, std::size_t most_bytes) {
  Statement query = session.database.statement(
      "SELECT seq, kind, body, at_ms FROM task_events WHERE task_id = ? AND seq > ? ORDER BY seq");
  query.bind(task_id).bind(after);
  std::vector<TaskEvent> out;
  for (std::size_t bytes = 0; bytes < most_bytes;) {
    const Result<bool> found = query.step();
    if (!found) return found.error();
    if (!*found) return out;
    bytes += query.text_view(2).size();
    Result<Json> body = parse_json(query.text_view(2));
    if (!body) return body.error();
    out.push_back({query.integer(0), query.text(1), std::move(*body), query.integer(3)});
  }
  return out;
}

namespace {

// One of the two ends of a task has an index; the other conditions are looked at row by row.
std::string task_conditions(const TaskFilter& filter) {
  std::string sql = " WHERE 1";
  if (!filter.from_agent.empty()) sql += " AND from_agent = ?1";
  if (!filter.to_agent.empty()) sql += " AND to_agent = ?2";
  if (!filter.either.empty()) sql += " AND (from_agent = ?3 OR to_agent = ?3)";
  if (!filter.context_id.empty()) sql += " AND context_id = ?4";
  if (filter.state) sql += " AND state = ?5";
  if (filter.since_ms != 0) sql += " AND updated_at_ms >= ?6";
  return sql;
}

// A statement made for this filter, past the cache, which keeps views of literals.
class FilterStatement {
 public:
  FilterStatement(StoreSession& session, const std::string& sql, const TaskFilter& filter)
      : session_(session) {
    code_ = sqlite3_prepare_v2(session.database.handle(), sql.c_str(), -1, &handle_, nullptr);
    const std::string state = filter.state ? std::string(to_string(*filter.state)) : std::string();
    text(1, filter.from_agent);
    text(2, filter.to_agent);
    text(3, filter.either);
    text(4, filter.context_id);
    text(5, state);
    number(6, filter.since_ms);
    number(7, filter.before_ms);
    text(8, filter.before_id);
    number(9, static_cast<std::int64_t>(filter.limit));
  }
  ~FilterStatement() { sqlite3_finalize(handle_); }
  FilterStatement(const FilterStatement&) = delete;
  FilterStatement& operator=(const FilterStatement&) = delete;

  Result<bool> step() {
    if (code_ != SQLITE_OK) return session_.database.error(code_);
    const int code = sqlite3_step(handle_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return session_.database.error(code);
  }
  std::string text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
    return bytes == nullptr ? std::string() : std::string(bytes);
  }
  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_, column); }

 private:
  void text(int parameter, const std::string& value) {
    sqlite3_bind_text64(handle_, parameter, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  void number(int parameter, std::int64_t value) { sqlite3_bind_int64(handle_, parameter, value); }

  StoreSession& session_;
  sqlite3_stmt* handle_ = nullptr;
  int code_ = SQLITE_OK;
};

}  // namespace

Result<std::vector<Task>> list_tasks(StoreSession& session, const TaskFilter& filter) {
  std::string sql = "SELECT task_id FROM tasks" + task_conditions(filter);
  if (filter.before_ms != 0) sql += " AND (updated_at_ms < ?7 OR (updated_at_ms = ?7 AND task_id > ?8))";
  sql += " ORDER BY updated_at_ms DESC, task_id LIMIT ?9";
  FilterStatement query(session, sql, filter);
  std::vector<Task> out;
  for (;;) {
    const Result<bool> found = query.step();
    if (!found) return found.error();
    if (!*found) return out;
    Result<std::optional<Task>> task = find_task(session, query.text(0));
    if (!task) return task.error();
    if (*task) out.push_back(std::move(**task));
  }
}

Result<std::int64_t> count_tasks(StoreSession& session, const TaskFilter& filter) {
  FilterStatement query(session, "SELECT count(*) FROM tasks" + task_conditions(filter), filter);
  const Result<bool> found = query.step();
  if (!found) return found.error();
  return query.integer(0);
}

Json to_json(const Task& task) {
  Json out{{"task_id", task.task_id},
           {"message_id", task.message_id},
           {"context_id", task.context_id},
           {"from_agent", task.from_agent},
           {"to_agent", task.to_agent},
           {"state", to_string(task.state)},
           {"priority", task.priority},
           {"origin", task.origin},
           {"sender_verified", task.verified},
           {"created_at", iso_time(task.created_at_ms)},
           {"updated_at", iso_time(task.updated_at_ms)}};
  if (!task.status_text.empty()) out["status_text"] = task.status_text;
  if (task.deadline_ms != 0) out["deadline"] = iso_time(task.deadline_ms);
  return out;
}

Json to_json(const TaskEvent& event) {
  return {{"seq", event.seq}, {"kind", event.kind}, {"at", iso_time(event.at_ms)}, {"body", event.body}};
}

}  // namespace hostclaw::clawlink
