// SPDX-License-Identifier: Apache-2.0
#include "clawlink/http/listen_options.h"

namespace hostclaw::clawlink {

void allow_quick_restart(boost::asio::ip::tcp::acceptor& acceptor, boost::system::error_code& failed) {
  acceptor.set_option(boost::asio::ip::tcp::acceptor::reuse_address(true), failed);
}

}  // namespace hostclaw::clawlink
