// SPDX-License-Identifier: Apache-2.0
// Messages after hello-ok: invocations, results, events. Source: transport contract sections 5 and 6.
// Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace hostclaw::gateway_proto {

struct InvokeRequest {
  std::string id;
  std::string node_id;  // device id of the addressee
  std::string command;
  std::optional<std::string> params_json;  // text; absent when the gateway sent none
  std::optional<std::int64_t> timeout_ms;  // remaining budget; absent (old gateways) and 0: no deadline
  std::string session_key;
  std::string idempotency_key;
};

// Errors: FRAME_INVALID when id, nodeId or command is missing or blank.
Result<InvokeRequest> invoke_request_from(const Json& payload);

// invokeId of a `node.invoke.cancel`; empty when malformed.
std::string cancelled_invoke_id(const Json& payload);

struct PairResolved {
  std::string request_id;
  std::string node_id;
  std::string decision;  // approved | rejected | ...
};
std::optional<PairResolved> pair_resolved_from(const Json& payload);

// The outcome of one invocation.
struct InvokeResult {
  bool ok = false;
  std::string payload_string;  // when ok: the payload's JSON text as a JSON string, in its quotes
  std::string payload_object;  // when ok, instead: the payload's JSON text, sent as an object
  std::string error_code;      // when not ok
  std::string error_message;

  static InvokeResult success(std::string payload_string);
  static InvokeResult success(const Json& payload);
  // The form in which results of tools travel.
  static InvokeResult object(const Json& payload);
  static InvokeResult failure(std::string code, std::string message);
};

// Params of `node.invoke.result`, as JSON text.
std::string invoke_result_params(const InvokeRequest& request, const InvokeResult& result);

// Params of `node.event`, as JSON text; the payload travels as payloadJSON, the official form.
// `payload_string` as in InvokeResult.
std::string node_event_params(std::string_view event, std::string_view payload_string);

}  // namespace hostclaw::gateway_proto
