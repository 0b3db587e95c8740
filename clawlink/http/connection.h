// SPDX-License-Identifier: Apache-2.0
// One connection of a client: requests one after the other, or a stream (WebSocket, server-sent events) to
// its end. Everything that a peer sends is bounded before it is read. Thread rule: the thread of the network.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <memory>
#include <string>

#include "base/maybe_tls_stream.h"
#include "clawlink/http/service.h"

namespace hostclaw::clawlink {

// Head and a part of a body; what is longer is read piece by piece.
inline constexpr std::size_t kMostBufferBytes = 128 * 1024;

struct Connection {
  Connection(RelayService& of, MaybeTlsStream over, std::string from)
      : service(of), stream(std::move(over)), peer(std::move(from)) {}

  RelayService& service;
  MaybeTlsStream stream;
  boost::beast::flat_buffer buffer{kMostBufferBytes};
  std::string peer;  // its address
};

// Serves it until one of both ends it.
boost::asio::awaitable<void> serve_connection(std::unique_ptr<Connection> connection);

// The head of an answer and its body as bytes for the wire.
std::string wire_bytes(const Reply& reply, bool keep_alive);
boost::asio::awaitable<bool> write_all(MaybeTlsStream& stream, const std::string& bytes);

// Lets whoever was refused wait for the answer, longer each time.
boost::asio::awaitable<void> brake(RelayService& service, const HttpRequest& request);

// A stream of server-sent events to an agent that may receive them; ends with the connection.
boost::asio::awaitable<void> serve_events(Connection& connection, const HttpRequest& request,
                                          StreamCaller stream);

}  // namespace hostclaw::clawlink
