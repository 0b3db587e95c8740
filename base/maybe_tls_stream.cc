// SPDX-License-Identifier: Apache-2.0
#include "base/maybe_tls_stream.h"

#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

namespace hostclaw {

void MaybeTlsStream::start_read(const BufferRun<boost::asio::mutable_buffer>& buffers,
                                StreamCompletion<std::size_t> completion) {
  if (Tls* const secured = tls()) return secured->async_read_some(buffers, std::move(completion));
  std::get<Tcp>(layer_).async_read_some(buffers, std::move(completion));
}

void MaybeTlsStream::start_write(const BufferRun<boost::asio::const_buffer>& buffers,
                                 StreamCompletion<std::size_t> completion) {
  if (Tls* const secured = tls()) return secured->async_write_some(buffers, std::move(completion));
  std::get<Tcp>(layer_).async_write_some(buffers, std::move(completion));
}

void MaybeTlsStream::start_handshake(boost::asio::ssl::stream_base::handshake_type side,
                                     StreamCompletion<> completion) {
  std::get<Tls>(layer_).async_handshake(side, std::move(completion));
}

void MaybeTlsStream::start_teardown(boost::beast::role_type role, StreamCompletion<> completion) {
  using boost::beast::websocket::async_teardown;
  if (Tls* const secured = tls()) return async_teardown(role, *secured, std::move(completion));
  async_teardown(role, std::get<Tcp>(layer_), std::move(completion));
}

}  // namespace hostclaw
