// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/gateway_probe.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/clock.h"
#include "gateway-proto/connect.h"
#include "gateway-proto/frame.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;

asio::awaitable<void> look_at_gateway(const gateway_proto::GatewayEndpoint endpoint,
                                      const WebSocketOptions options, GatewayProbe& probe) {
  const auto started = std::chrono::steady_clock::now();
  auto socket = co_await WebSocket::connect(endpoint, options);
  if (!socket) {
    probe.failure = socket.error();
    co_return;
  }
  probe.upgraded = true;
  probe.took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
  auto text = co_await (*socket)->read();
  const std::int64_t now_ms = unix_ms_now();
  if (!text) {
    probe.failure = make_error("FRAME_INVALID", "the connection ended before a challenge came");
    co_return;
  }
  auto frame = gateway_proto::decode_frame(*text);
  const auto* event = frame ? std::get_if<gateway_proto::EventFrame>(&*frame) : nullptr;
  if (event == nullptr || event->event != "connect.challenge") {
    probe.failure = make_error("FRAME_INVALID", "what answers there is not an OpenClaw gateway");
  } else if (auto challenge = gateway_proto::challenge_from(event->payload); !challenge) {
    probe.failure = challenge.error();
  } else {
    probe.clock_ahead_ms = now_ms - challenge->ts_ms;
  }
  co_await (*socket)->close(1000, "");
}

}  // namespace

GatewayProbe probe_gateway(const gateway_proto::GatewayEndpoint& endpoint, WebSocketOptions options,
                           std::chrono::milliseconds patience) {
  options.connect_timeout = patience;
  GatewayProbe probe;
  bool ended = false;
  asio::io_context io{1};
  asio::co_spawn(io, look_at_gateway(endpoint, std::move(options), probe),
                 [&ended](const std::exception_ptr& failed) {
                   if (failed) std::rethrow_exception(failed);  // out of run_for(), to the check that asked
                   ended = true;
                 });
  io.run_for(patience);
  if (!ended && !probe.failure && !probe.clock_ahead_ms) {
    probe.failure = make_error("CONNECT_TIMEOUT",
                               probe.upgraded ? "the gateway sent no challenge in time"
                                              : "no answer from " + endpoint.host_header() + " in time");
  }
  return probe;
}

}  // namespace hostclaw::node_host
