// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/frame.h"

namespace hostclaw::gateway_proto {
namespace {

std::string string_or_empty(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

Error invalid_frame(std::string why) {
  return make_error("FRAME_INVALID", "frame from the gateway: " + std::move(why));
}

}  // namespace

PeerError peer_error_from(const Json& error) {
  PeerError out;
  if (!error.is_object()) {
    out.code = "UNAVAILABLE";
    out.message = "the gateway sent an error without a body";
    return out;
  }
  out.code = string_or_empty(error, "code");
  out.message = string_or_empty(error, "message");
  if (const auto it = error.find("details"); it != error.end()) out.details = *it;
  if (const auto it = error.find("retryable"); it != error.end() && it->is_boolean())
    out.retryable = it->get<bool>();
  if (const auto it = error.find("retryAfterMs"); it != error.end() && it->is_number()) {
    const double value = it->get<double>();
    if (value >= 0 && value < 1e12) out.retry_after_ms = static_cast<std::int64_t>(value);
  }
  return out;
}

Result<Frame> decode_frame(std::string_view text) {
  auto parsed = parse_json(text, {.max_bytes = kMaxFrameBytes, .max_depth = kMaxFrameDepth});
  if (!parsed) return parsed.error();
  Json& json = *parsed;
  if (!json.is_object()) return invalid_frame("not a JSON object");
  const auto type = json.find("type");
  if (type == json.end() || !type->is_string())
    return invalid_frame("member `type` is missing or not a string");
  const std::string& kind = type->get_ref<const std::string&>();

  if (kind == "event") {
    const auto event = json.find("event");
    if (event == json.end() || !event->is_string())
      return invalid_frame("member `event` is missing or not a string");
    EventFrame frame{event->get<std::string>(), nullptr};
    if (const auto it = json.find("payload"); it != json.end()) frame.payload = std::move(*it);
    return Frame(std::move(frame));
  }
  if (kind == "res") {
    const auto id = json.find("id");
    if (id == json.end() || !id->is_string()) return invalid_frame("member `id` is missing or not a string");
    const auto ok = json.find("ok");
    if (ok == json.end() || !ok->is_boolean())
      return invalid_frame("member `ok` is missing or not a boolean");
    ResponseFrame frame;
    frame.id = id->get<std::string>();
    frame.ok = ok->get<bool>();
    if (const auto it = json.find("payload"); it != json.end()) frame.payload = std::move(*it);
    if (!frame.ok) {
      const auto it = json.find("error");
      frame.error = peer_error_from(it != json.end() ? *it : Json());
    }
    return Frame(std::move(frame));
  }
  return Frame(IgnoredFrame{kind == "req" ? "a node receives no requests" : "unknown frame type"});
}

std::string encode_request(std::string_view id, std::string_view method, std::string_view params_json) {
  JsonObjectText frame;
  frame.add("id", id).add("method", method).add("type", "req");
  if (!params_json.empty()) frame.add_json("params", params_json);
  return frame.take();
}

}  // namespace hostclaw::gateway_proto
