// SPDX-License-Identifier: Apache-2.0
// One connection, from its first byte to its last: one request of protocol 1.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "hostlink/door/door_core.h"
#include "hostlink/door/jobs.h"
#include "hostlink/door/peer_stream.h"

namespace hostclaw::hostlink {

// Who has not shown a token in this time is let go.
inline constexpr std::chrono::seconds kTimeToAuthenticate{10};

// Serves the peer and closes its stream. `known` is told when it has authenticated. Never throws.
boost::asio::awaitable<void> serve_connection(DoorCore& core, Jobs& jobs, std::shared_ptr<PeerStream> stream,
                                              std::function<void()> known);

}  // namespace hostclaw::hostlink
