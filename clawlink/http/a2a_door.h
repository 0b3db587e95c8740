// SPDX-License-Identifier: Apache-2.0
// A2A 1.0 on the wire: an agent's card, JSON-RPC and HTTP+JSON at a URL of each agent, streams of server-sent
// events. Thread rule: the thread of the network. Source: a2a contract, sections 1, 2, 7 and 9.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "clawlink/http/connection.h"

namespace hostclaw::clawlink {

bool is_a2a(const HttpRequest& request);
// A refusal that came before the call was read, in the words of its protocol.
Reply a2a_refusal(const HttpRequest& request, Reply refused);

// False: the connection ends.
boost::asio::awaitable<bool> serve_a2a(Connection& connection, const HttpRequest& request, bool keep_alive);

}  // namespace hostclaw::clawlink
