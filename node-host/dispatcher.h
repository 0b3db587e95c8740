// Turns invocations of a gateway into calls of the corridor and carries the answers back.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "gateway-proto/messages.h"
#include "node-host/exec_pipeline.h"
#include "node-host/gateway_session.h"

namespace hostclaw::node_host {

class Dispatcher {
 public:
  struct Settings {
    std::string device_id;
    std::set<std::string> commands;  // advertised; anything else is refused
    // Runs and other commands that may be under way at once; the rest wait in order.
    std::size_t max_concurrent = 64;
    std::size_t max_waiting = 4096;
  };

  Dispatcher(boost::asio::any_io_executor executor, ExecPipeline& pipeline, Settings settings);

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
  boost::asio::awaitable<gateway_proto::InvokeResult> answer(const Flight& flight);
  boost::asio::awaitable<bool> enter(std::shared_ptr<Flight> flight);
  void leave();
  boost::asio::awaitable<bool> deliver(std::shared_ptr<Flight> flight, gateway_proto::InvokeResult result);

  boost::asio::any_io_executor executor_;
  ExecPipeline& pipeline_;
  Settings settings_;
  std::size_t active_ = 0;
  bool finishing_ = false;
  bool refusing_ = false;
  std::deque<std::shared_ptr<Flight>> waiting_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;  // by invoke id
  boost::asio::steady_timer all_done_;
};

}  // namespace hostclaw::node_host
