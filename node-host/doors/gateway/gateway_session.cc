// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/gateway_session.h"

#include <algorithm>
#include <boost/asio/use_awaitable.hpp>

#include "node-host/loop/background.h"
#include "node-host/loop/log.h"
#include "node-host/loop/use_tuple.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using gateway_proto::Challenge;
using gateway_proto::EventFrame;
using gateway_proto::Frame;
using gateway_proto::HelloOk;
using gateway_proto::IgnoredFrame;
using gateway_proto::PeerError;
using gateway_proto::ResponseFrame;

// Silence longer than this many tick intervals means the peer is gone; a tick comes every interval.
constexpr double kSilentIntervals = 2.5;
// A peer that sends rubbish is told off in the log, not once per frame.
constexpr std::uint64_t kLoggedBadFrames = 5;
// A connection that takes less than this for a whole frame is of no use.
constexpr std::size_t kSlowestBytesPerMs = 64;
// More than that for a peer that does not read is given up with the connection: every result is on record,
// and a deadline alone (WebSocket) would let half a minute of results pile up.
constexpr std::size_t kMostQueuedBytes = std::size_t{64} << 20;

CallOutcome failed(std::string code, std::string message) {
  CallOutcome outcome;
  outcome.error.code = std::move(code);
  outcome.error.message = std::move(message);
  return outcome;
}

}  // namespace

GatewaySession::GatewaySession(asio::any_io_executor executor, std::unique_ptr<WebSocket> socket,
                               Timeouts timeouts)
    : executor_(executor), socket_(std::move(socket)), timeouts_(timeouts), liveness_(executor) {}

Error GatewaySession::closed_error() const {
  const CloseInfo info = socket_->close_info();
  return make_error("CLOSED", "closed (" + std::to_string(info.code) + "): " + info.reason);
}

asio::awaitable<Result<Challenge>> GatewaySession::await_challenge() {
  for (;;) {
    auto text = co_await socket_->read();
    if (!text) co_return closed_error();
    auto frame = gateway_proto::decode_frame(*text);
    if (!frame) co_return frame.error();
    if (const auto* event = std::get_if<EventFrame>(&*frame);
        event != nullptr && event->event == "connect.challenge") {
      co_return gateway_proto::challenge_from(event->payload);
    }
  }
}

asio::awaitable<Result<ResponseFrame>> GatewaySession::await_connect_answer(const std::string& id) {
  for (;;) {
    auto text = co_await socket_->read();
    if (!text) co_return closed_error();
    auto frame = gateway_proto::decode_frame(*text);
    if (!frame) co_return frame.error();
    if (auto* response = std::get_if<ResponseFrame>(&*frame); response != nullptr && response->id == id) {
      co_return std::move(*response);
    }
  }
}

asio::awaitable<HandshakeOutcome> GatewaySession::handshake(const gateway_proto::ClientDescription& client,
                                                            const gateway_proto::Credentials& credentials,
                                                            const gateway_proto::DeviceIdentity& identity) {
  ConnectParams params_for = [&](const Challenge& challenge) {
    return connect_params(client, credentials, identity, challenge);
  };
  co_return co_await handshake(std::move(params_for));
}

asio::awaitable<HandshakeOutcome> GatewaySession::handshake(ConnectParams params_for) {
  const auto self = shared_from_this();
  HandshakeOutcome outcome;
  // Shared with the timer's handler, which may still be queued when this coroutine has ended.
  const auto timed_out = std::make_shared<std::string>();
  asio::steady_timer deadline(executor_, timeouts_.challenge);
  const auto on_deadline = [self, timed_out](int code, std::string why) {
    return [self, timed_out, code, why = std::move(why)](error_code stopped) {
      if (stopped || self->open_) return;
      *timed_out = why;
      start_background(self->executor_, "the close of a connection",
                       [self, code, why]() { return self->close(code, why); });
    };
  };
  deadline.async_wait(on_deadline(1008, "connect challenge timeout"));
  auto challenge = co_await await_challenge();
  if (!challenge) {
    outcome.failure = timed_out->empty() ? challenge.error() : make_error("CONNECT_TIMEOUT", *timed_out);
    deadline.cancel();
    co_await close(1008, outcome.failure->message);
    co_return outcome;
  }

  const std::string id = std::to_string(next_id_++);
  const std::string text = gateway_proto::encode_request(id, "connect", dump_json(params_for(*challenge)));
  if (text.size() > gateway_proto::kMaxPreAuthFrameBytes) {
    outcome.failure =
        make_error("CONFIG_INVALID", "the connect request is larger than the gateway accepts (" +
                                         std::to_string(text.size()) + " bytes); shorten PATH");
    co_await close(1000, "");
    co_return outcome;
  }
  outcome.connect_was_sent = true;
  deadline.expires_after(timeouts_.hello);
  deadline.async_wait(on_deadline(4000, "connect timeout"));
  if (auto sent = co_await socket_->write(text); !sent) {
    outcome.failure = closed_error();
    co_return outcome;
  }
  auto answer = co_await await_connect_answer(id);
  deadline.cancel();
  if (!answer) {
    outcome.failure = timed_out->empty() ? answer.error() : make_error("CONNECT_TIMEOUT", *timed_out);
    co_await close(1008, outcome.failure->message);
    co_return outcome;
  }
  if (!answer->ok) {
    outcome.refusal = answer->error.value_or(PeerError{});
    co_await close(1008, "connect failed");
    co_return outcome;
  }
  auto hello = gateway_proto::hello_ok_from(answer->payload);
  if (!hello) {
    outcome.failure = hello.error();
    co_await close(1002, "protocol mismatch");
    co_return outcome;
  }
  hello_ = *hello;
  open_ = true;
  outcome.hello = std::move(*hello);
  co_return outcome;
}

asio::awaitable<CloseInfo> GatewaySession::serve(Handlers handlers) {
  const auto self = shared_from_this();
  handlers_ = std::move(handlers);
  start_background(executor_, "the watch over a connection", [self]() { return self->watch_liveness(); });
  for (;;) {
    auto text = co_await socket_->read();
    if (!text) break;
    auto frame = gateway_proto::decode_frame(*text);
    if (!frame) {
      if (++bad_frames_ <= kLoggedBadFrames) {
        log_warn("ignored a frame from the gateway: " + frame.error().code + ": " + frame.error().message);
      }
      continue;
    }
    dispatch(std::move(*frame));
  }
  open_ = false;
  liveness_.cancel();
  end_open_calls();
  handlers_ = {};
  co_return socket_->close_info();
}

void GatewaySession::dispatch(Frame frame) {
  if (auto* response = std::get_if<ResponseFrame>(&frame)) {
    const auto it = pending_.find(response->id);
    if (it == pending_.end()) return;  // late, duplicate or unknown: ignored, as the protocol wants
    it->second->response = std::move(*response);
    it->second->done.cancel();
    pending_.erase(it);
  } else if (auto* event = std::get_if<EventFrame>(&frame)) {
    dispatch_event(std::move(*event));
  }
}

void GatewaySession::dispatch_event(EventFrame event) {
  if (event.event == "node.invoke.request") {
    auto request = gateway_proto::invoke_request_from(event.payload);
    if (!request) {
      if (++bad_frames_ <= kLoggedBadFrames) log_warn("ignored an invocation: " + request.error().message);
      return;
    }
    if (handlers_.on_invoke) handlers_.on_invoke(std::move(*request));
  } else if (event.event == "node.invoke.cancel") {
    std::string id = gateway_proto::cancelled_invoke_id(event.payload);
    if (!id.empty() && handlers_.on_cancel) handlers_.on_cancel(std::move(id));
  } else if (event.event == "node.pair.resolved") {
    if (auto resolved = gateway_proto::pair_resolved_from(event.payload);
        resolved && handlers_.on_pair_resolved) {
      handlers_.on_pair_resolved(std::move(*resolved));
    }
  } else if (event.event == "shutdown") {
    std::string reason;
    if (event.payload.is_object()) {
      if (const auto it = event.payload.find("reason"); it != event.payload.end() && it->is_string()) {
        reason = it->get<std::string>();
      }
    }
    if (handlers_.on_shutdown) handlers_.on_shutdown(std::move(reason));
  }
}

void GatewaySession::end_open_calls() {
  for (auto& [id, call] : pending_) call->done.cancel();
  pending_.clear();
  forget_outgoing();
}

void GatewaySession::forget_outgoing() {
  outgoing_.clear();
  outgoing_bytes_ = 0;
}

asio::awaitable<CallOutcome> GatewaySession::call(const std::string& method, const std::string& params_json) {
  if (!open_) co_return failed("CLOSED", "the connection has ended");
  const auto self = shared_from_this();
  const std::string id = std::to_string(next_id_++);
  std::string text = gateway_proto::encode_request(id, method, params_json);
  if (text.size() > hello_.max_payload) {
    co_return failed("PAYLOAD_TOO_LARGE", method + " of " + std::to_string(text.size()) +
                                              " bytes is over the gateway's limit of " +
                                              std::to_string(hello_.max_payload));
  }
  const auto call = std::make_shared<PendingCall>(executor_);
  call->done.expires_after(timeouts_.call);
  pending_.emplace(id, call);
  send(std::move(text));
  co_await call->done.async_wait(kTuple);
  if (!call->response) {
    const bool was_open = pending_.erase(id) > 0;
    co_return was_open ? failed("TIMEOUT", "no answer to " + method)
                       : failed("CLOSED", "the connection has ended");
  }
  CallOutcome outcome;
  outcome.ok = call->response->ok;
  outcome.payload = std::move(call->response->payload);
  if (!outcome.ok) outcome.error = call->response->error.value_or(PeerError{});
  co_return outcome;
}

asio::awaitable<CallOutcome> GatewaySession::call_with_retries(std::string method, std::string params_json,
                                                               int max_tries) {
  const auto self = shared_from_this();
  std::chrono::milliseconds pause{50};
  for (int attempt = 1;; ++attempt) {
    CallOutcome outcome = co_await call(method, params_json);
    if (outcome.ok || !outcome.error.retryable || attempt == max_tries || !open_) co_return outcome;
    asio::steady_timer timer(executor_, pause);
    co_await timer.async_wait(kTuple);
    pause = std::min(pause * 2, std::chrono::milliseconds(800));
  }
}

void GatewaySession::send(std::string text) {
  // One frame always has room, however large the gateway lets it be.
  if (outgoing_bytes_ > 0 && outgoing_bytes_ + text.size() > kMostQueuedBytes) {
    log_warn("the gateway does not read: " + std::to_string(outgoing_.size()) +
             " answers wait for it; the connection is given up");
    forget_outgoing();
    socket_->abort();
    return;
  }
  outgoing_bytes_ += text.size();
  outgoing_.push_back(std::move(text));
  if (draining_) return;
  draining_ = true;
  start_background(executor_, "the writing of frames",
                   [self = shared_from_this()]() { return self->drain(); });
}

asio::awaitable<void> GatewaySession::drain() {
  while (!outgoing_.empty()) {
    std::string text = std::move(outgoing_.front());
    outgoing_.pop_front();
    const std::size_t size = text.size();
    // A gateway may send ticks and not read: what it sends is no sign that it takes anything.
    asio::steady_timer deadline(executor_,
                                timeouts_.write + std::chrono::milliseconds(size / kSlowestBytesPerMs));
    const auto waiting = std::make_shared<bool>(true);
    deadline.async_wait([self = shared_from_this(), waiting](error_code stopped) {
      if (stopped || !*waiting) return;
      log_warn("the gateway does not read; the connection is given up");
      self->socket_->abort();
    });
    const auto sent = co_await socket_->write(std::move(text));
    *waiting = false;
    outgoing_bytes_ -= std::min(size, outgoing_bytes_);  // also when all was forgotten meanwhile
    if (!sent) {
      // The reader sees the same end and reports it.
      forget_outgoing();
      socket_->abort();
    }
  }
  draining_ = false;
}

asio::awaitable<void> GatewaySession::watch_liveness() {
  const auto self = shared_from_this();
  const auto limit = std::chrono::milliseconds(
      static_cast<std::int64_t>(static_cast<double>(hello_.tick_interval_ms) * kSilentIntervals));
  while (open_) {
    liveness_.expires_at(socket_->last_received() + limit);
    const auto [stopped] = co_await liveness_.async_wait(kTuple);
    if (stopped || !open_) co_return;
    if (std::chrono::steady_clock::now() - socket_->last_received() >= limit) {
      co_await socket_->close(4000, "tick timeout");
      co_return;
    }
  }
}

asio::awaitable<void> GatewaySession::close(int code, std::string reason) {
  const auto self = shared_from_this();
  open_ = false;
  liveness_.cancel();
  // A close reason has at most 123 bytes.
  if (reason.size() > 123) reason.resize(123);
  co_await socket_->close(code, std::move(reason));
}

}  // namespace hostclaw::node_host
