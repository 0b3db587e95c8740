// SPDX-License-Identifier: Apache-2.0
#include "clawlink/http/socket.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/websocket.hpp>
#include <deque>

#include "clawlink/store/queue.h"

namespace hostclaw::clawlink {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;

constexpr std::chrono::seconds kHandshake{15};
// The relay pings after half of it; whoever does not answer is gone.
constexpr std::chrono::seconds kIdle{60};
constexpr std::size_t kMostAtOnce = 100;
constexpr std::int64_t kFrameLease = 60 * kSecond;
// Pings keep the connection of a peer that never reads: what it is sent has a time of its own, and what waits
// to be sent a bound.
constexpr std::chrono::seconds kFrameWriteTime{60};
constexpr std::size_t kMostReplies = 1000;
constexpr std::size_t kMostReplyBytes = 1024 * 1024;

class Socket : public std::enable_shared_from_this<Socket> {
 public:
  Socket(std::unique_ptr<Connection> connection, SocketWish wish)
      : service_(connection->service),
        stream_(std::move(connection->stream)),
        wish_(std::move(wish)),
        bell_(service_.executor()),
        hub_(service_.hub()),
        place_(hub_, Hub::of_agent(wish_.caller.agent_id), bell_),
        write_end_(service_.executor()) {
    listener_.agent_id = wish_.caller.agent_id;
    listener_.bell = &bell_;
    hub_->listen(listener_);
  }
  ~Socket() { hub_->leave(listener_); }

  asio::awaitable<bool> accept(const UpgradeRequest& upgrade) {
    stream_.next_layer().tcp().expires_never();
    stream_.set_option(websocket::stream_base::timeout{kHandshake, kIdle, true});
    stream_.read_message_max(service_.config().limits.body_bytes);
    stream_.auto_fragment(false);
    const auto [failed] = co_await stream_.async_accept(upgrade, kTuple);
    co_return !failed;
  }

  // Both hold the socket from their first moment on, whichever ends first.
  static asio::awaitable<void> read_all(std::shared_ptr<Socket> self) {
    beast::flat_buffer buffer;
    while (!self->ended_) {
      buffer.clear();
      const auto [failed, size] = co_await self->stream_.async_read(buffer, kTuple);
      if (failed) break;
      if (!self->stream_.got_text()) continue;
      const std::string text = beast::buffers_to_string(buffer.data());
      co_await self->take(text);
    }
    self->close();
  }

  static asio::awaitable<void> write_all_messages(std::shared_ptr<Socket> self) {
    while (!self->ended_) {
      const bool more = co_await self->write_some();
      if (self->ended_) break;
      if (!more) co_await self->bell_.wait_until(std::chrono::steady_clock::time_point::max());
    }
    self->close();
  }

  // Whoever waits for the socket is told, so that reader and writer end.
  void close() {
    ended_ = true;
    bell_.ring();
    error_code ignored;
    stream_.next_layer().tcp().socket().close(ignored);
  }

 private:
  asio::awaitable<void> take(const std::string& text) {
    Result<Json> frame = parse_json(text, {service_.config().limits.body_bytes, kMostDepth});
    if (!frame)
      co_return tell(R"({"type":"error","code":"BAD_REQUEST","error":"the frame is not JSON, or too deep"})");
    bool may_speak = true;
    CommitWriter::Work work = [this, &frame, &may_speak](StoreSession& session) {
      const Result<Sender> sender = receiver(session, service_.config().routes, wish_.caller);
      may_speak = sender.has_value();
      return sender ? answer_frame(session, *sender, *frame) : error_reply(sender.error());
    };
    Reply reply = co_await service_.run(std::move(work));
    if (!may_speak) co_return close();
    if (!reply.body.empty()) tell(std::move(reply.body));
  }

  void tell(std::string reply) {
    reply_bytes_ += reply.size();
    replies_.push_back(std::move(reply));
    if (replies_.size() > kMostReplies || reply_bytes_ > kMostReplyBytes) return close();
    bell_.ring();
  }

  asio::awaitable<bool> write_frame(const std::string& text) {
    write_end_.expires_after(kFrameWriteTime);
    write_end_.async_wait([weak = weak_from_this()](error_code cancelled) {
      const auto self = weak.lock();
      if (!cancelled && self) self->close();
    });
    stream_.text(true);
    const auto [failed, size] = co_await stream_.async_write(asio::buffer(text), kTuple);
    write_end_.cancel();
    if (failed) ended_ = true;
    co_return !failed;
  }

  asio::awaitable<void> write_frames(std::deque<std::string>& frames) {
    while (!ended_ && !frames.empty()) {
      const std::string frame = std::move(frames.front());
      frames.pop_front();
      if (&frames == &replies_) reply_bytes_ -= frame.size();
      co_await write_frame(frame);
    }
  }

  // True: there may be more.
  asio::awaitable<bool> write_some() {
    std::vector<Leased> messages;
    CommitWriter::Work work = [this, &messages](StoreSession& session) { return lease(session, messages); };
    const Reply taken = co_await service_.run(std::move(work));
    if (taken.status != 200) {
      ended_ = true;
      co_return false;
    }
    co_await write_frames(replies_);
    co_await write_frames(listener_.frames);
    std::vector<std::string> written;
    std::vector<std::string> left;
    for (const Leased& message : messages) {
      const std::string text = message_text(message, wish_.acknowledges);
      bool sent = false;
      if (!ended_) sent = co_await write_frame(text);
      (sent ? written : left).push_back(message.lease);
    }
    settle(std::move(written), std::move(left));
    co_return !messages.empty();
  }

  Reply lease(StoreSession& session, std::vector<Leased>& messages) {
    if (const Result<Sender> sender = receiver(session, service_.config().routes, wish_.caller); !sender)
      return error_reply(sender.error());
    LeaseWish wish;
    wish.agent = wish_.caller.agent_id;
    wish.most = kMostAtOnce;
    wish.lease_ms = wish_.acknowledges ? kFrameLease : session.limits.connection_lease_ms;
    wish.of_connection = !wish_.acknowledges;
    Result<std::vector<Leased>> taken = lease_messages(session, wish);
    if (!taken) return error_reply(taken.error());
    messages = std::move(*taken);
    return Reply();
  }

  void settle(std::vector<std::string> written, std::vector<std::string> left) {
    if (wish_.acknowledges) written.clear();
    if (written.empty() && left.empty()) return;
    service_.start([written = std::move(written), left = std::move(left)](StoreSession& session) -> Reply {
      for (const std::string& one : written) {
        const Result<void> done = acknowledge(session, one);
        if (!done && done.error().code != "LEASE_STALE") return error_reply(done.error());
      }
      const Result<void> freed = free_leases(session, left);
      return freed ? Reply() : error_reply(freed.error());
    });
  }

  RelayService& service_;
  websocket::stream<MaybeTlsStream, false> stream_;
  const SocketWish wish_;
  Bell bell_;
  const std::shared_ptr<Hub> hub_;
  Hub::Place place_;
  Hub::Listener listener_;
  asio::steady_timer write_end_;
  std::deque<std::string> replies_;
  std::size_t reply_bytes_ = 0;
  bool ended_ = false;
};

}  // namespace

asio::awaitable<void> serve_socket(std::unique_ptr<Connection> connection, UpgradeRequest upgrade,
                                   SocketWish wish) {
  const auto executor = connection->service.executor();
  const auto socket = std::make_shared<Socket>(std::move(connection), std::move(wish));
  if (!co_await socket->accept(upgrade)) co_return;
  asio::co_spawn(executor, Socket::read_all(socket), [socket](const std::exception_ptr& thrown) {
    if (thrown) socket->close();
  });
  co_await Socket::write_all_messages(socket);
}

}  // namespace hostclaw::clawlink
