// SPDX-License-Identifier: Apache-2.0
// One request and its answer on a connection of its own, to addresses that the caller has chosen. Nothing is
// looked up, no redirect is followed, and everything has a deadline and a bound.
// Thread rule: the executor of the coroutine.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace hostclaw::clawlink {

// Trusts what this system trusts, and what is in `ca_file` when it is not empty. TLS_FAILED: it cannot be
// read.
Result<std::unique_ptr<boost::asio::ssl::context>> client_tls(const std::string& ca_file);

struct HttpPeer {
  std::vector<boost::asio::ip::tcp::endpoint> endpoints;  // tried in this order
  std::string host;                          // what a certificate has to be for: a name or an address
  boost::asio::ssl::context* tls = nullptr;  // nullptr: plain. Requires: it outlives the exchange
};
struct HttpPatience {
  std::chrono::milliseconds connect;  // with TLS
  std::chrono::milliseconds answer;   // from the first byte of the request on
  std::size_t body_bytes = 0;         // of the answer; 0: its head alone is read
};

enum class HttpStep { kConnect, kTls, kTalk, kDone };
struct HttpAttempt {
  HttpStep step = HttpStep::kConnect;  // that it ended at; from kTalk on the peer may have acted
  boost::system::error_code failed;    // unless kDone
  int status = 0;
  std::string body;
  std::chrono::seconds retry_after{0};  // an hour at most
};
boost::asio::awaitable<HttpAttempt> exchange_http(const HttpPeer& peer, const std::string& request,
                                                  const HttpPatience& patience);

}  // namespace hostclaw::clawlink
