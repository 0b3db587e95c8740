// SPDX-License-Identifier: Apache-2.0
#include "clawlink/a2a/methods.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "clawlink/a2a/method_call.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/queue.h"
#include "clawlink/store/requests.h"
#include "clawlink/store/rules.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::int64_t kUsualPage = 50;
constexpr std::int64_t kMostPageBytes = 16 * 1024 * 1024;
constexpr const char* kAgentExtension = "urn:hostclaw:clawlink:agent:1";

// Absent is the default; nullopt: it is no whole number of that range.
std::optional<std::int64_t> number_of(const Json& params, const char* name, std::int64_t least,
                                      std::int64_t most, std::int64_t otherwise) {
  const Json* const found = find_member(params, name);
  if (found == nullptr || found->is_null()) return otherwise;
  // HTTP+JSON gives numbers as texts of a query.
  std::int64_t value = 0;
  if (found->is_string()) {
    const std::string& text = found->get_ref<const std::string&>();
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  } else if (found->is_number_integer()) {
    value = found->get<std::int64_t>();
  } else {
    return std::nullopt;
  }
  if (value < least || value > most) return std::nullopt;
  return value;
}

bool flag_of(const Json& params, const char* name) {
  const Json* const found = find_member(params, name);
  return found != nullptr && (*found == true || *found == "true");
}

std::optional<TaskView> read_view(const Json& params) {
  TaskView view;
  const auto history = number_of(params, "historyLength", 0, 1'000'000, -1);
  if (!history) return std::nullopt;
  if (*history >= 0) view.history = *history;
  return view;
}

// What a message says, for agents that read the original's protocol.
struct ReadMessage {
  std::string message_id;
  std::string task_id;
  std::string context_id;
  std::string text;
  Json context = Json::object();
  Json parts;
};

bool read_part(const Json& part, ReadMessage& message) {
  if (!part.is_object()) return false;
  int contents = 0;
  for (const char* name : {"text", "raw", "url", "data"}) contents += part.contains(name) ? 1 : 0;
  if (contents != 1) return false;
  if (const Json* const text = find_member(part, "text")) {
    if (!text->is_string()) return false;
    message.text += (message.text.empty() ? "" : "\n") + text->get<std::string>();
  } else if (const Json* const data = find_member(part, "data")) {
    message.context["data"].push_back(*data);
  } else {
    message.context["files"].push_back(part);
  }
  return true;
}

Result<ReadMessage> read_message(const Json& params) {
  const Json* const given = find_member(params, "message");
  const auto wrong = [](const char* what) { return make_error("BAD_REQUEST", what); };
  if (given == nullptr || !given->is_object()) return wrong("message is required");
  ReadMessage message;
  message.message_id = text_member(*given, "messageId");
  if (message.message_id.empty() || message.message_id.size() > 200)
    return wrong("message.messageId is a text of 1 to 200 bytes");
  if (text_member(*given, "role") != "ROLE_USER") return wrong("message.role has to be ROLE_USER");
  const Json* const parts = find_member(*given, "parts");
  if (parts == nullptr || !parts->is_array() || parts->empty())
    return wrong("message.parts has to hold a part");
  for (const Json& part : *parts) {
    if (!read_part(part, message)) return wrong("a part has exactly one of text, raw, url and data");
  }
  message.parts = *parts;
  message.task_id = text_member(*given, "taskId");
  message.context_id = text_member(*given, "contextId");
  if (message.context_id.size() > 128) return wrong("message.contextId has at most 128 bytes");
  if (const Json* const metadata = find_member(*given, "metadata")) message.context["metadata"] = *metadata;
  return message;
}

// A message for a task that goes on.
A2aOutcome continue_with(const MethodCall& context, const ReadMessage& message, Task& task) {
  if (!message.context_id.empty() && message.context_id != task.context_id)
    return invalid("the task belongs to another context");
  FollowUp more;
  more.by = context.from;
  more.verified = context.caller.has_credential();
  more.text = message.text;
  more.context = message.context;
  more.parts = message.parts;
  more.sender_message_id = message.message_id;
  Result<Task> after = continue_task(context.session, task, more);
  if (!after) return refusal(after.error());
  task = std::move(*after);
  return {};
}

A2aOutcome begin_with(const MethodCall& context, const ReadMessage& message, Task& task) {
  if (Result<void> may = check_rules(context.session, kDelegate, {context.from, true}, context.call.agent_id);
      !may)
    return refusal(may.error());
  NewTask wanted;
  wanted.from_agent = context.from;
  wanted.to_agent = context.call.agent_id;
  wanted.text = message.text;
  wanted.context = message.context;
  wanted.parts = message.parts;
  wanted.origin = "a2a";
  wanted.context_id = message.context_id;
  wanted.verified = context.caller.has_credential();
  wanted.sender_message_id = message.message_id;
  Result<Task> made = create_task(context.session, wanted);
  if (!made) return refusal(made.error());
  task = std::move(*made);
  return {};
}

A2aOutcome with_task(const MethodCall& context, const Task& task, const TaskView& view) {
  A2aOutcome out;
  const Result<std::vector<TaskEvent>> events = task_events(context.session, task.task_id);
  if (!events) return refusal(events.error());
  out.result = a2a_task(task, *events, view);
  out.task_id = task.task_id;
  out.view = view;
  out.seen = task.events;
  return out;
}

// The same message of the same caller to the same agent is the same task: then it is `repeated`.
A2aOutcome deliver_once(const MethodCall& context, const ReadMessage& message, Task& task, bool& repeated) {
  const RequestKey key{"a2a:" + context.from + ">" + context.call.agent_id, message.message_id, "message"};
  const Result<std::optional<Reply>> before = answered_before(context.session, key);
  if (!before) return refusal(before.error());
  if (*before) {
    Result<Task> same = own_task(context, (*before)->body);
    if (!same) return refusal(same.error());
    task = std::move(*same);
    repeated = true;
    return {};
  }
  A2aOutcome done;
  if (message.task_id.empty()) {
    done = begin_with(context, message, task);
  } else {
    Result<Task> there = own_task(context, message.task_id);
    if (!there) return refusal(there.error());
    task = std::move(*there);
    done = continue_with(context, message, task);
  }
  if (done.error) return done;
  Reply kept;
  kept.body = task.task_id;
  if (Result<void> stored = remember_answer(context.session, key, kept); !stored)
    return refusal(stored.error());
  return {};
}

A2aOutcome send_message(const MethodCall& context) {
  const Result<ReadMessage> message = read_message(context.call.params);
  if (!message) return refusal(message.error());
  const Json configuration = context.call.params.value("configuration", Json::object());
  if (!configuration.is_object()) return invalid("configuration has to be an object");
  std::optional<PushConfig> push;
  if (const Json* const given = find_member(configuration, "taskPushNotificationConfig");
      given != nullptr && !given->is_null()) {
    Result<PushConfig> read = read_push_config(context.config, *given);
    if (!read) return refusal(read.error());
    push = std::move(*read);
  }
  const std::optional<TaskView> view = read_view(configuration);
  if (!view) return invalid("historyLength has to be 0 or more");
  Task task;
  bool repeated = false;
  if (A2aOutcome done = deliver_once(context, *message, task, repeated); done.error) return done;
  if (push && !repeated) {
    if (const auto added = add_push_config(context, task, std::move(*push)); !added)
      return refusal(added.error());
  }
  A2aOutcome out = with_task(context, task, *view);
  if (out.error) return out;
  out.waits = context.call.method == "SendMessage" && !flag_of(configuration, "returnImmediately") &&
              !is_settled(task.state);
  out.result = {{"task", std::move(out.result)}};
  return out;
}

A2aOutcome get_task(const MethodCall& context) {
  const std::optional<TaskView> view = read_view(context.call.params);
  if (!view) return invalid("historyLength has to be 0 or more");
  const Result<Task> task = own_task(context, text_member(context.call.params, "id"));
  if (!task) return refusal(task.error());
  return with_task(context, *task, *view);
}

A2aOutcome cancel(const MethodCall& context) {
  const Result<Task> task = own_task(context, text_member(context.call.params, "id"));
  if (!task) return refusal(task.error());
  const Result<Task> ended =
      cancel_task(context.session, *task, context.from, context.caller.has_credential());
  if (!ended && ended.error().code == "TASK_ENDED")
    return refusal(a2a_error("TASK_NOT_CANCELABLE", ended.error().message));
  if (!ended) return refusal(ended.error());
  return with_task(context, *ended, {});
}

A2aOutcome subscribe(const MethodCall& context) {
  const Result<Task> task = own_task(context, text_member(context.call.params, "id"));
  if (!task) return refusal(task.error());
  if (is_end(task->state))
    return refusal(a2a_error("UNSUPPORTED_OPERATION", "the task has ended: there is nothing to come"));
  A2aOutcome out = with_task(context, *task, {});
  if (!out.error) out.result = {{"task", std::move(out.result)}};
  return out;
}

// The place behind the last task of a page: its time and id.
std::string page_token(const Task& task) {
  const std::string text = std::to_string(task.updated_at_ms) + ":" + task.task_id;
  return to_base64url({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

bool read_page_token(const std::string& token, TaskFilter& filter) {
  const auto bytes = from_base64url(token);
  if (!bytes) return false;
  const std::string text(bytes->begin(), bytes->end());
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return false;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + colon, filter.before_ms);
  filter.before_id = text.substr(colon + 1);
  return failed == std::errc() && end == text.data() + colon && filter.before_ms > 0;
}

A2aOutcome list(const MethodCall& context) {
  const Json& params = context.call.params;
  TaskFilter filter;
  filter.from_agent = context.from;
  filter.to_agent = context.call.agent_id;
  filter.context_id = text_member(params, "contextId");
  if (const std::string state = text_member(params, "status");
      !state.empty() && state != "TASK_STATE_UNSPECIFIED") {
    filter.state = read_a2a_state(state);
    if (!filter.state && state != "TASK_STATE_AUTH_REQUIRED") return invalid("status is no state of a task");
    if (!filter.state) filter.context_id = "\x01";  // no task of this relay is in it
  }
  const auto size = number_of(params, "pageSize", 1, 100, kUsualPage);
  if (!size) return invalid("pageSize is 1 to 100");
  std::optional<TaskView> view = read_view(params);
  if (!view) return invalid("historyLength has to be 0 or more");
  view->artifacts = flag_of(params, "includeArtifacts");
  if (const std::string after = text_member(params, "statusTimestampAfter"); !after.empty()) {
    const auto at = read_time(after);
    if (!at) return invalid("statusTimestampAfter is no time");
    filter.since_ms = *at;
  }
  const Result<std::int64_t> total = count_tasks(context.session, filter);
  if (!total) return refusal(total.error());
  if (const std::string token = text_member(params, "pageToken");
      !token.empty() && !read_page_token(token, filter))
    return invalid("pageToken is none of this relay");
  filter.limit = static_cast<std::size_t>(*size) + 1;
  Result<std::vector<Task>> tasks = list_tasks(context.session, filter);
  if (!tasks) return refusal(tasks.error());
  bool more = tasks->size() > static_cast<std::size_t>(*size);
  if (more) tasks->pop_back();
  std::int64_t bytes = 0;
  const auto beyond = std::find_if(tasks->begin(), tasks->end(), [&bytes](const Task& task) {
    return std::exchange(bytes, bytes + task.event_bytes) > 0 && bytes > kMostPageBytes;
  });
  more = more || beyond != tasks->end();
  tasks->erase(beyond, tasks->end());
  Json shown = Json::array();
  for (const Task& task : *tasks) {
    A2aOutcome one = with_task(context, task, *view);
    if (one.error) return one;
    shown.push_back(std::move(one.result));
  }
  A2aOutcome out;
  out.result = {{"tasks", std::move(shown)},
                {"nextPageToken", more ? page_token(tasks->back()) : ""},
                {"pageSize", *size},
                {"totalSize", *total}};
  return out;
}

// What the relay knows of the agent beside what everybody may read.
A2aOutcome extended_card(const MethodCall& context) {
  if (!wants_token(context.config.access))
    return refusal(a2a_error("UNSUPPORTED_OPERATION",
                             "a relay that asks for no token has no card for those who have one"));
  if (context.call.base.empty()) return refusal(a2a_error("EXTENDED_AGENT_CARD_NOT_CONFIGURED"));
  const Result<std::optional<Agent>> agent = find_agent(context.session, context.call.agent_id);
  if (!agent) return refusal(agent.error());
  if (!*agent) return refusal(a2a_error("EXTENDED_AGENT_CARD_NOT_CONFIGURED", "no such agent is registered"));
  const Result<std::int64_t> waiting = count_waiting(context.session, context.call.agent_id);
  if (!waiting) return refusal(waiting.error());
  A2aOutcome out;
  out.result = agent_card(**agent, context.call.base, card_wish(context.config));
  const Json record = to_json(**agent, context.session.now_ms, context.session.limits);
  out.result["capabilities"]["extensions"] =
      Json::array({Json{{"uri", kAgentExtension},
                        {"description", "What the relay knows of the agent."},
                        {"params",
                         {{"agentId", (*agent)->agent_id},
                          {"machine", record["machine"]},
                          {"status", record["status"]},
                          {"registeredAt", iso_time_z((*agent)->registered_at_ms)},
                          {"lastSeen", iso_time_z((*agent)->last_seen_ms)},
                          {"ownCredential", (*agent)->guarded},
                          {"messagesWaiting", *waiting}}}}});
  if (context.config.card_key == nullptr) return out;
  Result<Json> card =
      signed_card(*context.config.card_key, std::move(out.result), key_set_url(context.call.base));
  if (!card) return refusal(card.error());
  out.result = std::move(*card);
  return out;
}

struct Method {
  std::string_view name;
  A2aOutcome (*run)(const MethodCall&);
};
constexpr std::array kMethods = {
    Method{"SendMessage", send_message},
    Method{"SendStreamingMessage", send_message},
    Method{"GetTask", get_task},
    Method{"ListTasks", list},
    Method{"CancelTask", cancel},
    Method{"SubscribeToTask", subscribe},
    Method{"CreateTaskPushNotificationConfig", create_push_config},
    Method{"GetTaskPushNotificationConfig", get_push_config},
    Method{"ListTaskPushNotificationConfigs", show_push_configs},
    Method{"DeleteTaskPushNotificationConfig", delete_push_config},
    Method{"GetExtendedAgentCard", extended_card},
};

}  // namespace

Result<Task> own_task(const MethodCall& context, const std::string& id) {
  const Error unknown = make_error("TASK_UNKNOWN", "");
  if (id.size() != 36) return unknown;
  Result<std::optional<Task>> task = find_task(context.session, id);
  if (!task) return task.error();
  if (!*task || (*task)->to_agent != context.call.agent_id || (*task)->from_agent != context.from)
    return unknown;
  return std::move(**task);
}

bool wants_token(const AccessRules& access) {
  return !access.shared_token.empty() || access.require_credentials;
}
CardWish card_wish(const RouteConfig& config) {
  CardWish wish;
  wish.version = config.version;
  wish.wants_token = wants_token(config.access);
  wish.pushes = config.push.enabled;
  return wish;
}

A2aOutcome do_a2a(StoreSession& session, const RouteConfig& config, const Caller& caller,
                  const A2aCall& call) {
  if (config.access.require_credentials && !caller.has_credential())
    return refusal({-32603, 403, "FORBIDDEN", "this relay wants the agent_token of the agent that speaks"});
  const MethodCall context{session, config, caller, call,
                           caller.has_credential() ? caller.agent : std::string(kA2aClientName)};
  for (const Method& method : kMethods) {
    if (method.name != call.method) continue;
    if (method.name != "GetExtendedAgentCard" && !call.params.is_object())
      return invalid("params has to be an object");
    return method.run(context);
  }
  return refusal(a2a_error("METHOD_NOT_FOUND"));
}

Result<A2aNow> look_at_task(StoreSession& session, const A2aLook& look) {
  Result<std::optional<Task>> task = find_task(session, look.task_id);
  if (!task) return task.error();
  if (!*task) return make_error("TASK_UNKNOWN", "");
  auto events = task_events(session, look.task_id, look.after, look.most_bytes);
  if (!events) return events.error();
  return A2aNow{std::move(**task), std::move(*events)};
}

}  // namespace hostclaw::clawlink
