// SPDX-License-Identifier: Apache-2.0
// Tasks: given, answered, looked at, cancelled.
#include <cmath>

#include "clawlink/http/route_calls.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/queue.h"
#include "clawlink/store/rules.h"
#include "clawlink/store/tasks.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::size_t kMostMessageIdBytes = 200;
constexpr std::size_t kEventPageBytes = 4'000'000;

// `deadline` (a time) and `ttl` (seconds) of a delegation.
Result<void> read_times(const RouteCall& call, NewTask& task) {
  if (const Json* const deadline = find_member(call.body, "deadline"); deadline && !deadline->is_null()) {
    const std::optional<std::int64_t> at = read_time(*deadline);
    if (!at || *at <= call.session.now_ms) return bad_request("deadline is no time that is still to come");
    task.deadline_ms = *at;
  }
  if (const Json* const ttl = find_member(call.body, "ttl"); ttl && !ttl->is_null()) {
    const double seconds = ttl->is_number() ? ttl->get<double>() : 0;
    if (!(seconds > 0 && seconds <= 365.0 * 86'400))
      return bad_request("ttl is no number of seconds up to a year");
    task.expires_ms = call.session.now_ms + static_cast<std::int64_t>(std::ceil(seconds * 1000));
  }
  return {};
}

Result<void> check_target(const RouteCall& call, const Sender& from, const std::string& to) {
  if (!is_agent_id(to)) return bad_request("to_agent is no id of an agent");
  if (is_truthy(call.body, "strict")) {
    const Result<std::optional<Agent>> agent = find_agent(call.session, to);
    if (!agent) return agent.error();
    if (!*agent) return make_error("AGENT_UNKNOWN", "no agent " + to + " is registered");
  }
  return check_rules(call.session, kDelegate, {from.agent, from.verified}, to);
}

// The task, when the caller may see it; somebody else's looks like none.
Result<Task> visible_task(const RouteCall& call, const std::string& id) {
  const Error unknown = make_error("TASK_UNKNOWN", "there is no such task");
  Result<std::optional<Task>> task = find_task(call.session, id);
  if (!task) return task.error();
  if (!*task) return unknown;
  if (call.caller.has_credential()) {
    if (call.caller.agent != (*task)->from_agent && call.caller.agent != (*task)->to_agent) return unknown;
    return std::move(**task);
  }
  if (call.config.access.require_credentials) return unknown;
  // Between two that guard themselves it is nobody else's business.
  const Result<bool> from = is_guarded(call.session, (*task)->from_agent);
  if (!from) return from.error();
  const Result<bool> to = is_guarded(call.session, (*task)->to_agent);
  if (!to) return to.error();
  if (*from && *to) return unknown;
  return std::move(**task);
}

// The delegator alone.
Result<Sender> delegator(const RouteCall& call, const Task& task) {
  std::string claimed = text_member(call.body, "from_agent");
  if (claimed.empty() && !call.caller.has_credential()) claimed = task.from_agent;
  Result<Sender> sender = speak_as(call.session, call.config.access, call.caller, claimed);
  if (sender && sender->agent != task.from_agent)
    return make_error("FORBIDDEN", "this task is of agent " + task.from_agent);
  return sender;
}

}  // namespace

Result<Reply> delegate(RouteCall& call) {
  const Result<Sender> sender = sender_of(call);
  if (!sender) return sender.error();
  NewTask task;
  task.from_agent = sender->agent;
  task.verified = sender->verified;
  task.to_agent = text_member(call.body, "to_agent");
  if (task.from_agent.empty() || task.to_agent.empty() || !is_truthy(call.body, "task"))
    return bad_request("from_agent, to_agent, and task are required");
  if (Result<void> may = check_target(call, *sender, task.to_agent); !may) return may.error();
  task.text = call.body["task"];
  if (const Json* const context = find_member(call.body, "context")) task.context = *context;
  task.priority = text_member(call.body, "priority", "normal").substr(0, 32);
  task.context_id = text_member(call.body, "context_id").substr(0, 128);
  if (Result<void> read = read_times(call, task); !read) return read.error();
  const Result<Task> made = create_task(call.session, task);
  if (!made) return made.error();
  return json_reply({{"status", "delegated"},
                     {"delivery", "queued"},
                     {"message_id", made->message_id},
                     {"task_id", made->task_id},
                     {"context_id", made->context_id},
                     {"sender_verified", made->verified}});
}

Result<Reply> respond_to_task(RouteCall& call) {
  const Result<Sender> sender = sender_of(call);
  if (!sender) return sender.error();
  Response response;
  response.from_agent = sender->agent;
  response.verified = sender->verified;
  response.to_agent = text_member(call.body, "to_agent");
  if (!response.to_agent.empty() && !is_agent_id(response.to_agent))
    return bad_request("to_agent is no id of an agent");
  response.message_id = text_member(call.body, "message_id");
  if (response.message_id.size() > kMostMessageIdBytes)
    return bad_request("message_id has at most 200 bytes");
  if (const Json* const result = find_member(call.body, "result")) response.result = *result;
  response.status = text_member(call.body, "status", "completed").substr(0, 64);
  const Result<Responded> done = respond(call.session, response);
  if (!done) return done.error();
  Json body{{"status", "response_sent"}, {"delivery", "queued"}, {"response_id", done->response_id}};
  if (done->task) {
    body["task_id"] = done->task->task.task_id;
    body["task_state"] = to_string(done->task->task.state);
    // It came after the end: kept, passed on, and without effect on the task.
    if (!done->task->moved) body["late"] = true;
  }
  return json_reply(body);
}

Result<Reply> show_tasks(RouteCall& call) {
  const HttpRequest& request = call.request;
  TaskFilter filter;
  filter.from_agent = request.query_text("from");
  filter.to_agent = request.query_text("to");
  filter.either = request.query_text("agent");
  filter.context_id = request.query_text("context");
  if (const std::string state = request.query_text("state"); !state.empty()) {
    filter.state = task_state_from(state);
    if (!filter.state)
      return bad_request(
          "state is none of submitted, working, input_required, completed, failed, rejected, cancelled");
  }
  const auto limit = query_number(request, "limit", 1, 500, 50);
  if (!limit) return bad_request("limit is a number from 1 to 500");
  filter.limit = static_cast<std::size_t>(*limit);
  if (const std::string after = request.query_text("after"); !after.empty()) {
    const Result<std::optional<Task>> last = find_task(call.session, after);
    if (!last) return last.error();
    if (!*last) return make_error("TASK_UNKNOWN", "there is no such task");
    filter.before_ms = (*last)->updated_at_ms;
    filter.before_id = (*last)->task_id;
  }
  if (call.caller.has_credential()) filter.either = call.caller.agent;
  const Result<std::vector<Task>> tasks = list_tasks(call.session, filter);
  if (!tasks) return tasks.error();
  Json list = Json::array();
  for (const Task& task : *tasks) {
    if (visible_task(call, task.task_id)) list.push_back(to_json(task));
  }
  return json_reply({{"tasks", list}, {"count", list.size()}});
}

Result<Reply> show_task(RouteCall& call) {
  const Result<Task> task = visible_task(call, call.captured[0]);
  if (!task) return task.error();
  const auto after = query_number(call.request, "after", 0, 1'000'000'000, 0);
  if (!after) return bad_request("after is the number of an event");
  const Result<std::vector<TaskEvent>> events =
      task_events(call.session, task->task_id, *after, kEventPageBytes);
  if (!events) return events.error();
  Json body = to_json(*task);
  body["events"] = Json::array();
  for (const TaskEvent& event : *events) body["events"].push_back(to_json(event));
  // They come with ?after= the last of these.
  if (!events->empty() && events->back().seq < task->events) body["more"] = true;
  Reply reply = json_reply(body);
  reply.is_empty = events->empty() && !is_end(task->state);
  return reply;
}

Result<Reply> cancel(RouteCall& call) {
  const Result<Task> task = visible_task(call, call.captured[0]);
  if (!task) return task.error();
  const Result<Sender> sender = delegator(call, *task);
  if (!sender) return sender.error();
  const Result<Task> ended = cancel_task(call.session, *task, sender->agent, sender->verified);
  if (!ended) return ended.error();
  return json_reply({{"status", "cancelled"}, {"task", to_json(*ended)}});
}

Result<Reply> continue_with_message(RouteCall& call) {
  const Result<Task> task = visible_task(call, call.captured[0]);
  if (!task) return task.error();
  const Result<Sender> sender = delegator(call, *task);
  if (!sender) return sender.error();
  if (!is_truthy(call.body, "task")) return bad_request("task is required");
  FollowUp more;
  more.by = sender->agent;
  more.verified = sender->verified;
  more.text = call.body["task"];
  if (const Json* const context = find_member(call.body, "context")) more.context = *context;
  const Result<Task> after = continue_task(call.session, *task, more);
  if (!after) return after.error();
  return json_reply({{"status", "delegated"},
                     {"delivery", "queued"},
                     {"message_id", after->message_id},
                     {"task_id", after->task_id},
                     {"task_state", to_string(after->state)}});
}

}  // namespace hostclaw::clawlink
