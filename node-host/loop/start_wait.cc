// SPDX-License-Identifier: Apache-2.0
#include "node-host/loop/start_wait.h"

#include <boost/asio/post.hpp>
#include <csignal>

#include "node-host/loop/log.h"
#include "node-host/system/host/host_facts.h"

namespace hostclaw::node_host {
namespace {

constexpr std::chrono::minutes kSayAgainEvery{1};
// Who waits for this service to be up is told so after this time, with the reason as its status.
constexpr std::chrono::seconds kReadyWhileWaiting{10};

std::int64_t seconds_since(std::chrono::steady_clock::time_point when) {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - when).count();
}

}  // namespace

bool passes_by_itself(const Error& error) {
  return error.code == "STORE_LOCKED" || error.code == "STORE_FULL";
}

void WaitLog::waiting(const Error& error) {
  const auto now = std::chrono::steady_clock::now();
  if (told_.empty()) since_ = now;
  if (error.code == told_ && now - told_at_ < kSayAgainEvery) return;
  told_ = error.code;
  told_at_ = now;
  log_warn("the start waits: " + error.code + ": " + error.message + "; tried again every " +
           std::to_string(std::chrono::duration_cast<std::chrono::seconds>(kTryAgainEvery).count()) + " s" +
           (error.next.empty() ? "" : " -- next: " + error.next));
}

void WaitLog::over() {
  if (!told_.empty()) log_info("the start goes on after " + std::to_string(seconds_since(since_)) + " s");
  told_.clear();
}

StartWait::StartWait(Supervisor& supervisor) : signals_(io_), supervisor_(supervisor) {
  for (const int number : stop_signals()) signals_.add(number);
  await_signal();
  supervisor_.on_stop_request([this] { boost::asio::post(io_, [this] { stopped_ = true; }); });
}

StartWait::~StartWait() { supervisor_.on_stop_request({}); }

void StartWait::await_signal() {
  signals_.async_wait([this](boost::system::error_code failed, int signal) {
    if (failed) return;
    stopped_ = true;
    exit_status_ = status_of_signal(signal);
    log_info("stopping (" + std::string(name_of_signal(signal)) + ")");
    await_signal();
  });
}

bool StartWait::stopped() {
  io_.poll();
  return stopped_;
}

void StartWait::pause(const Error& error) {
  log_.waiting(error);
  supervisor_.status("waiting: " + error.message);
  if (std::chrono::steady_clock::now() - began_ >= kReadyWhileWaiting) {
    supervisor_.ready();
    supervisor_.alive();
  }
  const auto until = std::chrono::steady_clock::now() + kTryAgainEvery;
  while (!stopped_ && std::chrono::steady_clock::now() < until) io_.run_one_until(until);
}

std::string_view name_of_signal(int signal) {
  if (signal == SIGINT) return "SIGINT";
#ifdef SIGHUP
  if (signal == SIGHUP) return "SIGHUP";
#endif
  return "SIGTERM";  // on Windows SIGBREAK too
}

int status_of_signal(int signal) {
#ifdef SIGHUP
  if (signal == SIGHUP) return 128 + SIGHUP;
#endif
  return 128 + (signal == SIGINT ? SIGINT : SIGTERM);
}

}  // namespace hostclaw::node_host
