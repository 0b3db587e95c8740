// SPDX-License-Identifier: Apache-2.0
#include "clawlink/http/listen_options.h"

namespace hostclaw::clawlink {

// There a port is free as soon as its listener has gone; the option of the same name would let others listen
// on it as well.
void allow_quick_restart(boost::asio::ip::tcp::acceptor& acceptor, boost::system::error_code& failed) {
  using Exclusive = boost::asio::detail::socket_option::boolean<SOL_SOCKET, SO_EXCLUSIVEADDRUSE>;
  acceptor.set_option(Exclusive(true), failed);
}

}  // namespace hostclaw::clawlink
