// SPDX-License-Identifier: Apache-2.0
// What the gateway's logic sees of the network: connections that carry text, and timers.
// Thread rule: everything here is called on the one thread that runs the server.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace hostclaw::devgateway {

struct HttpRequest {
  std::string method;
  std::string target;
  std::multimap<std::string, std::string> headers;  // names in lower case
  std::string remote_address;
  bool upgrade = false;  // a WebSocket handshake
  bool tls = false;
};

struct HttpReply {
  int status = 404;
  std::string content_type = "application/json";
  std::string body;
};

// One WebSocket. Messages, pings and the close frame leave in the order in which they were asked for.
// After close() or drop() every further call is ignored.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual std::uint64_t id() const = 0;
  virtual const HttpRequest& request() const = 0;
  virtual bool loopback() const = 0;
  virtual void send_text(std::string text) = 0;
  virtual void send_binary(std::string bytes) = 0;
  // Writes bytes below the WebSocket layer, for frames that no correct peer would send.
  virtual void send_raw_bytes(std::string bytes) = 0;
  virtual void ping(std::string payload) = 0;
  virtual void close(std::uint16_t code, std::string reason) = 0;  // 1005: no status code
  virtual void drop() = 0;                                         // TCP only: the peer sees 1006
};

class TransportEvents {
 public:
  virtual ~TransportEvents() = default;
  // A reply refuses the upgrade or answers a plain request; nothing lets the upgrade proceed.
  virtual std::optional<HttpReply> on_http(const HttpRequest& request) = 0;
  virtual void on_open(std::shared_ptr<Connection> connection) = 0;
  virtual void on_text(Connection& connection, std::string text) = 0;
  virtual void on_pong(Connection& connection, std::string payload) = 0;
  // Code and reason that the peer sent, 1005 for a close frame without a code, 1006 without a close frame,
  // 1009 when a message was over the limit.
  virtual void on_closed(Connection& connection, std::uint16_t code, std::string reason) = 0;
  // A TLS handshake that did not complete, or a connection that ended before any HTTP byte.
  virtual void on_handshake_failed(const std::string& why) = 0;
};

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  virtual std::uint64_t after(std::chrono::milliseconds delay, std::function<void()> task) = 0;
  virtual void cancel(std::uint64_t timer) = 0;
};

}  // namespace hostclaw::devgateway
