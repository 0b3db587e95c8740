// SPDX-License-Identifier: Apache-2.0
// `exec` of protocol 1 through the corridor. Thread rule: the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>

#include "hostlink/door/door_core.h"
#include "hostlink/door/peer_stream.h"
#include "hostlink/proto/messages.h"

namespace hostclaw::hostlink {

// A program that a signal ended counts as a shell counts it.
inline constexpr int kFirstSignalStatus = 128;
// So much of a caller's own name for a request is part of its row.
inline constexpr std::size_t kRecordedId = 256;

// What a peer is told of a command that could not be started: the contract's words where it has some.
std::string launch_failure(const std::string& error, const std::string& workdir);

// What of a request makes the command, the same for a detached one: `<shell> -c <text>`.
policy::RunCommand run_command_of(const DoorCore& core, const Request& request);

// A request for the corridor, so far as every command has it: origin, form, claims.
node_host::ExecRequest exec_request_of(const DoorCore& core, const Caller& caller, const Request& request);

// Runs it to its end. nullopt: the caller has gone, and nothing is to be sent.
boost::asio::awaitable<std::optional<std::string>> serve_exec(DoorCore& core, const Caller& caller,
                                                              Request request,
                                                              std::shared_ptr<PeerStream> stream,
                                                              std::int64_t& row_id);

}  // namespace hostclaw::hostlink
