// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/connection.h"

#include <utility>

#include "hostlink/door/commands.h"
#include "hostlink/door/peer_frames.h"
#include "hostlink/door/requests.h"
#include "hostlink/door/v2_connection.h"
#include "node-host/loop/log.h"

namespace hostclaw::hostlink {

namespace asio = boost::asio;

namespace {

class Connection {
 public:
  Connection(DoorCore& core, Jobs& jobs, std::shared_ptr<PeerStream> stream, std::function<void()> known)
      : core_(core),
        jobs_(jobs),
        stream_(std::move(stream)),
        channel_(std::make_shared<PeerFrames>(stream_, kMaxUnauthenticatedPayload)),
        known_([this, known = std::move(known)] {
          stream_->bound(std::nullopt);
          known();
        }),
        process_(node_host::peer_process(handle())),
        ends_(node_host::loopback_ends(handle())) {}

  asio::awaitable<void> serve() {
    // All of it, whatever a stranger says and does not take.
    stream_->bound(kTimeToAuthenticate);
    // The token of a long request stands in its beginning, or the request is not taken.
    std::function<asio::awaitable<bool>(std::string_view)> on_held =
        [this](std::string_view beginning) -> asio::awaitable<bool> {
      auto token = peek_text_member(beginning, "token");
      if (!token) co_return false;
      const Shown shown = co_await core_.callers.entry_of(std::move(*token));
      if (shown.busy) busy_ = Busy::kTokenChecks;
      if (!shown.entry) co_return false;
      known_();
      const std::string& name = shown.entry->name;
      const std::size_t claimed = channel_->claimed();
      if (core_.arriving.all + claimed > kMostArriving ||
          core_.arriving.of_token(name) + claimed > kMostArrivingOfToken)
        busy_ = Busy::kRequests;
      if (!has_room_for_connection(core_, name)) busy_ = Busy::kConnections;
      if (busy_) co_return false;
      arriving_.emplace(core_.arriving, name, claimed);
      connected_.emplace(core_.connections, name, 1);
      co_return true;
    };
    if (const auto shaken = co_await stream_->handshake(); !shaken) {
      node_host::log_debug("hostlink: no TLS with " + stream_->address() + ": " + shaken.error().message);
      stream_->close();
      co_return;
    }
    auto payload = co_await channel_->read(on_held);
    if (payload) {
      co_await answer(std::move(*payload));
    } else if (payload.error().code == "FRAME_UNWANTED") {
      const std::string unwanted = busy_ ? busy_reply(*busy_, nobody())
                                         : refusal(nobody(), ReplyStatus::kAuthFailed, kAuthenticationFailed);
      (void)co_await channel_->write(unwanted);
    }
    stream_->close_in_order();
  }

 private:
  // Whoever is not known is not told what they sent.
  ReplyHead nobody() const { return core_.head(""); }

  asio::awaitable<void> answer(std::string payload) {
    auto request = parse_request(payload);
    payload = {};
    if (!request) {
      co_await last(refusal(nobody(), ReplyStatus::kBadRequest, kInvalidJson));
      co_return;
    }
    if (request->type == RequestType::kHello) {
      V2Peer peer{process_, ends_, known_};
      co_await serve_v2(core_, jobs_, channel_, std::move(peer), std::move(*request));
      co_return;
    }
    Shown shown = co_await core_.callers.entry_of(std::exchange(request->token, {}));
    if (shown.busy) {
      co_await last(busy_reply(Busy::kTokenChecks, nobody()));
      co_return;
    }
    std::optional<TokenEntry> entry = std::move(shown.entry);
    if (!entry) {
      node_host::log_warn("hostlink: a request of nobody that is known, from " + whence());
      co_await last(refusal(nobody(), ReplyStatus::kAuthFailed, kAuthenticationFailed));
      co_return;
    }
    known_();
    token_ = entry->name;
    stream_->expires_after(std::nullopt);
    std::int64_t row_id = 0;
    std::optional<std::string> reply = fault_of(core_, *request);
    if (!reply) reply = co_await serve(std::move(*entry), std::move(*request), row_id);
    if (!reply) co_return;
    const bool sent = co_await last(std::move(*reply));
    if (sent && row_id != 0) co_await core_.context.corridor.delivered(row_id);
  }

  asio::awaitable<std::optional<std::string>> serve(TokenEntry entry, Request request, std::int64_t& row_id) {
    // Whose process it is does not matter for a ping, and looking costs.
    Caller caller;
    if (request.type != RequestType::kPing) {
      if (ends_) process_ = co_await core_.callers.process_behind(*ends_);
      caller = co_await core_.callers.caller_of(std::move(entry), *stream_, process_);
    }
    if (request.type == RequestType::kExec && !request.detach)
      co_return co_await serve_exec(core_, caller, std::move(request), stream_, row_id);
    co_return co_await serve_request(core_, jobs_, std::move(caller), std::move(request), channel_, row_id);
  }

  asio::awaitable<bool> last(std::string payload) {
    arriving_.reset();
    const Tallied unsent(core_.unsent, token_, payload.size());
    const auto sent = co_await channel_->write(payload);
    co_return sent.has_value();
  }

  node_host::NativeHandle handle() const {
    return static_cast<node_host::NativeHandle>(stream_->socket().native_handle());
  }

  std::string whence() const {
    if (!process_) return stream_->address();
    return "uid " + std::to_string(process_->uid) + ", pid " + std::to_string(process_->pid) +
           (process_->container.empty() ? "" : ", container " + process_->container);
  }

  DoorCore& core_;
  Jobs& jobs_;
  std::shared_ptr<PeerStream> stream_;
  std::shared_ptr<PeerFrames> channel_;
  const std::function<void()> known_;
  std::optional<node_host::PeerProcess> process_;  // of TCP: when it is known who asks
  const std::optional<node_host::LoopbackEnds> ends_;
  std::string token_;                // the name of whoever is known
  std::optional<Busy> busy_;         // why a long request is not taken
  std::optional<Tallied> arriving_;  // while one is
  std::optional<Tallied> connected_;
};

}  // namespace

asio::awaitable<void> serve_connection(DoorCore& core, Jobs& jobs, std::shared_ptr<PeerStream> stream,
                                       std::function<void()> known) {
  Connection connection(core, jobs, std::move(stream), std::move(known));
  co_await connection.serve();
}

}  // namespace hostclaw::hostlink
