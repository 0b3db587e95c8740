// SPDX-License-Identifier: Apache-2.0
// From a URL to the peer that a request goes to: its addresses, looked up once for each request so that they
// can be judged before anything connects, and what this system trusts. Thread rule: the thread of the
// network.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <memory>

#include "clawlink/client/http_exchange.h"
#include "clawlink/client/name_lookup.h"
#include "clawlink/push/push_target.h"

namespace hostclaw::clawlink {

class UrlPeers {
 public:
  UrlPeers(NameLookup look, std::chrono::milliseconds patience)
      : look_(std::move(look)), patience_(patience) {}

  // LOOKUP_FAILED.
  boost::asio::awaitable<Result<Addresses>> addresses_of(const PushUrl& url) const;
  // Requires: this object outlives the exchange. TLS_FAILED.
  Result<HttpPeer> peer_at(const PushUrl& url, const Addresses& addresses);

 private:
  NameLookup look_;
  std::chrono::milliseconds patience_;
  std::unique_ptr<boost::asio::ssl::context> tls_;  // made when it is wanted first
};

}  // namespace hostclaw::clawlink
