// SPDX-License-Identifier: Apache-2.0
// Tasks, their one way from state to state, and what is kept of them.
//
// change_task() is the only function that moves a task: answers of workers, cancelling, deadlines, dead
// letters and every other protocol go through it. Nothing follows an end: what comes later is kept as an
// event and changes nothing. Events hold parts as A2A spells them ({"text"}, {"data"}, {"raw"}, {"url"}).
//
// Errors: TASK_UNKNOWN, TASK_ENDED, QUEUE_FULL, QUEUES_FULL, STORE_*.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clawlink/model/task.h"
#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

struct Task {
  std::string task_id;     // UUID
  std::string message_id;  // its first 12 characters, by which the original's clients know it
  std::string context_id;
  std::string from_agent;
  std::string to_agent;
  TaskState state = TaskState::kSubmitted;
  std::string status_text;
  std::string priority;  // as it was given
  std::string origin;    // clawlink | a2a: who is told, and how
  bool verified = false;
  std::int64_t deadline_ms = 0;  // 0: none
  std::int64_t created_at_ms = 0;
  std::int64_t updated_at_ms = 0;
  std::int64_t events = 0;  // the number of the newest one
  std::int64_t event_bytes = 0;
};

struct TaskEvent {
  std::int64_t seq = 0;
  std::string kind;  // message | status | artifact
  Json body;
  std::int64_t at_ms = 0;
};

struct NewTask {
  std::string from_agent;
  std::string to_agent;
  Json text;  // a text, or whatever else the sender calls its task
  Json context = Json::object();
  std::string priority = "normal";
  std::string origin = "clawlink";
  std::string context_id = {};  // empty: a new one
  bool verified = false;
  std::int64_t deadline_ms = 0;
  std::int64_t expires_ms = 0;  // of the delivery
  Json parts = nullptr;         // null: made of text and context
  std::string sender_message_id = {};
};
// The task, its first event, the delivery and the row of the record.
Result<Task> create_task(StoreSession& session, const NewTask& task);

// More about a task that has not ended, as a further delegation with the same message_id. A task that waited
// for it goes on working.
struct FollowUp {
  std::string by;
  bool verified = false;
  Json text;
  Json context = Json::object();
  Json parts = nullptr;
  std::string sender_message_id = {};
};
Result<Task> continue_task(StoreSession& session, const Task& task, const FollowUp& more);

struct TaskChange {
  std::optional<TaskState> to;  // absent: only what is kept
  std::string by;               // an agent, or "relay"
  std::string word = {};        // of the status, where it is not the state's own
  std::string text = {};        // what is said about it
  std::vector<Json> artifacts = {};
};
struct Changed {
  Task task;
  bool moved = false;  // false: it had ended
};
Result<Changed> change_task(StoreSession& session, const Task& task, const TaskChange& change);

// An answer of a worker in the original's protocol: a change, and the delivery to `to_agent`. A message that
// is no task of this relay is passed on all the same.
struct Response {
  std::string from_agent;
  std::string to_agent;
  std::string message_id;
  Json result;
  std::string status = "completed";
  bool verified = false;
};
struct Responded {
  std::string response_id;
  std::optional<Changed> task;
};
Result<Responded> respond(StoreSession& session, const Response& response);

// Ended by the one who wants it no more. The worker is told when it has the task already; the delegator when
// it was somebody else. TASK_ENDED, unless it was cancelled before.
Result<Task> cancel_task(StoreSession& session, const Task& task, const std::string& by, bool verified);

// Ends a task for the relay's own reasons and tells the delegator.
Result<void> fail_task(StoreSession& session, const Task& task, const std::string& why);

// By task id or message id.
Result<std::optional<Task>> find_task(StoreSession& session, std::string_view id);
// Oldest first; one at least, whatever its length. All of a task are somewhat more than
// limits.task_event_bytes.
inline constexpr std::size_t kAllEvents = ~std::size_t{0};
Result<std::vector<TaskEvent>> task_events(StoreSession& session, const std::string& task_id,
                                           std::int64_t after = 0, std::size_t most_bytes = kAllEvents);

struct TaskFilter {
  std::string from_agent;  // empty: all
  std::string to_agent;    // empty: all
  std::string either;      // from or to this one; empty: all
  std::string context_id;  // empty: all
  std::optional<TaskState> state;
  std::int64_t since_ms = 0;   // changed then or later
  std::int64_t before_ms = 0;  // the place of the last one seen: its time and id; 0: from the newest
  std::string before_id;
  std::size_t limit = 50;
};
// Newest change first.
Result<std::vector<Task>> list_tasks(StoreSession& session, const TaskFilter& filter);
Result<std::int64_t> count_tasks(StoreSession& session, const TaskFilter& filter);

Json to_json(const Task& task);
Json to_json(const TaskEvent& event);

}  // namespace hostclaw::clawlink
