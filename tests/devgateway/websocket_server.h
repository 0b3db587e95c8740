// SPDX-License-Identifier: Apache-2.0
// The one place of the development gateway that knows Boost.Beast's server side: plain and TLS WebSockets,
// plain HTTP requests, timers, and the thread that runs them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "tests/devgateway/transport.h"

namespace hostclaw::devgateway {

struct TlsFiles {
  std::string certificate_chain;  // PEM paths
  std::string private_key;
};

struct ListenSettings {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free port
  std::optional<TlsFiles> tls;
};

class WebSocketServer {
 public:
  WebSocketServer();
  ~WebSocketServer();
  WebSocketServer(const WebSocketServer&) = delete;
  WebSocketServer& operator=(const WebSocketServer&) = delete;

  // Binds and starts the thread; `events` must outlive stop(). Errors: LISTEN_FAILED, TLS_FILES_INVALID.
  Result<void> start(const ListenSettings& settings, TransportEvents& events);
  // Drops every connection and joins the thread. Safe to call twice; not from the server's thread.
  void stop();

  std::uint16_t port() const;
  Scheduler& scheduler();

  // Runs on the server's thread; from any thread.
  void post(std::function<void()> task);

  // On the server's thread only. While paused, connecting is refused by the operating system.
  void pause_accepting();
  Result<void> resume_accepting();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace hostclaw::devgateway
