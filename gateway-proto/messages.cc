// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/messages.h"

#include "base/text.h"

namespace hostclaw::gateway_proto {
namespace {

std::string trimmed_text(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? std::string(trim(it->get_ref<const std::string&>()))
                                               : std::string();
}

}  // namespace

Result<InvokeRequest> invoke_request_from(const Json& payload) {
  if (!payload.is_object())
    return make_error("FRAME_INVALID", "node.invoke.request without a payload object");
  InvokeRequest request;
  request.id = trimmed_text(payload, "id");
  request.node_id = trimmed_text(payload, "nodeId");
  request.command = trimmed_text(payload, "command");
  if (request.id.empty() || request.node_id.empty() || request.command.empty()) {
    return make_error("FRAME_INVALID", "node.invoke.request without id, nodeId or command");
  }
  request.session_key = trimmed_text(payload, "sessionKey");
  request.idempotency_key = trimmed_text(payload, "idempotencyKey");
  if (const auto it = payload.find("paramsJSON"); it != payload.end() && it->is_string()) {
    request.params_json = it->get<std::string>();
  } else if (const auto params = payload.find("params"); params != payload.end() && !params->is_null()) {
    request.params_json = dump_json(*params);
  }
  if (const auto it = payload.find("timeoutMs"); it != payload.end() && it->is_number()) {
    const double value = it->get<double>();
    if (value >= 1 && value < 9.0e15) request.timeout_ms = static_cast<std::int64_t>(value);
  }
  return request;
}

std::string cancelled_invoke_id(const Json& payload) {
  return payload.is_object() ? trimmed_text(payload, "invokeId") : std::string();
}

std::optional<PairResolved> pair_resolved_from(const Json& payload) {
  if (!payload.is_object()) return std::nullopt;
  PairResolved resolved{trimmed_text(payload, "requestId"), trimmed_text(payload, "nodeId"),
                        trimmed_text(payload, "decision")};
  if (resolved.node_id.empty() || resolved.decision.empty()) return std::nullopt;
  return resolved;
}

InvokeResult InvokeResult::success(std::string payload_string) {
  InvokeResult result;
  result.ok = true;
  result.payload_string = std::move(payload_string);
  return result;
}

InvokeResult InvokeResult::success(const Json& payload) { return success(json_string(dump_json(payload))); }

InvokeResult InvokeResult::object(const Json& payload) {
  InvokeResult result;
  result.ok = true;
  result.payload_object = dump_json(payload);
  return result;
}

InvokeResult InvokeResult::failure(std::string code, std::string message) {
  InvokeResult result;
  result.error_code = std::move(code);
  result.error_message = std::move(message);
  return result;
}

std::string invoke_result_params(const InvokeRequest& request, const InvokeResult& result) {
  JsonObjectText params;
  params.add("id", request.id).add("nodeId", request.node_id).add("ok", result.ok);
  if (result.ok && !result.payload_object.empty()) {
    params.add_json("payload", result.payload_object);
  } else if (result.ok) {
    params.add_json("payloadJSON", result.payload_string);
  } else {
    JsonObjectText error;
    error.add("code", result.error_code).add("message", result.error_message);
    params.add("error", std::move(error));
  }
  return params.take();
}

std::string node_event_params(std::string_view event, std::string_view payload_string) {
  JsonObjectText params;
  params.add("event", event).add_json("payloadJSON", payload_string);
  return params.take();
}

}  // namespace hostclaw::gateway_proto
