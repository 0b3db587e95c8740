// SPDX-License-Identifier: Apache-2.0
// A gateway at the other end that is no more than a list of what it was told.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/this_coro.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node-host/doors/gateway/gateway_peer.h"
#include "node-host/run/run_wakeup.h"

namespace hostclaw::test {

class FakePeer final : public node_host::GatewayPeer {
 public:
  struct Call {
    std::string method;
    Json params;
  };

  FakePeer() { greeting.protocol = 4; }

  bool is_open = true;
  bool holds = false;  // calls wait until it no longer does, or the connection has ended
  gateway_proto::HelloOk greeting;
  std::vector<Call> calls;
  std::function<node_host::CallOutcome(const Call&)> answer;  // empty: everything is taken

  // The answers to this invocation, in their order.
  std::vector<Json> results(const std::string& invoke_id) const {
    std::vector<Json> out;
    for (const Call& call : calls)
      if (call.method == "node.invoke.result" && call.params.at("id") == invoke_id)
        out.push_back(call.params);
    return out;
  }

  bool open() const override { return is_open; }
  const gateway_proto::HelloOk& hello() const override { return greeting; }
  boost::asio::awaitable<node_host::CallOutcome> call_with_retries(std::string method,
                                                                   std::string params_json, int) override {
    calls.push_back({std::move(method), Json::parse(params_json)});
    const std::size_t mine = calls.size() - 1;
    if (holds) {
      node_host::Wakeup wakeup(co_await boost::asio::this_coro::executor);
      while (holds && is_open)
        co_await wakeup.wait([this] { return !holds || !is_open; },
                             std::chrono::steady_clock::now() + std::chrono::milliseconds(1));
    }
    node_host::CallOutcome outcome;
    outcome.ok = is_open;
    if (!is_open) outcome.error.code = "CLOSED";
    if (is_open && answer) outcome = answer(calls[mine]);
    co_return outcome;
  }
};

}  // namespace hostclaw::test
