// SPDX-License-Identifier: Apache-2.0
// A small WebSocket client for operators and for tests that play a node: one background thread reads, the
// caller waits for messages. Safe from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hostclaw::devgateway {

struct ClientEndpoint {
  std::string host;
  std::string port;
  std::string target = "/";
  bool tls = false;
};

// ws:// or wss://, default ports 80 and 443. Errors: URL_INVALID.
Result<ClientEndpoint> parse_client_url(const std::string& url);

struct CloseInfo {
  std::uint16_t code = 1006;
  std::string reason;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::multimap<std::string, std::string> headers;
};

class WebSocketClient {
 public:
  // The TLS certificate is not checked: this client is for a gateway on the same machine.
  // Errors: CONNECT_FAILED; UPGRADE_REFUSED with the HTTP status in the message.
  static Result<std::unique_ptr<WebSocketClient>> connect(
      const ClientEndpoint& endpoint, const std::vector<std::pair<std::string, std::string>>& headers = {});
  // Closes with 1000.
  ~WebSocketClient();

  void send(std::string text);
  void send_binary(std::string bytes);
  void close(std::uint16_t code = 1000, std::string reason = {});
  void drop();
  // Nothing when the time is over or the connection has ended.
  std::optional<std::string> receive(std::chrono::milliseconds timeout);
  // Nothing when the connection is still open after `timeout`.
  std::optional<CloseInfo> wait_closed(std::chrono::milliseconds timeout);
  bool closed() const;
  // Stops answering pings by not reading any more; for tests of silent peers.
  void stop_reading();

 private:
  WebSocketClient();
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// One GET. Errors: CONNECT_FAILED.
Result<HttpAnswer> http_get(const ClientEndpoint& endpoint, const std::string& target,
                            const std::vector<std::pair<std::string, std::string>>& headers = {});

}  // namespace hostclaw::devgateway
