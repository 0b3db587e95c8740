// SPDX-License-Identifier: Apache-2.0
// What kind of address it is: one of the internet, or one that means something only here. Pure.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <string_view>

namespace hostclaw::clawlink {

enum class AddressKind {
  kPublic,
  kLoopback,
  kPrivate,  // RFC 1918, ULA, shared address space of providers
  kLinkLocal,
  kUnspecified,
  kMulticast,
  kReserved,  // documentation, benchmarks, protocols, what nobody has been given
  kEmbedded,  // an IPv4 address in the form of IPv6: who judges one would have to judge the other
};

// An address behind NAT64's well-known prefix is what the IPv4 address in it is.
AddressKind kind_of(const boost::asio::ip::address& address);
std::string_view to_string(AddressKind kind);  // "a loopback address"

}  // namespace hostclaw::clawlink
