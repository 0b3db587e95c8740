// SPDX-License-Identifier: Apache-2.0
// An agent's WebSocket: what waits for it first, then what comes. A message counts as delivered when its
// frame has been written; with `?ack=1` it carries a lease, and is delivered when the agent sends
// {"type":"ack","lease":...}. Thread rule: the thread of the network.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <string>

#include "clawlink/http/connection.h"

namespace hostclaw::clawlink {

using UpgradeRequest = boost::beast::http::request<boost::beast::http::string_body>;

struct SocketWish {
  StreamCaller caller;
  bool acknowledges = false;  // by frame
};
boost::asio::awaitable<void> serve_socket(std::unique_ptr<Connection> connection, UpgradeRequest upgrade,
                                          SocketWish wish);

}  // namespace hostclaw::clawlink
