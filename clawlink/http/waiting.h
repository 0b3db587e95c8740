// SPDX-License-Identifier: Apache-2.0
// Waiting for what somebody else does: a bell that is rung, and who waits for which bell.
// Thread rule: the thread of the network.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace hostclaw::clawlink {

// co_await gives (error_code, results...) and never throws.
inline constexpr auto kTuple = boost::asio::as_tuple(boost::asio::use_awaitable);

// Rung once or often before somebody waits, it lets pass once. One waits at a time.
class Bell {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  explicit Bell(const boost::asio::any_io_executor& executor) : timer_(executor) {}

  void ring() {
    rung_ = true;
    timer_.cancel();
  }
  // False: nobody rang until then.
  boost::asio::awaitable<bool> wait_until(TimePoint end);

 private:
  boost::asio::steady_timer timer_;
  bool rung_ = false;
};

// Who waits for which agent or task; sockets also get frames that are for nobody's queue. Shared by those who
// wait: at the end of the loop they may go after everything else.
class Hub {
 public:
  class Place {
   public:
    Place(std::shared_ptr<Hub> hub, std::string what, Bell& bell)
        : hub_(std::move(hub)), what_(std::move(what)), bell_(bell) {
      hub_->bells_[what_].insert(&bell_);
    }
    ~Place() {
      const auto found = hub_->bells_.find(what_);
      found->second.erase(&bell_);
      if (found->second.empty()) hub_->bells_.erase(found);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    const std::shared_ptr<Hub> hub_;
    const std::string what_;
    Bell& bell_;
  };

  static std::string of_agent(const std::string& id) { return "agent " + id; }
  static std::string of_task(const std::string& id) { return "task " + id; }

  void ring(const std::string& what) {
    const auto found = bells_.find(what);
    if (found == bells_.end()) return;
    for (Bell* bell : found->second) bell->ring();
  }

  // What is told to every socket, and kept by nobody.
  struct Listener {
    std::string agent_id;
    std::deque<std::string> frames;
    Bell* bell = nullptr;
  };
  void listen(Listener& listener) { listeners_.insert(&listener); }
  void leave(Listener& listener) { listeners_.erase(&listener); }
  void announce(const std::string& about, const std::string& frame) {
    for (Listener* listener : listeners_) {
      if (listener->agent_id == about || listener->frames.size() >= kMostFrames) continue;
      listener->frames.push_back(frame);
      listener->bell->ring();
    }
  }

 private:
  static constexpr std::size_t kMostFrames = 100;
  std::map<std::string, std::set<Bell*>> bells_;
  std::set<Listener*> listeners_;
};

}  // namespace hostclaw::clawlink
