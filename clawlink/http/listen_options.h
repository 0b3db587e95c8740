// SPDX-License-Identifier: Apache-2.0
// What a listening socket is told before it is bound.
#pragma once

#include <boost/asio/ip/tcp.hpp>

namespace hostclaw::clawlink {

// A relay that starts again right away gets its port, and nobody shares it.
void allow_quick_restart(boost::asio::ip::tcp::acceptor& acceptor, boost::system::error_code& failed);

}  // namespace hostclaw::clawlink
