// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/peer_stream.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "node-host/system/process/peer_socket.h"

namespace hostclaw::hostlink {

namespace asio = boost::asio;
using boost::system::error_code;

PeerStream::PeerStream(Socket socket, std::string address)
    : socket_(std::move(socket)), address_(std::move(address)), deadline_(socket_.get_executor()) {}

Error PeerStream::error_of(const error_code& error) const {
  if (slow_) return make_error("PEER_SLOW", "the peer took too long");
  if (error == asio::error::eof) return make_error("PEER_CLOSED", "the peer has closed the connection");
  return make_error("PEER_FAILED", error.message());
}

asio::awaitable<Result<std::size_t>> PeerStream::read_some(char* buffer, std::size_t most) {
  const auto [error, count] =
      co_await socket_.async_read_some(asio::buffer(buffer, most), asio::as_tuple(asio::use_awaitable));
  if (error) co_return error_of(error);
  co_return count;
}

asio::awaitable<Result<void>> PeerStream::write(std::string_view bytes) {
  const auto [error, count] =
      co_await asio::async_write(socket_, asio::buffer(bytes), asio::as_tuple(asio::use_awaitable));
  if (error) co_return error_of(error);
  co_return Result<void>();
}

asio::awaitable<Result<void>> PeerStream::handshake() { co_return Result<void>(); }

void PeerStream::expires_after(std::optional<std::chrono::milliseconds> time) {
  expires_.reset();
  if (time) expires_ = std::chrono::steady_clock::now() + *time;
  if (bound_ && (!expires_ || *expires_ > *bound_)) expires_ = bound_;
  if (expires_ && !armed_) arm();
}

void PeerStream::bound(std::optional<std::chrono::milliseconds> time) {
  bound_.reset();
  if (!time) return;
  bound_ = std::chrono::steady_clock::now() + *time;
  expires_after(time);
}

// One wait at a time: a deadline that moved on is waited for again when the old one is over.
void PeerStream::arm() {
  armed_ = true;
  deadline_.expires_at(*expires_);
  deadline_.async_wait([weak = weak_from_this()](const error_code& error) {
    const auto self = weak.lock();
    if (!self) return;
    self->armed_ = false;
    if (error || !self->expires_) return;
    if (std::chrono::steady_clock::now() < *self->expires_) return self->arm();
    self->slow_ = true;
    self->close();
  });
}

void PeerStream::close_in_order() {
  if (closed()) return;
  std::array<char, 65536> unwanted;
  error_code error;
  socket_.non_blocking(true, error);
  for (int reads = 0; reads < 64 && !error; ++reads)
    if (socket_.read_some(asio::buffer(unwanted), error) == 0) break;
  close();
}

void PeerStream::close() {
  error_code ignored;
  socket_.close(ignored);
  deadline_.cancel();
}

struct PeerWatch::State {
  std::shared_ptr<PeerStream> stream;
  std::function<void()> gone;  // empty: nobody wants to know any more
  bool is_gone = false;
};

PeerWatch::PeerWatch(const std::shared_ptr<PeerStream>& stream, std::function<void()> gone)
    : state_(std::make_shared<State>()) {
  state_->stream = stream;
  state_->gone = std::move(gone);
  wait(state_, true);
}

PeerWatch::~PeerWatch() {
  state_->gone = nullptr;
  error_code ignored;
  // The wait alone: nothing else is under way on the stream while it is watched.
  if (!state_->stream->closed()) state_->stream->socket().cancel(ignored);
}

bool PeerWatch::gone() const { return state_->is_gone; }

void PeerWatch::wait(std::shared_ptr<State> state, bool for_bytes) {
  const auto kind = for_bytes ? PeerStream::Socket::wait_read : PeerStream::Socket::wait_error;
  state->stream->socket().async_wait(kind, [state](const error_code& error) {
    if (!state->gone) return;
    // Ended by this side: whoever waits for the peer is told as if it had gone.
    const bool over = error || state->stream->closed();
    const auto presence = over ? node_host::PeerPresence::kGone
                               : node_host::peer_presence(static_cast<node_host::NativeHandle>(
                                     state->stream->socket().native_handle()));
    // Bytes that nobody has asked for, or the end of them: from now on only its going is of interest.
    if (presence != node_host::PeerPresence::kGone) return wait(state, false);
    state->is_gone = true;
    const auto gone = std::exchange(state->gone, nullptr);
    gone();
  });
}

}  // namespace hostclaw::hostlink
