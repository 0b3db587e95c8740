// SPDX-License-Identifier: Apache-2.0
#include "clawlink/a2a/objects.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "clawlink/model/wire_text.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::array kStates = {
    std::pair{TaskState::kSubmitted, std::string_view("TASK_STATE_SUBMITTED")},
    std::pair{TaskState::kWorking, std::string_view("TASK_STATE_WORKING")},
    std::pair{TaskState::kInputRequired, std::string_view("TASK_STATE_INPUT_REQUIRED")},
    std::pair{TaskState::kCompleted, std::string_view("TASK_STATE_COMPLETED")},
    std::pair{TaskState::kFailed, std::string_view("TASK_STATE_FAILED")},
    std::pair{TaskState::kRejected, std::string_view("TASK_STATE_REJECTED")},
    std::pair{TaskState::kCancelled, std::string_view("TASK_STATE_CANCELED")},
};

struct KnownError {
  std::string_view reason;
  int code;
  int http_status;
  std::string_view message;
};
constexpr std::array kErrors = {
    KnownError{"TASK_NOT_FOUND", -32001, 404, "there is no such task"},
    KnownError{"TASK_NOT_CANCELABLE", -32002, 400, "the task has ended"},
    KnownError{"PUSH_NOTIFICATION_NOT_SUPPORTED", -32003, 400, "this relay sends no push notifications"},
    KnownError{"UNSUPPORTED_OPERATION", -32004, 400, "this is not supported"},
    KnownError{"CONTENT_TYPE_NOT_SUPPORTED", -32005, 400, "the body has to be application/json"},
    KnownError{"EXTENDED_AGENT_CARD_NOT_CONFIGURED", -32007, 400,
               "this relay does not know how others reach it: its owner starts it with --public-url URL"},
    KnownError{"VERSION_NOT_SUPPORTED", -32009, 400, "this relay speaks A2A 1.0, and 0.3 by JSON-RPC"},
    KnownError{"PARSE_ERROR", -32700, 400, "the body is not JSON"},
    KnownError{"INVALID_REQUEST", -32600, 400, "this is no request of JSON-RPC 2.0"},
    KnownError{"METHOD_NOT_FOUND", -32601, 404, "there is no such method"},
    KnownError{"INVALID_PARAMS", -32602, 400, "the parameters are not right"},
    KnownError{"INTERNAL", -32603, 500, "the relay cannot do this at the moment"},
};

// Readers of event streams take lines of 4 MiB at most.
constexpr std::size_t kMostHistoryBytes = 2 * 1'048'576;
constexpr std::string_view kDomain = "a2a-protocol.org";

bool is_of_json_rpc(int code) { return code <= -32600; }

Json error_info(const A2aError& error) {
  Json info{
      {"@type", "type.googleapis.com/google.rpc.ErrorInfo"}, {"reason", error.reason}, {"domain", kDomain}};
  if (!error.detail.empty()) info["metadata"] = {{"code", error.detail}};
  return info;
}

std::string_view rest_status(int http_status) {
  switch (http_status) {
    case 404:
      return "NOT_FOUND";
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "PERMISSION_DENIED";
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 500:
      return "INTERNAL";
    default:
      return "INVALID_ARGUMENT";
  }
}

Json agent_message(const Task& task, std::int64_t seq, const std::string& text) {
  return {{"messageId", task.task_id + "-" + std::to_string(seq)},
          {"role", "ROLE_AGENT"},
          {"taskId", task.task_id},
          {"contextId", task.context_id},
          {"parts", Json::array({Json{{"text", text}}})}};
}

Json user_message(const Task& task, const Json& body) {
  return {{"messageId", text_member(body, "messageId")},
          {"role", "ROLE_USER"},
          {"taskId", task.task_id},
          {"contextId", task.context_id},
          {"parts", body.value("parts", Json::array())}};
}

Json status_of(const Task& task, const TaskEvent& event) {
  Json status{
      {"state", a2a_state(task_state_from(text_member(event.body, "state")).value_or(TaskState::kWorking))},
      {"timestamp", iso_time_z(event.at_ms)}};
  if (const std::string text = text_member(event.body, "text"); !text.empty())
    status["message"] = agent_message(task, event.seq, text);
  return status;
}

bool moves(const TaskEvent& event) { return event.kind == "status" && !event.body.value("late", false); }

bool ends_task(const TaskEvent& event) {
  const auto state = task_state_from(text_member(event.body, "state"));
  return moves(event) && state && is_end(*state);
}

// The newest of each id, in the order in which they first came.
Json artifacts_of(const std::vector<TaskEvent>& events) {
  Json out = Json::array();
  for (const TaskEvent& event : events) {
    // What came behind the end is kept and is no result.
    if (ends_task(event)) break;
    if (event.kind != "artifact") continue;
    const std::string id = text_member(event.body, "artifactId");
    const auto same = std::find_if(out.begin(), out.end(),
                                   [&](const Json& one) { return text_member(one, "artifactId") == id; });
    if (same == out.end()) {
      out.push_back(event.body);
    } else {
      *same = event.body;
    }
  }
  return out;
}

Json history_of(const Task& task, const std::vector<TaskEvent>& events, const TaskView& view) {
  std::vector<Json> said;
  for (const TaskEvent& event : events) {
    if (event.kind == "message") said.push_back(user_message(task, event.body));
    // What the state says now stands in the status.
    if (moves(event) && &event != &events.back() && !text_member(event.body, "text").empty())
      said.push_back(agent_message(task, event.seq, text_member(event.body, "text")));
  }
  // The newest, as many as were asked for and as fit.
  const std::size_t most = view.history ? static_cast<std::size_t>(*view.history) : said.size();
  std::size_t from = said.size();
  for (std::size_t bytes = 0; from > 0 && said.size() - from < most; --from) {
    bytes += dump_json(said[from - 1]).size();
    if (bytes > kMostHistoryBytes) break;
  }
  return Json(std::vector<Json>(said.begin() + static_cast<std::ptrdiff_t>(from), said.end()));
}

// "message_id" -> "messageId"
std::string json_name(const std::string& proto_name) {
  std::string name;
  bool begins_word = false;
  for (const char character : proto_name) {
    if (character != '_')
      name += begins_word ? to_upper_ascii(std::string_view(&character, 1)) : std::string(1, character);
    begins_word = character == '_';
  }
  return name;
}

}  // namespace

std::string_view a2a_state(TaskState state) {
  for (const auto& [value, name] : kStates) {
    if (value == state) return name;
  }
  return "TASK_STATE_UNSPECIFIED";
}

std::optional<TaskState> read_a2a_state(std::string_view word) {
  for (const auto& [value, name] : kStates) {
    if (name == word) return value;
  }
  return std::nullopt;
}

bool is_settled(TaskState state) { return is_end(state) || state == TaskState::kInputRequired; }

Json a2a_task(const Task& task, const std::vector<TaskEvent>& events, const TaskView& view) {
  Json out{{"id", task.task_id}, {"contextId", task.context_id}};
  Json status{{"state", a2a_state(task.state)}, {"timestamp", iso_time_z(task.updated_at_ms)}};
  for (auto event = events.rbegin(); event != events.rend(); ++event) {
    if (!moves(*event)) continue;
    status = status_of(task, *event);
    // A word of the worker that is none of the protocol's.
    if (const std::string word = text_member(event->body, "word"); !word.empty())
      out["metadata"] = {{"clawlinkStatus", word}};
    break;
  }
  out["status"] = std::move(status);
  if (Json artifacts = view.artifacts ? artifacts_of(events) : Json::array(); !artifacts.empty())
    out["artifacts"] = std::move(artifacts);
  if (Json history = history_of(task, events, view); !history.empty()) out["history"] = std::move(history);
  return out;
}

Json a2a_update(const Task& task, const TaskEvent& event) {
  const Json names{{"taskId", task.task_id}, {"contextId", task.context_id}};
  if (event.kind == "artifact") {
    Json update = names;
    update["artifact"] = event.body;
    update["lastChunk"] = true;
    return {{"artifactUpdate", std::move(update)}};
  }
  if (!moves(event)) return nullptr;
  Json update = names;
  update["status"] = status_of(task, event);
  return {{"statusUpdate", std::move(update)}};
}

void use_json_names(Json& params) {
  if (params.is_array()) {
    for (Json& one : params) use_json_names(one);
    return;
  }
  if (!params.is_object()) return;
  std::vector<std::string> old_names;
  for (auto& [name, value] : params.items()) {
    if (!is_one_of(name, {"data", "metadata"})) use_json_names(value);
    if (name.find('_') != std::string::npos) old_names.push_back(name);
  }
  for (const std::string& old_name : old_names) {
    params.emplace(json_name(old_name), std::move(params[old_name]));
    params.erase(old_name);
  }
}

A2aError a2a_error(std::string_view reason, std::string message) {
  for (const KnownError& known : kErrors) {
    if (known.reason == reason)
      return {known.code, known.http_status, std::string(reason),
              message.empty() ? std::string(known.message) : std::move(message)};
  }
  return {-32603, 500, "INTERNAL", std::move(message)};
}

A2aError a2a_error(const Error& error) {
  if (error.code == "TASK_UNKNOWN") return a2a_error("TASK_NOT_FOUND");
  if (error.code == "TASK_ENDED") return a2a_error("UNSUPPORTED_OPERATION", error.message);
  if (error.code == "BAD_REQUEST") return a2a_error("INVALID_PARAMS", error.message);
  if (error.code == "FORBIDDEN") return {-32603, 403, "FORBIDDEN", error.message};
  if (error.code == "QUEUE_FULL" || error.code == "QUEUES_FULL")
    return {-32603, 429, "QUEUE_FULL", error.message};
  if (error.code == "PUSH_NOT_SUPPORTED") return a2a_error("PUSH_NOTIFICATION_NOT_SUPPORTED", error.message);
  if (error.code.starts_with("PUSH_")) {
    A2aError refused =
        a2a_error("INVALID_PARAMS", error.message + (error.next.empty() ? "" : ": " + error.next));
    refused.detail = error.code;
    return refused;
  }
  return a2a_error("INTERNAL");
}

Json to_rpc(const A2aError& error) {
  Json out{{"code", error.code}, {"message", error.message}};
  if (!is_of_json_rpc(error.code) || error.code == -32603 || !error.detail.empty())
    out["data"] = Json::array({error_info(error)});
  return out;
}

Json to_rest(const A2aError& error) {
  return {{"error",
           {{"code", error.http_status},
            {"status", rest_status(error.http_status)},
            {"message", error.message},
            {"details", Json::array({error_info(error)})}}}};
}

std::string key_set_url(const std::string& base) { return base + "/.well-known/jwks.json"; }

Json agent_card(const Agent& agent, const std::string& base, const CardWish& wish) {
  Json skills = Json::array();
  for (const Json& capability : agent.capabilities) {
    if (!capability.is_string() || capability.get_ref<const std::string&>().empty()) continue;
    skills.push_back({{"id", capability},
                      {"name", capability},
                      {"description", capability},
                      {"tags", Json::array({capability})}});
  }
  if (skills.empty())
    skills.push_back(
        {{"id", "tasks"}, {"name", "Tasks"}, {"description", "Takes tasks in words."}, {"tags", {"tasks"}}});
  const std::string url = base + "/a2a/agents/" + percent_encoded(agent.agent_id);
  const Json modes{"text/plain", "application/json"};
  Json card{
      {"name", agent.name.empty() ? agent.agent_id : agent.name},
      {"description", agent.description.empty() ? "An agent of a ClawLink relay." : agent.description},
      {"version", wish.version},
      {"supportedInterfaces",
       Json::array({Json{{"url", url}, {"protocolBinding", "JSONRPC"}, {"protocolVersion", "1.0"}},
                    Json{{"url", url}, {"protocolBinding", "HTTP+JSON"}, {"protocolVersion", "1.0"}}})},
      {"capabilities",
       {{"streaming", true}, {"pushNotifications", wish.pushes}, {"extendedAgentCard", wish.wants_token}}},
      {"defaultInputModes", modes},
      {"defaultOutputModes", modes},
      {"skills", std::move(skills)}};
  if (!wish.wants_token) return card;
  card["securitySchemes"] = {{"bearer", {{"httpAuthSecurityScheme", {{"scheme", "Bearer"}}}}}};
  card["securityRequirements"] = Json::array({Json{{"schemes", {{"bearer", {{"list", Json::array()}}}}}}});
  return card;
}

}  // namespace hostclaw::clawlink
