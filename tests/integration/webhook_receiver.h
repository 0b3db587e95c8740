// SPDX-License-Identifier: Apache-2.0
// Whoever gets push notifications: a plain HTTP server on loopback on a thread of its own, that answers what
// it is told to and keeps what it has got. Thread rule: any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"

namespace hostclaw::integration {

struct WebhookRequest {
  std::string head;
  std::string body;
  std::chrono::steady_clock::time_point at;
  std::string target() const;
  std::string header(const std::string& name) const;  // empty: none
  Json json() const;
};

class WebhookReceiver {
 public:
  WebhookReceiver();
  ~WebhookReceiver();
  WebhookReceiver(const WebhookReceiver&) = delete;
  WebhookReceiver& operator=(const WebhookReceiver&) = delete;

  std::string origin() const;
  std::string port() const { return std::to_string(port_); }
  // Heads of the next answers ("503 Later", "302 Found\r\nLocation: /"), a body behind an empty line; behind
  // them it is 204.
  void answer_with(std::vector<std::string> heads);
  // What comes is read and not answered, until let_go().
  void hold();
  void let_go();
  // The next request that has arrived; nullopt: none came in time.
  std::optional<WebhookRequest> next(std::chrono::seconds patience = std::chrono::seconds(30));
  std::size_t connections() const;

 private:
  void serve();
  void serve_one(int socket);

  int listener_ = -1;
  int wake_[2] = {-1, -1};
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<WebhookRequest> arrived_;
  std::deque<std::string> answers_;
  std::size_t connections_ = 0;
  bool holds_ = false;
  std::vector<int> held_;
  std::thread thread_;
};

}  // namespace hostclaw::integration
