// SPDX-License-Identifier: Apache-2.0
#include "clawlink/discovery/link_of_address.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/text.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::size_t kMostLinks = 512;

std::optional<int> link_of_v4(const boost::asio::ip::address_v4& address) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return std::nullopt;
  std::vector<ifreq> links(kMostLinks);
  ifconf list{};
  list.ifc_len = static_cast<int>(links.size() * sizeof(ifreq));
  list.ifc_req = links.data();
  std::optional<int> found;
  if (::ioctl(socket, SIOCGIFCONF, &list) == 0) {
    links.resize(static_cast<std::size_t>(list.ifc_len) / sizeof(ifreq));
    for (const ifreq& link : links) {
      sockaddr_in at{};
      std::memcpy(&at, &link.ifr_addr, sizeof at);
      if (ntohl(at.sin_addr.s_addr) != address.to_uint()) continue;
      ifreq asked = link;
      // An alias, "eth0:1", is the link before the colon.
      if (char* const colon = std::strchr(asked.ifr_name, ':')) *colon = '\0';
      if (::ioctl(socket, SIOCGIFINDEX, &asked) == 0) found = asked.ifr_ifindex;
      break;
    }
  }
  ::close(socket);
  return found;
}

// "fe80000000000000a00027fffe000001 02 40 20 80 eth0": address, index, ...; in hexadecimal.
std::optional<int> link_of_v6(const boost::asio::ip::address_v6& address) {
  const auto bytes = address.to_bytes();
  const std::string wanted = to_hex(bytes);
  std::ifstream table("/proc/net/if_inet6");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string digits;
    int index = 0;
    if (words >> digits >> std::hex >> index && digits == wanted) return index;
  }
  return std::nullopt;
}

}  // namespace

std::optional<int> link_of_address(const boost::asio::ip::address& address) {
  if (address.is_unspecified()) return std::nullopt;
  return address.is_v4() ? link_of_v4(address.to_v4()) : link_of_v6(address.to_v6());
}

}  // namespace hostclaw::clawlink
