// SPDX-License-Identifier: Apache-2.0
// One queue for all doors: how many requests are under way at once, and whose turn is next.
//
// - at most `max_running` have a place; who comes later waits
// - principals take turns: among those who wait, each gets one place before one gets a second
// - who holds no place at all is let in beyond `max_running`, up to `own_places`: others' long commands do
// not
//   keep a newcomer out
// - at most `max_waiting` wait. When one more comes, the newest of the principal with the most of them is
//   refused; the comer itself, when nobody has more than its own principal
// - a place is given back while a person thinks and taken again afterwards; who comes back is not refused
//
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <memory>
#include <string>

#include "node-host/run/run_executor.h"

namespace hostclaw::node_host {

class Admission {
  struct State;
  struct Waiter;

 public:
  struct Limits {
    std::size_t max_running = 64;
    std::size_t max_waiting = 4096;
    std::size_t own_places = 8;
  };
  enum class Entry { kAdmitted, kFull, kCancelled };

  Admission(boost::asio::any_io_executor executor, Limits limits);

  std::size_t running() const;
  std::size_t waiting() const;

  // The place of one request. Given back at the latest when this object goes.
  class Place {
   public:
    // `who` is the same for the same principal. Has no place yet.
    Place(Admission& admission, std::string who);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    // Waits for the turn. The first time it may be refused (kFull), later only cancelled.
    // Requires: no place is held.
    boost::asio::awaitable<Entry> enter(RunCancellation cancellation);
    void leave();
    bool held() const { return held_; }

   private:
    std::shared_ptr<State> state_;
    const std::string who_;
    std::shared_ptr<Waiter> waiter_;  // while it waits
    bool held_ = false;
    bool known_ = false;  // it had a place before
  };

 private:
  std::shared_ptr<State> state_;  // places may outlive this object
};

}  // namespace hostclaw::node_host
