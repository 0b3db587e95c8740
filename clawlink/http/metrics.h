// SPDX-License-Identifier: Apache-2.0
// GET /metrics: what the relay has in hand, in the text form of Prometheus. Whoever may speak to the relay
// may read it, with the shared token alone too. No label is made of a peer's text.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "clawlink/http/service.h"
#include "clawlink/store/numbers.h"

namespace hostclaw::clawlink {

bool is_metrics(const HttpRequest& request);
boost::asio::awaitable<Reply> metrics_reply(RelayService& service, const HttpRequest& request);

// Pure.
std::string metrics_text(const RelayNumbers& numbers, const RelayCounts& counts, const std::string& version);

}  // namespace hostclaw::clawlink
