// SPDX-License-Identifier: Apache-2.0
// The gateway at the other end of one connection, as whoever answers it sees it: GatewaySession, or a fake.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "base/json.h"
#include "gateway-proto/connect.h"
#include "gateway-proto/messages.h"

namespace hostclaw::node_host {

// The answer to one request.
struct CallOutcome {
  bool ok = false;
  Json payload;
  // Set when not ok. Codes of our own: CLOSED (the connection ended), TIMEOUT (no answer in time),
  // PAYLOAD_TOO_LARGE (not sent: larger than the gateway accepts).
  gateway_proto::PeerError error;
};

class GatewayPeer {
 public:
  virtual ~GatewayPeer() = default;
  virtual bool open() const = 0;
  virtual const gateway_proto::HelloOk& hello() const = 0;
  // Sends a request, its params as JSON text, and waits for its answer; again after 50, 100, 200 ... 800 ms
  // while the gateway calls the failure transient. Never throws; safe to call when the connection has ended.
  virtual boost::asio::awaitable<CallOutcome> call_with_retries(std::string method, std::string params_json,
                                                                int max_tries) = 0;
};

inline constexpr int kCallTries = 10;

}  // namespace hostclaw::node_host
