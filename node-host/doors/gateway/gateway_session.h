// SPDX-License-Identifier: Apache-2.0
// One connection to a gateway: handshake, calls with answers, events, liveness. Ends with the connection.
// Thread rule: the io_context thread.
// Source: transport contract sections 1.5-1.9, 2, 5.9.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/json.h"
#include "gateway-proto/connect.h"
#include "gateway-proto/frame.h"
#include "gateway-proto/messages.h"
#include "node-host/doors/gateway/gateway_peer.h"
#include "node-host/doors/gateway/websocket.h"

namespace hostclaw::node_host {

// What came of connecting: exactly one of hello, refusal, failure.
struct HandshakeOutcome {
  std::optional<gateway_proto::HelloOk> hello;
  std::optional<gateway_proto::PeerError> refusal;  // the gateway answered connect with an error
  std::optional<Error> failure;                     // the connection ended or the peer is at fault
  bool connect_was_sent = false;
};

class GatewaySession final : public GatewayPeer, public std::enable_shared_from_this<GatewaySession> {
 public:
  struct Handlers {
    std::function<void(gateway_proto::InvokeRequest)> on_invoke;
    std::function<void(std::string invoke_id)> on_cancel;
    std::function<void(gateway_proto::PairResolved)> on_pair_resolved;
    std::function<void(std::string reason)> on_shutdown;
  };

  struct Timeouts {
    std::chrono::milliseconds challenge{15'000};
    std::chrono::milliseconds hello{15'000};
    std::chrono::milliseconds call{30'000};
    std::chrono::milliseconds write{30'000};  // of one frame, and 16 s more for each MiB of it
  };

  GatewaySession(boost::asio::any_io_executor executor, std::unique_ptr<WebSocket> socket, Timeouts timeouts);

  // Challenge, connect, hello-ok. On anything but hello the socket is closed before this returns.
  // `params_for` makes the params of connect.
  using ConnectParams = std::function<Json(const gateway_proto::Challenge&)>;
  boost::asio::awaitable<HandshakeOutcome> handshake(ConnectParams params_for);
  // The same as a node.
  boost::asio::awaitable<HandshakeOutcome> handshake(const gateway_proto::ClientDescription& client,
                                                     const gateway_proto::Credentials& credentials,
                                                     const gateway_proto::DeviceIdentity& identity);

  // Reads until the connection ends; then every open call has ended with CLOSED. Call once, after a hello.
  boost::asio::awaitable<CloseInfo> serve(Handlers handlers);

  // Sends a request, its params as JSON text, and waits for its answer. Never throws; safe to call when the
  // session has ended.
  boost::asio::awaitable<CallOutcome> call(const std::string& method, const std::string& params_json);

  // call() repeated.
  boost::asio::awaitable<CallOutcome> call_with_retries(std::string method, std::string params_json,
                                                        int max_tries = kCallTries) override;

  boost::asio::awaitable<void> close(int code, std::string reason);
  bool open() const override { return open_; }
  // Steady time of the last frame of any kind.
  std::chrono::steady_clock::time_point last_received() const { return socket_->last_received(); }
  const gateway_proto::HelloOk& hello() const override { return hello_; }

 private:
  struct PendingCall {
    explicit PendingCall(const boost::asio::any_io_executor& executor) : done(executor) {}
    boost::asio::steady_timer done;
    std::optional<gateway_proto::ResponseFrame> response;
  };

  void send(std::string text);
  boost::asio::awaitable<void> drain();
  boost::asio::awaitable<void> watch_liveness();
  void dispatch(gateway_proto::Frame frame);
  void dispatch_event(gateway_proto::EventFrame event);
  void end_open_calls();
  void forget_outgoing();
  boost::asio::awaitable<Result<gateway_proto::Challenge>> await_challenge();
  boost::asio::awaitable<Result<gateway_proto::ResponseFrame>> await_connect_answer(const std::string& id);
  Error closed_error() const;

  boost::asio::any_io_executor executor_;
  std::unique_ptr<WebSocket> socket_;
  Timeouts timeouts_;
  Handlers handlers_;
  gateway_proto::HelloOk hello_;
  bool open_ = false;
  bool draining_ = false;
  std::uint64_t next_id_ = 1;
  std::uint64_t bad_frames_ = 0;
  std::deque<std::string> outgoing_;
  std::size_t outgoing_bytes_ = 0;  // with the one that is being written
  std::unordered_map<std::string, std::shared_ptr<PendingCall>> pending_;
  boost::asio::steady_timer liveness_;
};

}  // namespace hostclaw::node_host
