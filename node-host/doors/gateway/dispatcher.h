// SPDX-License-Identifier: Apache-2.0
// The gateway's door: turns its invocations into requests to the corridor or calls of its other methods, and
// carries the answers back in its words.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/clock.h"
#include "gateway-proto/messages.h"
#include "node-host/corridor/admission.h"
#include "node-host/corridor/corridor.h"
#include "node-host/doors/gateway/gateway_peer.h"
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
    // Of what is no run: it holds no place of a run, so that commands that take long do not keep the owner
    // from the document, and is bounded the same way.
    Admission::Limits methods{.max_running = 16, .max_waiting = 1024};
    std::size_t remembered_ids = 4096;  // of invocations that have ended
  };

  // Requires: all outlive this object.
  Dispatcher(boost::asio::any_io_executor executor, StoreThread& store, Corridor& corridor,
             const Clock& clock, Settings settings);

  // An id that is under way, or was a while ago, is not served again: the gateway repeats itself.
  void invoke(std::shared_ptr<GatewayPeer> peer, gateway_proto::InvokeRequest request);
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
  void remember_end(const std::string& id);
  boost::asio::awaitable<void> serve_run(std::shared_ptr<Flight> flight);
  ExecRequest request_of(std::shared_ptr<Flight> flight, const Json& params);
  void send_event(const Flight& flight, const ExecOutcome& outcome);
  boost::asio::awaitable<void> serve_method(std::shared_ptr<Flight> flight);
  boost::asio::awaitable<gateway_proto::InvokeResult> answer(const Flight& flight);
  boost::asio::awaitable<bool> deliver(std::shared_ptr<Flight> flight, gateway_proto::InvokeResult result);

  boost::asio::any_io_executor executor_;
  Corridor& corridor_;
  const Clock& clock_;
  Settings settings_;
  Admission admission_;  // of what is no run
  PreparedPlans plans_;
  GatewayMethods methods_;
  bool finishing_ = false;
  bool refusing_ = false;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;  // by invoke id
  std::unordered_set<std::string> ended_;  // ids of those that have ended, hashed: peers choose their length
  std::deque<std::string> ended_order_;
  boost::asio::steady_timer all_done_;
};

}  // namespace hostclaw::node_host
