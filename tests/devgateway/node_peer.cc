// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/node_peer.h"

#include "tests/devgateway/json_members.h"

namespace hostclaw::devgateway {
namespace {

constexpr std::chrono::seconds kAnswerTimeout(10);

}  // namespace

std::unique_ptr<NodePeer> NodePeer::open(const DevGateway& gateway, const PeerOptions& options) {
  std::unique_ptr<NodePeer> peer(
      new NodePeer(options, *gateway_proto::DeviceIdentity::from_seed(std::string(32, options.seed))));
  const ClientEndpoint endpoint = *parse_client_url(gateway.url());
  Result<std::unique_ptr<WebSocketClient>> socket = WebSocketClient::connect(endpoint, options.headers);
  if (!socket) return nullptr;
  peer->socket_ = std::move(*socket);
  peer->challenge_ = peer->next_event("connect.challenge");
  return peer;
}

std::unique_ptr<NodePeer> NodePeer::connect(const DevGateway& gateway, const PeerOptions& options) {
  std::unique_ptr<NodePeer> peer = open(gateway, options);
  if (peer) peer->hello_ = peer->request("connect", peer->connect_params());
  return peer;
}

Json NodePeer::connect_params() const {
  Json client = {{"id", "node-host"},
                 {"displayName", options_.display_name},
                 {"version", "0.1.0"},
                 {"platform", options_.platform},
                 {"mode", "node"}};
  if (!options_.device_family.empty()) client["deviceFamily"] = options_.device_family;
  gateway_proto::SignatureFields fields;
  fields.device_id = identity_.device_id();
  fields.client_id = "node-host";
  fields.client_mode = "node";
  fields.role = options_.role;
  fields.signed_at_ms = challenge_.value("ts", std::int64_t{0});
  fields.nonce = string_at(challenge_, "nonce");
  fields.platform = options_.platform;
  fields.device_family = options_.device_family;
  for (const char* name : {"bootstrapToken", "deviceToken", "token"}) {
    if (options_.auth.contains(name)) fields.token = string_at(options_.auth, name);
  }
  const std::string payload = options_.signature_layout == 3 ? gateway_proto::signature_payload_v3(fields)
                                                             : gateway_proto::signature_payload_v2(fields);
  Json params = {{"minProtocol", options_.min_protocol},
                 {"maxProtocol", options_.max_protocol},
                 {"client", std::move(client)},
                 {"caps", Json::array({"system"})},
                 {"commands", options_.commands},
                 {"role", options_.role},
                 {"scopes", Json::array()},
                 {"device",
                  {{"id", identity_.device_id()},
                   {"publicKey", identity_.public_key()},
                   {"signature", identity_.sign(payload)},
                   {"signedAt", fields.signed_at_ms},
                   {"nonce", fields.nonce}}}};
  if (!options_.auth.empty()) params["auth"] = options_.auth;
  if (options_.change) options_.change(params);
  return params;
}

void NodePeer::send_request(const std::string& id, const std::string& method, const Json& params) {
  socket_->send(dump_json(Json{{"type", "req"}, {"id", id}, {"method", method}, {"params", params}}));
}

Json NodePeer::request(const std::string& method, const Json& params) {
  const std::string id = std::to_string(++last_id_);
  send_request(id, method, params);
  for (;;) {
    const std::optional<std::string> text = socket_->receive(kAnswerTimeout);
    if (!text) return Json();
    const Json frame = *parse_json(*text);
    if (string_at(frame, "type") == "res" && string_at(frame, "id") == id) return frame;
    if (string_at(frame, "type") == "event") events_.push_back(frame);
  }
}

Json NodePeer::next_event(const std::string& name, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    for (auto it = events_.begin(); it != events_.end(); ++it) {
      if (string_at(*it, "event") != name) continue;
      const Json payload = it->value("payload", Json());
      events_.erase(it);
      return payload;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const std::optional<std::string> text = left.count() > 0 ? socket_->receive(left) : std::nullopt;
    if (!text) return Json();
    const Json frame = *parse_json(*text);
    if (string_at(frame, "type") == "event") events_.push_back(frame);
  }
}

Json NodePeer::answer_invoke(const Json& result_payload) {
  const Json invoke = next_event("node.invoke.request");
  request("node.invoke.result", {{"id", string_at(invoke, "id")},
                                 {"nodeId", device_id()},
                                 {"ok", true},
                                 {"payloadJSON", dump_json(result_payload)}});
  return invoke;
}

Json NodePeer::answer_invoke_error(const std::string& code, const std::string& message) {
  const Json invoke = next_event("node.invoke.request");
  request("node.invoke.result", {{"id", string_at(invoke, "id")},
                                 {"nodeId", device_id()},
                                 {"ok", false},
                                 {"error", {{"code", code}, {"message", message}}}});
  return invoke;
}

}  // namespace hostclaw::devgateway
