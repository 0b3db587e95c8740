// SPDX-License-Identifier: Apache-2.0
// A WebSocket client connection to a gateway, plain or TLS. The only file of the runtime that knows Beast.
//
// Promises: one TCP connection per object; TLS pins are compared after the TLS handshake and before the first
// HTTP byte; no Origin, no compression, no subprotocol; pings are answered as they are read, whatever
// commands do. Thread rule: the io_context thread. At most one read() and one write() at a time. Source:
// transport contract sections 1.2, 1.3, 1.6-1.8.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "gateway-proto/endpoint.h"

namespace hostclaw::node_host {

// Gives an attempt to connect up from outside, at once and in every state: while the name is looked up, while
// TCP, TLS or the upgrade wait. Thread rule: the io_context thread of the attempt.
class ConnectStop {
 public:
  // The attempt ends with CONNECT_STOPPED; so does each that is made with this object later.
  void stop() {
    stopped_ = true;
    if (const auto end = end_) end();
  }
  bool stopped() const { return stopped_; }

 private:
  friend class ConnectAttempt;
  bool stopped_ = false;
  std::function<void()> end_;
};

// Looks a name up, as long as that takes; called on a thread of its own.
using NameLookup = std::function<std::vector<boost::asio::ip::tcp::endpoint>(
    const std::string& host, std::uint16_t port, boost::system::error_code& failed)>;

struct WebSocketOptions {
  std::chrono::milliseconds connect_timeout{15'000};  // name, TCP, TLS and upgrade together
  std::shared_ptr<ConnectStop> stop;                  // null: only the time ends an attempt
  NameLookup lookup;                                  // empty: the system's
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
  // UPGRADE_REJECTED (message ends in the HTTP status and at most 2048 bytes of body), CONNECT_TIMEOUT,
  // CONNECT_STOPPED. A lookup that is given up is left to its own thread; nothing waits for it.
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
// TLS_PIN_MISMATCH, CONNECT_TIMEOUT, CONNECT_STOPPED, HTTP_STATUS (message names the status), HTTP_TOO_LARGE.
boost::asio::awaitable<Result<std::string>> http_get(gateway_proto::GatewayEndpoint endpoint,
                                                     std::string target, std::size_t max_body_bytes,
                                                     WebSocketOptions options);

}  // namespace hostclaw::node_host
