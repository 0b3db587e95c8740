// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/held_commands_question.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using gateway_proto::HeldCommands;

// Larger than any hello or description seen (14 KiB), and far below what would hurt this node.
constexpr std::size_t kMaxAnswerBytes = 4 << 20;

}  // namespace

asio::awaitable<Result<HeldCommands>> ask_held_commands(HeldCommandsQuestion question) {
  const auto executor = co_await asio::this_coro::executor;
  WebSocketOptions web;
  web.extra_ca_file = question.extra_ca_file;
  web.max_message_bytes = kMaxAnswerBytes;
  auto socket = co_await WebSocket::connect(question.endpoint, std::move(web));
  if (!socket) co_return socket.error();
  const auto session = std::make_shared<GatewaySession>(executor, std::move(*socket), question.timeouts);
  const auto params = [&question](const gateway_proto::Challenge&) {
    return gateway_proto::reading_operator_params(question.version, question.platform, question.shared);
  };
  const HandshakeOutcome outcome = co_await session->handshake(params);
  if (outcome.failure) co_return *outcome.failure;
  if (outcome.refusal)
    co_return make_error("OPERATOR_REFUSED", outcome.refusal->code + ": " + outcome.refusal->message);
  asio::co_spawn(
      executor, [session]() -> asio::awaitable<void> { co_await session->serve({}); }, asio::detached);
  const std::string node = dump_json(Json{{"nodeId", question.node_id}});
  const CallOutcome described = co_await session->call_with_retries("node.describe", node, 3);
  auto held = gateway_proto::held_commands_from(described.payload, question.declared);
  if (held && held->usable.empty() && held->waiting.empty()) {
    const CallOutcome pairings = co_await session->call_with_retries("node.pair.list", "{}", 3);
    if (pairings.ok)
      gateway_proto::add_pending_commands(*held, pairings.payload, question.node_id, question.declared);
  }
  co_await session->close(1000, "");
  if (!described.ok)
    co_return make_error("OPERATOR_REFUSED", described.error.code + ": " + described.error.message);
  if (!held) co_return make_error("OPERATOR_REFUSED", "the gateway described this node without its commands");
  co_return std::move(*held);
}

}  // namespace hostclaw::node_host
