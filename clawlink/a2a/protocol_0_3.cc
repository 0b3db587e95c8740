// SPDX-License-Identifier: Apache-2.0
#include "clawlink/a2a/protocol_0_3.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "clawlink/model/wire_text.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::array kMethodNames = {
    std::pair{std::string_view("message/send"), std::string_view("SendMessage")},
    std::pair{std::string_view("message/stream"), std::string_view("SendStreamingMessage")},
    std::pair{std::string_view("tasks/get"), std::string_view("GetTask")},
    std::pair{std::string_view("tasks/cancel"), std::string_view("CancelTask")},
    std::pair{std::string_view("tasks/resubscribe"), std::string_view("SubscribeToTask")},
};
constexpr std::array kRoles = {
    std::pair{std::string_view("user"), std::string_view("ROLE_USER")},
    std::pair{std::string_view("agent"), std::string_view("ROLE_AGENT")},
};
constexpr std::string_view kStatePrefix = "TASK_STATE_";
constexpr std::string_view kCardVersion = "0.3.0";

// {kind: file, file: {bytes | uri, mimeType, name}} -> {raw | url, mediaType, filename}
bool file_from_0_3(Json& part) {
  Json file = part.value("file", Json());
  if (!file.is_object() || file.contains("bytes") == file.contains("uri")) return false;
  part.erase("file");
  for (const auto& [from, to] :
       {std::pair{"bytes", "raw"}, {"uri", "url"}, {"mimeType", "mediaType"}, {"name", "filename"}}) {
    if (file.contains(from)) part[to] = std::move(file[from]);
  }
  return true;
}

bool part_from_0_3(Json& part) {
  if (!part.is_object()) return false;
  const std::string kind = text_member(part, "kind");
  part.erase("kind");
  if (kind == "file") return file_from_0_3(part);
  return is_one_of(kind, {"text", "data"}) && part.contains(kind);
}

Json part_to_0_3(const Json& part) {
  Json out = part;
  if (part.contains("text")) {
    out["kind"] = "text";
  } else if (const Json* const data = find_member(part, "data")) {
    out["kind"] = "data";
    // Its readers expect an object.
    if (!data->is_object()) out["data"] = {{"value", *data}};
  } else {
    out["kind"] = "file";
    Json file = Json::object();
    for (const auto& [from, to] :
         {std::pair{"raw", "bytes"}, {"url", "uri"}, {"mediaType", "mimeType"}, {"filename", "name"}}) {
      if (!out.contains(from)) continue;
      file[to] = std::move(out[from]);
      out.erase(from);
    }
    out["file"] = std::move(file);
    return out;
  }
  out.erase("mediaType");
  out.erase("filename");
  return out;
}

void parts_to_0_3(Json& object) {
  const auto parts = object.find("parts");
  if (parts == object.end() || !parts->is_array()) return;
  for (Json& part : *parts) part = part_to_0_3(part);
}

Json message_to_0_3(Json message) {
  message["kind"] = "message";
  const std::string role = text_member(message, "role");
  for (const auto& [old_name, name] : kRoles) {
    if (role == name) message["role"] = old_name;
  }
  parts_to_0_3(message);
  return message;
}

// "TASK_STATE_INPUT_REQUIRED" -> "input-required"
std::string state_to_0_3(std::string_view state) {
  if (state.starts_with(kStatePrefix)) state.remove_prefix(kStatePrefix.size());
  std::string out = to_lower_ascii(state);
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

Json status_to_0_3(Json status) {
  status["state"] = state_to_0_3(text_member(status, "state"));
  if (status.contains("message")) status["message"] = message_to_0_3(std::move(status["message"]));
  return status;
}

Json task_to_0_3(Json task) {
  task["kind"] = "task";
  task["status"] = status_to_0_3(std::move(task["status"]));
  if (task.contains("history")) {
    for (Json& message : task["history"]) message = message_to_0_3(std::move(message));
  }
  if (task.contains("artifacts")) {
    for (Json& artifact : task["artifacts"]) parts_to_0_3(artifact);
  }
  return task;
}

Json status_update_to_0_3(Json update) {
  const auto state = read_a2a_state(text_member(update["status"], "state"));
  update["kind"] = "status-update";
  update["final"] = state && is_settled(*state);
  update["status"] = status_to_0_3(std::move(update["status"]));
  return update;
}

Json artifact_update_to_0_3(Json update) {
  update["kind"] = "artifact-update";
  parts_to_0_3(update["artifact"]);
  return update;
}

std::optional<A2aError> configuration_from_0_3(Json& configuration) {
  if (const Json* const push = find_member(configuration, "pushNotificationConfig");
      push != nullptr && !push->is_null())
    return a2a_error("PUSH_NOTIFICATION_NOT_SUPPORTED",
                     "clients of A2A 0.3 get no push notifications from this relay");
  // Who does not say waits.
  configuration["returnImmediately"] = configuration.value("blocking", Json()) == false;
  configuration.erase("blocking");
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> method_from_0_3(std::string_view name) {
  for (const auto& [old_name, method] : kMethodNames) {
    if (old_name == name) return method;
  }
  return std::nullopt;
}

bool has_shape_of_1_0(const Json& params) {
  const Json* const message = find_member(params, "message");
  if (message == nullptr || !message->is_object()) return false;
  if (text_member(*message, "role").starts_with("ROLE_")) return true;
  const Json* const parts = find_member(*message, "parts");
  return parts != nullptr && parts->is_array() && !parts->empty() &&
         std::none_of(parts->begin(), parts->end(),
                      [](const Json& part) { return part.is_object() && part.contains("kind"); });
}

std::optional<A2aError> params_from_0_3(Json& params) {
  if (!params.is_object()) return std::nullopt;
  if (const auto configuration = params.find("configuration");
      configuration != params.end() && configuration->is_object()) {
    if (auto wrong = configuration_from_0_3(*configuration)) return wrong;
  }
  const auto message = params.find("message");
  if (message == params.end() || !message->is_object()) return std::nullopt;
  const std::string role = text_member(*message, "role");
  for (const auto& [old_name, name] : kRoles) {
    if (role == old_name) (*message)["role"] = name;
  }
  const auto parts = message->find("parts");
  if (parts == message->end() || !parts->is_array()) return std::nullopt;
  for (Json& part : *parts) {
    if (!part_from_0_3(part))
      return a2a_error("INVALID_PARAMS",
                       "a part of A2A 0.3 has the kind text, data or file and what it says; a file has bytes "
                       "or a uri");
  }
  return std::nullopt;
}

Json result_to_0_3(const Json& result) {
  if (const Json* const task = find_member(result, "task")) return task_to_0_3(*task);
  if (const Json* const update = find_member(result, "statusUpdate")) return status_update_to_0_3(*update);
  if (const Json* const update = find_member(result, "artifactUpdate"))
    return artifact_update_to_0_3(*update);
  return task_to_0_3(result);
}

Json error_to_0_3(const A2aError& error) { return {{"code", error.code}, {"message", error.message}}; }

Json card_for_both(Json card) {
  // Streams go over JSON-RPC, the first interface.
  card["url"] = card["supportedInterfaces"][0]["url"];
  card["preferredTransport"] = "JSONRPC";
  card["protocolVersion"] = kCardVersion;
  card["supportsAuthenticatedExtendedCard"] = false;
  if (!card.contains("securitySchemes")) return card;
  Json& bearer = card["securitySchemes"]["bearer"];
  bearer["type"] = "http";
  bearer["scheme"] = "bearer";
  card["security"] = Json::array({Json{{"bearer", Json::array()}}});
  return card;
}

}  // namespace hostclaw::clawlink
