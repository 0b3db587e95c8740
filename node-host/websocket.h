// A WebSocket client connection to a gateway, plain or TLS. The only file of the runtime that knows Beast.
//
// Promises: one TCP connection per object; TLS pins are compared after the TLS handshake and before the first
// HTTP byte; no Origin, no compression, no subprotocol; pings are answered as they are read, whatever
// commands do. Thread rule: the io_context thread. At most one read() and one write() at a time. Source:
// transport contract sections 1.2, 1.3, 1.6-1.8.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "gateway-proto/endpoint.h"

namespace hostclaw::node_host {

struct WebSocketOptions {
  std::chrono::milliseconds connect_timeout{15'000};  // name, TCP, TLS and upgrade together
  std::size_t max_message_bytes = 26'214'400;
  std::string extra_ca_file;  // PEM bundle added to the system's
  std::string user_agent;
};

// How a connection ended.
struct CloseInfo {
  int code = 1006;  // 1006: without a close frame
  std::string reason;
};

class WebSocket {
 public:
  // Errors: CONNECT_FAILED (name, TCP), TLS_FAILED, TLS_PIN_MISMATCH (names both fingerprints),
  // UPGRADE_REJECTED (message ends in the HTTP status and at most 2048 bytes of body), CONNECT_TIMEOUT.
  static boost::asio::awaitable<Result<std::unique_ptr<WebSocket>>> connect(
      gateway_proto::GatewayEndpoint endpoint, WebSocketOptions options);
  virtual ~WebSocket() = default;

  // The next text or binary message. Error CLOSED: see close_info().
  virtual boost::asio::awaitable<Result<std::string>> read() = 0;
  // Sends one text message. Error CLOSED.
  virtual boost::asio::awaitable<Result<void>> write(std::string text) = 0;
  // Sends a close frame (code 0: without a status) and drops the socket at the latest 250 ms later.
  virtual boost::asio::awaitable<void> close(int code, std::string reason) = 0;
  // Drops the socket at once; read() and write() end with CLOSED.
  virtual void abort() = 0;

  virtual CloseInfo close_info() const = 0;
  // Steady time of the last frame of any kind, pings included.
  virtual std::chrono::steady_clock::time_point last_received() const = 0;
};

// One HTTPS (or loopback HTTP) GET without redirects, for join URLs. Errors: CONNECT_FAILED, TLS_FAILED,
// TLS_PIN_MISMATCH, CONNECT_TIMEOUT, HTTP_STATUS (message names the status), HTTP_TOO_LARGE.
boost::asio::awaitable<Result<std::string>> http_get(gateway_proto::GatewayEndpoint endpoint,
                                                     std::string target, std::size_t max_body_bytes,
                                                     WebSocketOptions options);

}  // namespace hostclaw::node_host
