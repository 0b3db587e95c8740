// SPDX-License-Identifier: Apache-2.0
// The addresses of a name, without blocking the loop: each lookup has a thread of its own, for nothing can
// end one of the system's, and Asio's resolver would let all names wait for a slow one and the end of the
// program for all of them. At most 16 threads look at once; whoever gave up waiting leaves his to its end.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace hostclaw::clawlink {

using Addresses = std::vector<boost::asio::ip::address>;
// Called on a thread of its own.
using NameLookup = std::function<Addresses(const std::string& host, boost::system::error_code& failed)>;
Addresses system_lookup(const std::string& host, boost::system::error_code& failed);

struct LookupWish {
  std::string host;
  std::chrono::steady_clock::time_point end;
};
// LOOKUP_FAILED, also when it is not done by `end`, when there are too many, and when nothing was found.
boost::asio::awaitable<Result<Addresses>> look_up(const NameLookup& look, const LookupWish& wish);

}  // namespace hostclaw::clawlink
