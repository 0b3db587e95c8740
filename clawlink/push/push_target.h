// SPDX-License-Identifier: Apache-2.0
// Where push notifications may go. Whoever may give a task may name a URL, and the relay can reach what he
// cannot: so it is https to addresses of the internet, unless the owner lists the host. A name is judged by
// the addresses that it has at the moment of sending, and the connection goes to one of those that were
// judged.
//
// Pure. Errors: PUSH_URL_INVALID; PUSH_PLAIN_REFUSED (http), PUSH_ADDRESS_REFUSED, both with the owner's
// command; CONFIG_INVALID of what the owner lists.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hostclaw::clawlink {

struct PushUrl {
  bool tls = true;
  std::string host;  // lower case, without brackets and without a dot at its end
  std::uint16_t port = 443;
  std::string authority;                            // as the Host header names it
  std::string target;                               // path and query; secret, for many put a key there
  std::optional<boost::asio::ip::address> address;  // when the host is one
  std::string where() const;                        // "host:port", which is shown and recorded
};
// An absolute URL of http or https of at most 2048 visible characters, without account and fragment.
Result<PushUrl> read_push_url(std::string_view url);

// What `--push-to [http://]HOST[:PORT]` lists.
struct PushException {
  bool plain = false;  // http as well
  std::string host;
  std::uint16_t port = 0;  // 0: any
};
Result<PushException> read_push_exception(std::string_view text);

struct PushRules {
  bool enabled = true;
  std::vector<PushException> exceptions;
};

// What can be said before a name is looked up.
Result<void> check_push_url(const PushRules& rules, const PushUrl& url);
// Those of the addresses that may be connected to; PUSH_ADDRESS_REFUSED when there is none.
Result<std::vector<boost::asio::ip::address>> check_push_addresses(
    const PushRules& rules, const PushUrl& url, const std::vector<boost::asio::ip::address>& addresses);

// Whether it can stand in a header: visible ASCII, with spaces between.
bool is_header_text(std::string_view text);

}  // namespace hostclaw::clawlink
