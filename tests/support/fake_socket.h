// SPDX-License-Identifier: Apache-2.0
// One connection without a network: what a test pushes is read, what is written goes to the test.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/json.h"
#include "node-host/doors/gateway/websocket.h"
#include "node-host/run/run_wakeup.h"

namespace hostclaw::test {

// What both ends of a fake connection share; it outlives the socket.
struct FakeWire {
  explicit FakeWire(const boost::asio::any_io_executor& executor) : changed(executor), taken(executor) {}

  void push(const Json& frame) {
    inbound.push_back(frame.dump());
    changed.notify();
  }
  void push_event(const std::string& event, Json payload) {
    push({{"type", "event"}, {"event", event}, {"payload", std::move(payload)}});
  }
  void push_answer(const Json& request, Json payload) {
    push({{"type", "res"}, {"id", request.at("id")}, {"ok", true}, {"payload", std::move(payload)}});
  }
  void push_refusal(const Json& request, Json error) {
    push({{"type", "res"}, {"id", request.at("id")}, {"ok", false}, {"error", std::move(error)}});
  }
  void end(int code, const std::string& reason) {
    if (ended) return;
    ended = true;
    info = {code, reason};
    changed.notify();
    taken.notify();
  }

  std::function<void(const Json&)> on_frame;  // each frame that was written
  bool reads = true;                          // false: the peer takes nothing
  std::deque<std::string> inbound;
  bool ended = false;
  bool aborted = false;
  node_host::CloseInfo info;
  std::chrono::steady_clock::time_point heard = std::chrono::steady_clock::now();
  node_host::Wakeup changed;
  node_host::Wakeup taken;
};

class FakeSocket final : public node_host::WebSocket {
 public:
  explicit FakeSocket(std::shared_ptr<FakeWire> wire) : wire_(std::move(wire)) {}
  ~FakeSocket() override { wire_->end(1006, ""); }

  boost::asio::awaitable<Result<std::string>> read() override {
    const auto wire = wire_;
    auto something = [wire] { return wire->ended || !wire->inbound.empty(); };
    co_await wire->changed.wait(something, std::nullopt);
    if (wire->ended) co_return make_error("CLOSED", "closed");
    std::string text = std::move(wire->inbound.front());
    wire->inbound.pop_front();
    wire->heard = std::chrono::steady_clock::now();
    co_return text;
  }
  boost::asio::awaitable<Result<void>> write(std::string text) override {
    const auto wire = wire_;
    auto may = [wire] { return wire->ended || wire->reads; };
    co_await wire->taken.wait(may, std::nullopt);
    if (wire->ended) co_return make_error("CLOSED", "closed");
    if (wire->on_frame) wire->on_frame(Json::parse(text));
    co_return Result<void>();
  }
  boost::asio::awaitable<void> close(int code, std::string reason) override {
    wire_->end(code, reason);
    co_return;
  }
  void abort() override {
    wire_->aborted = true;
    wire_->end(1006, "");
  }
  node_host::CloseInfo close_info() const override { return wire_->info; }
  std::chrono::steady_clock::time_point last_received() const override { return wire_->heard; }

 private:
  std::shared_ptr<FakeWire> wire_;
};

}  // namespace hostclaw::test
