// SPDX-License-Identifier: Apache-2.0
// The envelope of the gateway protocol: one JSON value per WebSocket text message.
// Source: transport contract section 1.5. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/json.h"
#include "base/result.h"

namespace hostclaw::gateway_proto {

// The gateway's own limit for any frame after hello-ok, and the official host's for frames it accepts.
inline constexpr std::size_t kMaxFrameBytes = 26'214'400;
// The gateway's limit before hello-ok.
inline constexpr std::size_t kMaxPreAuthFrameBytes = 65'536;
inline constexpr std::size_t kMaxFrameDepth = 64;

struct PeerError {
  std::string code;
  std::string message;
  Json details;  // null when absent
  bool retryable = false;
  std::optional<std::int64_t> retry_after_ms;
};

struct ResponseFrame {
  std::string id;
  bool ok = false;
  Json payload;                    // null when absent
  std::optional<PeerError> error;  // present exactly when !ok
};

struct EventFrame {
  std::string event;
  Json payload;  // null when absent
};

// A frame of a type or shape that a newer peer may send and that is to be ignored.
struct IgnoredFrame {
  std::string why;
};

using Frame = std::variant<ResponseFrame, EventFrame, IgnoredFrame>;

// Decodes one text message. Unknown members are ignored. Errors (peer faults): JSON_TOO_LARGE, JSON_TOO_DEEP,
// JSON_MALFORMED, FRAME_INVALID (not an object, wrong type of a required member). An unknown `type`, and a
// request (a node never receives one), are IgnoredFrame.
Result<Frame> decode_frame(std::string_view text);

// {"type":"req","id":..,"method":..,"params":..}; `params_json` is JSON text, omitted when empty.
std::string encode_request(std::string_view id, std::string_view method, std::string_view params_json);

// Reads `error` of a response; tolerant about missing members.
PeerError peer_error_from(const Json& error);

}  // namespace hostclaw::gateway_proto
