// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/operator_client.h"

#include <algorithm>

#include "tests/devgateway/json_members.h"

namespace hostclaw::devgateway {
namespace {

constexpr std::chrono::seconds kHandshakeTimeout(15);

Reply reply_of(const Json& frame) {
  if (frame.value("ok", false)) return Reply::success(frame.value("payload", Json::object()));
  return {false, Json(), frame.value("error", Json::object())};
}

}  // namespace

Result<std::unique_ptr<OperatorClient>> OperatorClient::connect(const std::string& url,
                                                                const std::string& token) {
  const Result<ClientEndpoint> endpoint = parse_client_url(url);
  if (!endpoint) return endpoint.error();
  Result<std::unique_ptr<WebSocketClient>> socket = WebSocketClient::connect(*endpoint);
  if (!socket) return socket.error();
  std::unique_ptr<OperatorClient> client(new OperatorClient());
  client->socket_ = std::move(*socket);
  if (!client->socket_->receive(kHandshakeTimeout)) {
    return make_error("CONNECT_FAILED", "the gateway sent no challenge");
  }
  const Json params = {
      {"minProtocol", 3},
      {"maxProtocol", 4},
      {"client",
       {{"id", "gateway-client"}, {"version", "0.1.0"}, {"platform", "linux"}, {"mode", "backend"}}},
      {"role", "operator"},
      {"scopes", Json::array({"operator.admin", "operator.approvals", "operator.pairing"})},
      {"auth", {{"token", token}}}};
  const Reply hello = client->call("connect", params, kHandshakeTimeout);
  if (!hello.ok)
    return make_error("CONNECT_REFUSED", string_at(hello.error, "message", "the gateway refused"));
  return client;
}

Reply OperatorClient::call(const std::string& method, const Json& params, std::chrono::milliseconds timeout,
                           const OnEvent& on_event) {
  const std::string id = std::to_string(++last_id_);
  socket_->send(dump_json(Json{{"type", "req"}, {"id", id}, {"method", method}, {"params", params}}));
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto waiting = std::find_if(other_answers_.begin(), other_answers_.end(),
                                      [&](const Json& frame) { return string_at(frame, "id") == id; });
    if (waiting != other_answers_.end()) {
      const Reply reply = reply_of(*waiting);
      other_answers_.erase(waiting);
      return reply;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const std::optional<std::string> text = left.count() > 0 ? socket_->receive(left) : std::nullopt;
    if (!text) {
      return socket_->closed() ? Reply::failure("DISCONNECTED", "the gateway closed the connection")
                               : Reply::failure("TIMEOUT", "the gateway did not answer in time");
    }
    const Result<Json> frame = parse_json(*text);
    if (!frame || !frame->is_object()) continue;
    if (string_at(*frame, "type") == "res") {
      other_answers_.push_back(*frame);
    } else if (string_at(*frame, "type") == "event" && on_event) {
      on_event(string_at(*frame, "event"), frame->value("payload", Json()));
    }
  }
}

}  // namespace hostclaw::devgateway
