// SPDX-License-Identifier: Apache-2.0
// One look at a gateway, as far as anybody may go without credentials: name, TCP, TLS and pin, WebSocket
// upgrade, and the challenge that a gateway sends first. Nothing is sent that names this node.
// Thread rule: any thread; blocks until the outcome or the time is over. (A name server that does not answer
// can hold it longer: call it on a thread of its own.)
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "gateway-proto/endpoint.h"
#include "node-host/doors/gateway/websocket.h"

namespace hostclaw::node_host {

struct GatewayProbe {
  // Codes of WebSocket::connect(); CONNECT_TIMEOUT too when no challenge came; FRAME_INVALID when what came
  // is none. Absent: it answers as a gateway does.
  std::optional<Error> failure;
  bool upgraded = false;                       // the WebSocket stood
  std::optional<std::int64_t> clock_ahead_ms;  // our clock minus the gateway's
  std::chrono::milliseconds took{0};           // to the upgrade
};

GatewayProbe probe_gateway(const gateway_proto::GatewayEndpoint& endpoint, WebSocketOptions options,
                           std::chrono::milliseconds patience);

}  // namespace hostclaw::node_host
