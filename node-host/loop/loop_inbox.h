// SPDX-License-Identifier: Apache-2.0
// What other threads hand to the io_context thread.
//
// Asio's own post() wakes that thread while it still holds the queue's lock, and on a machine with few
// processors the woken thread runs into it and sleeps again. Where the system lets us (Linux), the wake-up
// here comes after the lock.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>

namespace hostclaw::node_host {

class LoopInbox {
 public:
  // Throws boost::system::system_error when the system has no descriptor left.
  explicit LoopInbox(boost::asio::any_io_executor executor);
  ~LoopInbox();
  LoopInbox(const LoopInbox&) = delete;
  LoopInbox& operator=(const LoopInbox&) = delete;

  // One more function will come: until it has run, the io_context has work. The io_context thread.
  void expect();
  // Runs `function` on the io_context thread, in the order of the calls. Requires an expect() before it. Any
  // thread, while this object lives.
  void post(std::function<void()> function);

 private:
  struct Native;
  std::shared_ptr<Native> native_;  // also held by what waits in the io_context
};

}  // namespace hostclaw::node_host
