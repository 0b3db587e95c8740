// SPDX-License-Identifier: Apache-2.0
#include "clawlink/push/address_kind.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace hostclaw::clawlink {
namespace {

namespace ip = boost::asio::ip;

struct Block {
  const char* network;
  std::size_t bits;
  AddressKind kind;
};

// IANA's registries of special addresses. What is in no block is public.
constexpr std::array kBlocks4 = {
    Block{"0.0.0.0", 8, AddressKind::kUnspecified},    Block{"10.0.0.0", 8, AddressKind::kPrivate},
    Block{"100.64.0.0", 10, AddressKind::kPrivate},    Block{"127.0.0.0", 8, AddressKind::kLoopback},
    Block{"168.63.129.16", 32, AddressKind::kPrivate},  // services of Azure's hosts, for its machines alone
    Block{"169.254.0.0", 16, AddressKind::kLinkLocal}, Block{"172.16.0.0", 12, AddressKind::kPrivate},
    Block{"192.0.0.0", 24, AddressKind::kReserved},    Block{"192.0.2.0", 24, AddressKind::kReserved},
    Block{"192.88.99.0", 24, AddressKind::kReserved},  Block{"192.168.0.0", 16, AddressKind::kPrivate},
    Block{"198.18.0.0", 15, AddressKind::kReserved},   Block{"198.51.100.0", 24, AddressKind::kReserved},
    Block{"203.0.113.0", 24, AddressKind::kReserved},  Block{"224.0.0.0", 4, AddressKind::kMulticast},
    Block{"240.0.0.0", 4, AddressKind::kReserved},
};

// The first that holds it. Beyond 2000::/3 nothing of the internet is.
constexpr std::array kBlocks6 = {
    Block{"::", 128, AddressKind::kUnspecified},     Block{"::1", 128, AddressKind::kLoopback},
    Block{"::ffff:0:0", 96, AddressKind::kEmbedded}, Block{"::ffff:0:0:0", 96, AddressKind::kEmbedded},
    Block{"::", 96, AddressKind::kEmbedded},         Block{"2001::", 32, AddressKind::kEmbedded},  // Teredo
    Block{"2001::", 23, AddressKind::kReserved},     Block{"2001:db8::", 32, AddressKind::kReserved},
    Block{"2002::", 16, AddressKind::kEmbedded},  // 6to4
    Block{"3fff::", 20, AddressKind::kReserved},     Block{"fc00::", 7, AddressKind::kPrivate},
    Block{"fe80::", 10, AddressKind::kLinkLocal},    Block{"fec0::", 10, AddressKind::kPrivate},
    Block{"ff00::", 8, AddressKind::kMulticast},     Block{"2000::", 3, AddressKind::kPublic},
    Block{"::", 0, AddressKind::kReserved},
};
constexpr Block kNat64{"64:ff9b::", 96, AddressKind::kPublic};

bool begins_with(std::span<const unsigned char> bytes, std::span<const unsigned char> prefix,
                 std::size_t bits) {
  const std::size_t whole = bits / 8;
  if (!std::equal(prefix.begin(), prefix.begin() + static_cast<std::ptrdiff_t>(whole), bytes.begin()))
    return false;
  if (bits % 8 == 0) return true;
  const unsigned mask = 0xFFU << (8 - bits % 8) & 0xFFU;
  return (bytes[whole] & mask) == (prefix[whole] & mask);
}

bool lies_in(const ip::address_v4& address, const Block& block) {
  const auto bytes = address.to_bytes();
  const auto prefix = ip::make_address_v4(block.network).to_bytes();
  return begins_with(bytes, prefix, block.bits);
}

bool lies_in(const ip::address_v6& address, const Block& block) {
  const auto bytes = address.to_bytes();
  const auto prefix = ip::make_address_v6(block.network).to_bytes();
  return begins_with(bytes, prefix, block.bits);
}

AddressKind kind_of_v4(const ip::address_v4& address) {
  for (const Block& block : kBlocks4) {
    if (lies_in(address, block)) return block.kind;
  }
  return AddressKind::kPublic;
}

}  // namespace

AddressKind kind_of(const ip::address& address) {
  if (address.is_v4()) return kind_of_v4(address.to_v4());
  const ip::address_v6 six = address.to_v6();
  if (lies_in(six, kNat64)) {
    const auto bytes = six.to_bytes();
    return kind_of_v4(ip::address_v4({bytes[12], bytes[13], bytes[14], bytes[15]}));
  }
  for (const Block& block : kBlocks6) {
    if (lies_in(six, block)) return block.kind;
  }
  return AddressKind::kReserved;
}

std::string_view to_string(AddressKind kind) {
  switch (kind) {
    case AddressKind::kPublic:
      return "an address of the internet";
    case AddressKind::kLoopback:
      return "a loopback address";
    case AddressKind::kPrivate:
      return "a private address";
    case AddressKind::kLinkLocal:
      return "a link-local address";
    case AddressKind::kUnspecified:
      return "the unspecified address";
    case AddressKind::kMulticast:
      return "a multicast address";
    case AddressKind::kReserved:
      return "a reserved address";
    case AddressKind::kEmbedded:
      return "an IPv4 address in the form of IPv6";
  }
  return "no address";
}

}  // namespace hostclaw::clawlink
