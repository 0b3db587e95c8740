// SPDX-License-Identifier: Apache-2.0
#include "clawlink/client/url_peer.h"

#include <utility>

namespace hostclaw::clawlink {

boost::asio::awaitable<Result<Addresses>> UrlPeers::addresses_of(const PushUrl& url) const {
  if (url.address) co_return Addresses{*url.address};
  const LookupWish wish{url.host, std::chrono::steady_clock::now() + patience_};
  Result<Addresses> found = co_await look_up(look_, wish);
  co_return found;
}

Result<HttpPeer> UrlPeers::peer_at(const PushUrl& url, const Addresses& addresses) {
  if (url.tls && !tls_) {
    auto context = client_tls("");
    if (!context) return context.error();
    tls_ = std::move(*context);
  }
  HttpPeer peer;
  for (const auto& address : addresses) peer.endpoints.emplace_back(address, url.port);
  peer.host = url.host;
  peer.tls = url.tls ? tls_.get() : nullptr;
  return peer;
}

}  // namespace hostclaw::clawlink
