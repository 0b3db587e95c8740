// SPDX-License-Identifier: Apache-2.0
// A running development gateway with its own thread, for tests in this process and for the executable.
// Safe from any thread; call() must not be used from the server's thread.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "tests/devgateway/gateway.h"
#include "tests/devgateway/journal.h"
#include "tests/devgateway/reply.h"
#include "tests/devgateway/websocket_server.h"

namespace hostclaw::devgateway {

class DevGateway {
 public:
  // Errors: LISTEN_FAILED, TLS_FILES_INVALID.
  static Result<std::unique_ptr<DevGateway>> start(const GatewaySettings& settings,
                                                   const ListenSettings& listen = {});
  ~DevGateway();

  std::uint16_t port() const;
  std::string url() const;              // ws://127.0.0.1:port or wss://...
  std::string tls_fingerprint() const;  // 64 hex digits, empty without TLS

  Journal& journal() { return journal_; }

  // Any operator method (see gateway_operator.cc), with full rights.
  std::future<Reply> call_async(const std::string& method, const Json& params = Json::object());
  // Waits; a gateway that gives no answer in time yields the error NO_ANSWER.
  Reply call(const std::string& method, const Json& params = Json::object(),
             std::chrono::milliseconds timeout = std::chrono::seconds(20));

 private:
  DevGateway() = default;
  Journal journal_;
  WebSocketServer server_;
  std::unique_ptr<Gateway> gateway_;
  std::string fingerprint_;
  bool tls_ = false;
};

// SHA-256 of the DER form of the first certificate in a PEM file; empty when there is none.
std::string certificate_fingerprint(const std::string& pem_path);

}  // namespace hostclaw::devgateway
