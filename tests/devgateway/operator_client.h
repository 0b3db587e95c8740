// SPDX-License-Identifier: Apache-2.0
// An operator's connection to a gateway: client.id gateway-client, mode backend, shared token.
// Thread rule: one thread.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "tests/devgateway/reply.h"
#include "tests/devgateway/websocket_client.h"

namespace hostclaw::devgateway {

class OperatorClient {
 public:
  // `token` is a secret: it never reaches a message. Errors: URL_INVALID, CONNECT_FAILED, UPGRADE_REFUSED,
  // CONNECT_REFUSED with the gateway's sentence.
  static Result<std::unique_ptr<OperatorClient>> connect(const std::string& url, const std::string& token);

  using OnEvent = std::function<void(const std::string& event, const Json& payload)>;
  // Sends and waits for the answer; events that arrive meanwhile go to `on_event`, which may itself call().
  Reply call(const std::string& method, const Json& params, std::chrono::milliseconds timeout,
             const OnEvent& on_event = {});

 private:
  OperatorClient() = default;
  std::unique_ptr<WebSocketClient> socket_;
  int last_id_ = 0;
  std::deque<Json> other_answers_;  // answers to calls further up the stack
};

}  // namespace hostclaw::devgateway
