// SPDX-License-Identifier: Apache-2.0
// A connection of protocol 2, from its hello on: the proof, then streams until either end goes.
// docs/hostlink-protocol.md. Thread rule: the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "hostlink/door/door_core.h"
#include "hostlink/door/jobs.h"
#include "hostlink/door/peer_frames.h"
#include "hostlink/proto/messages.h"

namespace hostclaw::hostlink {

struct V2Peer {
  std::optional<node_host::PeerProcess> process;  // of a Unix socket
  std::optional<node_host::LoopbackEnds> ends;    // of TCP from this machine
  std::function<void()> known;                    // told when it has authenticated
};

boost::asio::awaitable<void> serve_v2(DoorCore& core, Jobs& jobs, std::shared_ptr<PeerFrames> channel,
                                      V2Peer peer, Request hello);

}  // namespace hostclaw::hostlink
