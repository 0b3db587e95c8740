// SPDX-License-Identifier: Apache-2.0
#include "clawlink/forward/foreign_task.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "clawlink/a2a/objects.h"
#include "clawlink/model/wire_text.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::string_view kContextCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
constexpr std::size_t kMostContextBytes = 128;

// As the strictest of the known endpoints wants it.
bool is_context_for_all(std::string_view context) {
  return !context.empty() && context.size() <= kMostContextBytes &&
         context.find_first_not_of(kContextCharacters) == std::string_view::npos;
}

// Text first; what a sender put beside it as data and files follows.
Json message_parts(const Json& delegation) {
  Json parts = Json::array();
  const Json text = delegation.value("task", Json());
  if (text.is_string()) {
    if (!text.get_ref<const std::string&>().empty()) parts.push_back({{"text", text}});
  } else if (!text.is_null()) {
    parts.push_back({{"data", text}});
  }
  Json context = delegation.value("context", Json::object());
  if (context.is_object()) {
    // As the door of A2A puts them there; of files only what is one, lest a text comes past
    // why_not_forwarded().
    const auto listed = [&context](const char* name) {
      Json found = context.value(name, Json());
      if (found.is_array()) context.erase(name);
      return found.is_array() ? std::move(found) : Json::array();
    };
    for (Json& data : listed("data")) parts.push_back({{"data", std::move(data)}});
    Json others = Json::array();
    for (Json& file : listed("files")) {
      const bool is_file =
          file.is_object() && !file.contains("text") && (file.contains("raw") || file.contains("url"));
      (is_file ? parts : others).push_back(std::move(file));
    }
    if (!others.empty()) parts.push_back({{"data", {{"files", std::move(others)}}}});
    context.erase("metadata");
  }
  if (!context.empty()) parts.push_back({{"data", {{"context", context}}}});
  if (parts.empty()) parts.push_back({{"text", ""}});
  return parts;
}

std::string text_of_parts(const Json& parts) {
  std::string text;
  if (!parts.is_array()) return text;
  for (const Json& part : parts) {
    const std::string one = part.is_object() ? text_member(part, "text") : std::string();
    if (!one.empty()) text += (text.empty() ? "" : "\n") + one;
  }
  return text;
}

bool is_text_alone(const Json& artifacts) {
  return std::all_of(artifacts.begin(), artifacts.end(), [](const Json& artifact) {
    const Json parts = artifact.is_object() ? artifact.value("parts", Json()) : Json();
    return parts.is_array() && std::all_of(parts.begin(), parts.end(), [](const Json& part) {
             return part.is_object() && part.contains("text");
           });
  });
}

Json result_of(const Json& task, const std::string& said) {
  const Json artifacts = task.value("artifacts", Json::array());
  if (!artifacts.is_array() || artifacts.empty()) return said;
  if (!is_text_alone(artifacts)) return {{"artifacts", artifacts}};
  std::string text;
  for (const Json& artifact : artifacts) {
    const std::string one = text_of_parts(artifact.value("parts", Json()));
    if (!one.empty()) text += (text.empty() ? "" : "\n") + one;
  }
  return text;
}

std::optional<ForeignTask::Settled> settled_of(const Json& task) {
  const Json status = task.value("status", Json::object());
  const std::string word = status.is_object() ? text_member(status, "state") : std::string();
  const Json* const message = status.is_object() ? find_member(status, "message") : nullptr;
  const std::string said =
      message != nullptr && message->is_object() ? text_of_parts(message->value("parts", Json())) : "";
  if (word == "TASK_STATE_AUTH_REQUIRED")
    return ForeignTask::Settled{"input_required", "the agent wants somebody to log in: " + said, true,
                                text_member(status, "timestamp")};
  const std::optional<TaskState> state = read_a2a_state(word);
  if (!state || !is_settled(*state)) return std::nullopt;
  ForeignTask::Settled out{std::string(to_string(*state)), said};
  out.at = text_member(status, "timestamp");
  if (*state == TaskState::kCompleted) out.result = result_of(task, said);
  return out;
}

bool goes_on(const Json& task) {
  const Json status = task.value("status", Json::object());
  return status.is_object() && read_a2a_state(text_member(status, "state")).has_value();
}

// How often relays have carried it, in a member of our own among A2A's metadata.
constexpr const char* kHops = "hostclaw/hops";
constexpr std::int64_t kMostHops = 5;

std::int64_t hops_of(const Json& delegation) {
  const Json context = delegation.value("context", Json());
  const Json metadata = context.is_object() ? context.value("metadata", Json()) : Json();
  const Json hops = metadata.is_object() ? metadata.value(kHops, Json()) : Json();
  return hops.is_number_integer() ? std::clamp<std::int64_t>(hops.get<std::int64_t>(), 0, kMostHops) : 0;
}

}  // namespace

Json params_for_endpoint(const Json& delegation, const std::string& message_id,
                         const std::optional<Forwarded>& before) {
  Json message{{"messageId", message_id}, {"role", "ROLE_USER"}, {"parts", message_parts(delegation)}};
  const std::string context = before ? before->foreign_context_id : text_member(delegation, "context_id");
  if (is_context_for_all(context)) message["contextId"] = context;
  if (before) message["taskId"] = before->foreign_task_id;
  message["metadata"] = {{kHops, hops_of(delegation) + 1}};
  return {{"message", std::move(message)},
          {"configuration", {{"returnImmediately", true}, {"historyLength", 0}}}};
}

std::string why_not_forwarded(const Json& delegation) {
  const Json text = delegation.value("task", Json());
  if (text.is_string() && trim(text.get_ref<const std::string&>()).starts_with("/"))
    return "a task that begins with / is not carried to another system, which could take it for a command of "
           "its own; begin with a word";
  if (hops_of(delegation) >= kMostHops)
    return "this task was carried from one relay to the next " + std::to_string(kMostHops) +
           " times: agents that live elsewhere lead in a circle";
  return {};
}

std::optional<ForeignTask> read_foreign_task(const Json& result) {
  if (!result.is_object()) return std::nullopt;
  ForeignTask out;
  if (const Json* const message = find_member(result, "message");
      message != nullptr && message->is_object()) {
    out.settled = ForeignTask::Settled{"completed", text_of_parts(message->value("parts", Json()))};
    return out;
  }
  const Json* const inner = find_member(result, "task");
  const Json& task = inner != nullptr ? *inner : result;
  if (!task.is_object() || text_member(task, "id").empty() || !task.contains("status")) return std::nullopt;
  out.task_id = text_member(task, "id");
  out.context_id = text_member(task, "contextId");
  out.settled = settled_of(task);
  out.is_known = out.settled.has_value() || goes_on(task);
  return out;
}

}  // namespace hostclaw::clawlink
