// SPDX-License-Identifier: Apache-2.0
// What protocol 1 asks for, whichever connection it came by: on one of its own, or on a stream of protocol 2.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "hostlink/door/door_core.h"
#include "hostlink/door/jobs.h"
#include "hostlink/door/peer_frames.h"
#include "hostlink/proto/messages.h"

namespace hostclaw::hostlink {

// The payload of a refusal.
std::string refusal(ReplyHead head, ReplyStatus status, std::string_view text);

// The refusal of a request that cannot be served as it stands; nullopt: it can. Only for who is known.
std::optional<std::string> fault_of(const DoorCore& core, const Request& request);

// Everything but a command whose caller waits for it (serve_exec, or a stream of protocol 2). nullopt:
// nothing is to be sent. Requires: fault_of() found nothing.
boost::asio::awaitable<std::optional<std::string>> serve_request(DoorCore& core, Jobs& jobs, Caller caller,
                                                                 Request request,
                                                                 std::shared_ptr<TransferChannel> channel,
                                                                 std::int64_t& row_id);

}  // namespace hostclaw::hostlink
