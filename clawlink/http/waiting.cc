// SPDX-License-Identifier: Apache-2.0
#include "clawlink/http/waiting.h"

namespace hostclaw::clawlink {

boost::asio::awaitable<bool> Bell::wait_until(TimePoint end) {
  if (!rung_) {
    timer_.expires_at(end);
    co_await timer_.async_wait(kTuple);
  }
  const bool was_rung = rung_;
  rung_ = false;
  co_return was_rung;
}

}  // namespace hostclaw::clawlink
