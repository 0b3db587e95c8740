// SPDX-License-Identifier: Apache-2.0
// Requests of protocol 1 over a connection of protocol 2, one after the other: the token never crosses the
// wire, and many files cost one proof. Used by one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "hostlink/client/exchange.h"
#include "hostlink/client/v2_link.h"
#include "hostlink/proto/v2_frame.h"

namespace hostclaw::hostlink {

class V2Requests {
 public:
  explicit V2Requests(V2Link link);

  // Whether the daemon takes requests on such a connection.
  static bool served_by(const V2Link& link);

  // Begins one. Requires: the one before is not used any more. Errors: CONNECTION_LOST, also when that one
  // was left in its middle: then a new connection has to be made.
  Result<std::unique_ptr<Exchange>> begin(std::string_view request);

 private:
  class OneRequest;
  Result<void> read_frames(const Deadline& deadline);

  V2Link link_;
  v2::Decoder decoder_{v2::Side::kClient};
  std::string buffer_;
  std::uint32_t stream_ = 0;  // of the last request; 0: there was none
  bool ended_ = true;         // the daemon has said its last word about it
};

}  // namespace hostclaw::hostlink
