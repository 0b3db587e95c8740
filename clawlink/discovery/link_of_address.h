// SPDX-License-Identifier: Apache-2.0
// Which network a relay is reached by that listens on one address alone.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>

namespace hostclaw::clawlink {

// The index of the interface that has this address; nullopt for "any" (0.0.0.0, ::) and where none has it.
// Asks by ioctl and /proc: a service is allowed no netlink. Any thread.
std::optional<int> link_of_address(const boost::asio::ip::address& address);

}  // namespace hostclaw::clawlink
