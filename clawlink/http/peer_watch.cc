// SPDX-License-Identifier: Apache-2.0
#include "clawlink/http/peer_watch.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace hostclaw::clawlink {

PeerWatch::PeerWatch(MaybeTlsStream& stream, Bell& bell)
    : state_(std::make_shared<State>(State{&stream, &bell})) {
  namespace asio = boost::asio;
  using boost::system::error_code;
  stream.tcp().socket().async_wait(asio::ip::tcp::socket::wait_read, [state = state_](error_code failed) {
    if (failed || state->stream == nullptr) return;
    char byte = 0;
    error_code ended;
    auto& socket = state->stream->tcp().socket();
    socket.non_blocking(true, ended);
    const std::size_t size = socket.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, ended);
    state->gone = size == 0 && ended != asio::error::would_block;
    if (state->gone) state->bell->ring();
  });
}

PeerWatch::~PeerWatch() { state_->stream = nullptr; }

}  // namespace hostclaw::clawlink
