// SPDX-License-Identifier: Apache-2.0
// One coroutine waits here until what it waits for holds; whoever changes the state calls notify().
// Nothing is lost between looking and waiting, because all of it happens on one thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <optional>

namespace hostclaw::node_host {

using SteadyTime = std::chrono::steady_clock::time_point;

class Wakeup {
 public:
  explicit Wakeup(const boost::asio::any_io_executor& executor) : timer_(executor) {}

  void notify() { timer_.cancel(); }

  // True when `done()` holds, false when `deadline` came first.
  template <class Predicate>
  boost::asio::awaitable<bool> wait(Predicate done, std::optional<SteadyTime> deadline) {
    for (;;) {
      if (done()) co_return true;
      if (deadline && std::chrono::steady_clock::now() >= *deadline) co_return false;
      timer_.expires_at(deadline.value_or(SteadyTime::max()));
      co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
  }

 private:
  boost::asio::steady_timer timer_;
};

}  // namespace hostclaw::node_host
