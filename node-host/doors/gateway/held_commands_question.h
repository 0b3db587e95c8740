// SPDX-License-Identifier: Apache-2.0
// Asks a gateway, as an operator that only reads, which commands of this node it holds.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "gateway-proto/held_commands.h"
#include "node-host/doors/gateway/gateway_session.h"

namespace hostclaw::node_host {

struct HeldCommandsQuestion {
  gateway_proto::GatewayEndpoint endpoint;
  gateway_proto::Credentials shared;  // the token or the password that the owner gave this node
  std::string node_id;
  std::vector<std::string> declared;
  std::string version;   // of this program
  std::string platform;  // as connect names it
  std::string extra_ca_file;
  GatewaySession::Timeouts timeouts;
};

// One connection of its own, ended before this returns; a few hundred milliseconds on a loaded gateway.
// Requires the shared token or password. Errors: those of WebSocket::connect(); OPERATOR_REFUSED when the
// gateway does not let such an operator in (one on another machine asks for a paired device) or does not
// answer the question.
boost::asio::awaitable<Result<gateway_proto::HeldCommands>> ask_held_commands(HeldCommandsQuestion question);

}  // namespace hostclaw::node_host
