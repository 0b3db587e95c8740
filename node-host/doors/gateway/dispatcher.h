// SPDX-License-Identifier: Apache-2.0
// The gateway's door: turns its invocations into requests to the corridor or calls of its other methods, and
// carries the answers back in its words.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "gateway-proto/messages.h"
#include "node-host/corridor/corridor.h"
#include "node-host/doors/gateway/gateway_session.h"
#include "node-host/doors/gateway/methods.h"
#include "node-host/doors/gateway/prepared_plans.h"

namespace hostclaw::node_host {

class Dispatcher {
 public:
  struct Settings {
    std::string device_id;
    std::set<std::string> commands;  // advertised; anything else is refused
    // The gateway at the other end, as it was authenticated. Never empty.
    std::function<Origin()> gateway;
    std::string live_output;  // the directory of live_output.h
  };

  // Requires: all outlive this object.
  Dispatcher(boost::asio::any_io_executor executor, StoreThread& store, Corridor& corridor,
             const Clock& clock, Settings settings);

  void invoke(std::shared_ptr<GatewaySession> session, gateway_proto::InvokeRequest request);
  void cancel(const std::string& invoke_id);
  std::size_t in_flight() const { return flights_.size(); }
  // From now on an invocation is answered with UNAVAILABLE; those under way go on.
  void refuse_new() { refusing_ = true; }
  // Until nothing is under way, at most this long.
  boost::asio::awaitable<void> wait_idle(std::chrono::milliseconds at_most);
  // Cancels every run and waits until each is recorded.
  boost::asio::awaitable<void> finish();

 private:
  struct Flight;
  boost::asio::awaitable<void> serve(std::shared_ptr<Flight> flight);
  boost::asio::awaitable<void> serve_run(std::shared_ptr<Flight> flight);
  ExecRequest request_of(std::shared_ptr<Flight> flight, const Json& params);
  void send_event(const Flight& flight, const ExecOutcome& outcome);
  boost::asio::awaitable<gateway_proto::InvokeResult> answer(const Flight& flight);
  boost::asio::awaitable<bool> deliver(std::shared_ptr<Flight> flight, gateway_proto::InvokeResult result);

  boost::asio::any_io_executor executor_;
  Corridor& corridor_;
  const Clock& clock_;
  Settings settings_;
  PreparedPlans plans_;
  GatewayMethods methods_;
  bool finishing_ = false;
  bool refusing_ = false;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;  // by invoke id
  boost::asio::steady_timer all_done_;
};

}  // namespace hostclaw::node_host
