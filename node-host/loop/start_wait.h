// SPDX-License-Identifier: Apache-2.0
// What a start has to wait for: trouble of the store that passes by itself, before there is a loop. Signals
// and the supervisor are answered meanwhile. Thread rule: one thread, which has no loop of its own while this
// exists.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"
#include "node-host/system/process/supervisor.h"

namespace hostclaw::node_host {

// True for what passes by itself: a locked database, a full disk. Everything else needs a person.
bool passes_by_itself(const Error& error);

// How long each try may wait for a lock: what has to be answered meanwhile is answered after that.
inline constexpr std::chrono::milliseconds kTryPatience{200};
inline constexpr std::chrono::milliseconds kTryAgainEvery{2'000};

// Says once that it waits and why, then each minute, and when it goes on.
class WaitLog {
 public:
  void waiting(const Error& error);
  void over();

 private:
  std::string told_;
  std::chrono::steady_clock::time_point since_;
  std::chrono::steady_clock::time_point told_at_;
};

class StartWait {
 public:
  explicit StartWait(Supervisor& supervisor);
  ~StartWait();
  StartWait(const StartWait&) = delete;
  StartWait& operator=(const StartWait&) = delete;

  // Calls `attempt` until it succeeds, fails with what does not pass, or this process is asked to end: then
  // the error is START_STOPPED. `attempt` should not take longer than kTryPatience.
  template <class Attempt>
  std::invoke_result_t<Attempt> until_done(Attempt attempt) {
    for (;;) {
      auto outcome = attempt();
      if (stopped()) return make_error("START_STOPPED", "asked to stop");
      if (outcome || !passes_by_itself(outcome.error())) {
        log_.over();
        return outcome;
      }
      pause(outcome.error());
    }
  }
  // Whether the process was asked to end since this object was made.
  bool stopped();
  int exit_status() const { return exit_status_; }

 private:
  void await_signal();
  void pause(const Error& error);

  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_;
  Supervisor& supervisor_;
  WaitLog log_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  bool stopped_ = false;
  int exit_status_ = 0;
};

// The exit status for a signal that ends the node, and its name for the log.
int status_of_signal(int signal);
std::string_view name_of_signal(int signal);

}  // namespace hostclaw::node_host
