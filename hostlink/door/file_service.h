// SPDX-License-Identifier: Apache-2.0
// Files of protocol 1: put, get, get_stat, stat_fs and the two streams, each judged by the roots of the
// caller's token and a row of the record. Thread rule: the io_context thread; work on files on a pool.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>

#include "hostlink/door/door_core.h"
#include "hostlink/door/peer_frames.h"
#include "hostlink/proto/messages.h"

namespace hostclaw::hostlink {

// Serves one request. Answers the payload that is the last to be sent; nullopt: the connection is dropped
// without one (a stream that broke), or all has been sent.
boost::asio::awaitable<std::optional<std::string>> serve_file(DoorCore& core, const Caller& caller,
                                                              Request request,
                                                              std::shared_ptr<TransferChannel> channel,
                                                              std::int64_t& row_id);

// Lets go of uploads that nobody has gone on with for a while; of all of them when the door ends.
void forget_partial_uploads(DoorCore& core, bool all = false);

}  // namespace hostclaw::hostlink
