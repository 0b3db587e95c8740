// SPDX-License-Identifier: Apache-2.0
// A node that does exactly what a test tells it, for proving the gateway. Thread rule: one thread.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "gateway-proto/device_identity.h"
#include "tests/devgateway/dev_gateway.h"
#include "tests/devgateway/websocket_client.h"

namespace hostclaw::devgateway {

struct PeerOptions {
  char seed = 1;  // the same seed is the same device
  std::string display_name = "peer";
  std::string platform = "linux";
  std::string device_family;
  std::string role = "node";
  std::vector<std::string> commands = {"system.execApprovals.get", "system.execApprovals.set", "system.run",
                                       "system.run.prepare", "system.which"};
  Json auth = Json::object();
  int min_protocol = 3;
  int max_protocol = 4;
  int signature_layout = 3;
  std::function<void(Json& params)> change;  // applied after signing
  std::vector<std::pair<std::string, std::string>> headers;
};

class NodePeer {
 public:
  // Opens the WebSocket and reads the challenge.
  static std::unique_ptr<NodePeer> open(const DevGateway& gateway, const PeerOptions& options);
  // open(), then `connect`. The answer is in hello().
  static std::unique_ptr<NodePeer> connect(const DevGateway& gateway, const PeerOptions& options);

  const Json& challenge() const { return challenge_; }  // payload
  const Json& hello() const { return hello_; }          // the whole response frame, null without one
  const std::string& device_id() const { return identity_.device_id(); }
  WebSocketClient& socket() { return *socket_; }

  Json connect_params() const;
  // Sends a request and waits for its response frame; null when none came. Events are kept for next_event().
  Json request(const std::string& method, const Json& params);
  void send_request(const std::string& id, const std::string& method, const Json& params);
  // The payload of the next event of this name; null when none came.
  Json next_event(const std::string& name, std::chrono::milliseconds timeout = std::chrono::seconds(5));
  // Answers the next invocation; returns its payload.
  Json answer_invoke(const Json& result_payload);
  Json answer_invoke_error(const std::string& code, const std::string& message);

 private:
  NodePeer(PeerOptions options, gateway_proto::DeviceIdentity identity)
      : options_(std::move(options)), identity_(std::move(identity)) {}
  PeerOptions options_;
  gateway_proto::DeviceIdentity identity_;
  std::unique_ptr<WebSocketClient> socket_;
  Json challenge_;
  Json hello_;
  std::deque<Json> events_;
  int last_id_ = 0;
};

}  // namespace hostclaw::devgateway
