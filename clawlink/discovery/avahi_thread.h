// SPDX-License-Identifier: Apache-2.0
// A thread for Avahi's library, which calls its daemon over D-Bus and waits for the answer: up to 25 s when
// that one hangs, and nobody else should wait so long.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "clawlink/discovery/avahi_library.h"

namespace hostclaw::clawlink {

using AvahiClock = std::chrono::steady_clock;

// The loop of such a thread. Thread rule: its own thread alone.
class AvahiLoop {
 public:
  const AvahiLibrary& library() const { return library_; }
  const AvahiPoll* poll() const { return library_.simple_poll_get(simple_); }
  bool stopped() const;
  // Calls what the library has for its callers, once; waits for it until `end`, or until it is to stop.
  // False: it is to stop, or cannot go on.
  bool step(AvahiClock::time_point end);

 private:
  friend class AvahiThread;
  struct Shared;
  AvahiLoop(const AvahiLibrary& library, AvahiSimplePoll* simple, Shared& shared);
  const AvahiLibrary& library_;
  AvahiSimplePoll* simple_;
  Shared& shared_;
};

class AvahiThread {
 public:
  // `work` runs in the new thread and owns what it touches: it may outlive this object. It comes to its end
  // soon after loop.stopped(). False from started(): there is no thread, for want of memory or descriptors.
  AvahiThread(const AvahiLibrary& library, std::function<void(AvahiLoop&)> work);
  // Has it stop and waits for it, 2 s at most; then it is left behind and ends by itself.
  ~AvahiThread();
  AvahiThread(const AvahiThread&) = delete;
  AvahiThread& operator=(const AvahiThread&) = delete;

  bool started() const { return thread_.joinable(); }
  // Until the work has ended (true), or so long. Requires: started().
  bool wait(std::chrono::milliseconds at_most);

 private:
  std::shared_ptr<AvahiLoop::Shared> shared_;
  std::thread thread_;
};

}  // namespace hostclaw::clawlink
