// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/webhook_receiver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "base/text.h"

namespace hostclaw::integration {
namespace {

std::string header_in(const std::string& head, const std::string& name) {
  for (const std::string& line : split(head, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos && to_lower_ascii(line.substr(0, colon)) == to_lower_ascii(name))
      return std::string(trim(line.substr(colon + 1)));
  }
  return {};
}

void answer_and_close(int socket, const std::string& head) {
  const std::size_t end = head.find("\r\n\r\n");
  const std::string body = end == std::string::npos ? "" : head.substr(end + 4);
  const std::string text = "HTTP/1.1 " + head.substr(0, end) +
                           "\r\nContent-Length: " + std::to_string(body.size()) +
                           "\r\nConnection: close\r\n\r\n" + body;
  ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
  ::close(socket);
}

}  // namespace

std::string WebhookRequest::target() const {
  const std::vector<std::string> words = split(head.substr(0, head.find('\r')), ' ');
  return words.size() == 3 ? words[1] : std::string();
}

std::string WebhookRequest::header(const std::string& name) const { return header_in(head, name); }

Json WebhookRequest::json() const {
  const Json parsed = Json::parse(body, nullptr, false);
  INFO(head << body);
  REQUIRE_FALSE(parsed.is_discarded());
  return parsed;
}

WebhookReceiver::WebhookReceiver() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener_, 64) == 0);
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  REQUIRE(::pipe2(wake_, O_CLOEXEC) == 0);
  thread_ = std::thread([this] { serve(); });
}

WebhookReceiver::~WebhookReceiver() {
  ::close(wake_[1]);
  thread_.join();
  for (const int socket : held_) ::close(socket);
  ::close(wake_[0]);
  ::close(listener_);
}

std::string WebhookReceiver::origin() const { return "http://127.0.0.1:" + port(); }

void WebhookReceiver::answer_with(std::vector<std::string> heads) {
  const std::lock_guard hold(mutex_);
  answers_.insert(answers_.end(), heads.begin(), heads.end());
}

void WebhookReceiver::hold() {
  const std::lock_guard hold(mutex_);
  holds_ = true;
}

void WebhookReceiver::let_go() {
  std::vector<int> held;
  {
    const std::lock_guard hold(mutex_);
    holds_ = false;
    held.swap(held_);
  }
  for (const int socket : held) answer_and_close(socket, "204 Taken");
}

std::optional<WebhookRequest> WebhookReceiver::next(std::chrono::seconds patience) {
  std::unique_lock hold(mutex_);
  if (!changed_.wait_for(hold, patience, [this] { return !arrived_.empty(); })) return std::nullopt;
  WebhookRequest first = std::move(arrived_.front());
  arrived_.pop_front();
  return first;
}

std::size_t WebhookReceiver::connections() const {
  const std::lock_guard hold(mutex_);
  return connections_;
}

void WebhookReceiver::serve() {
  for (;;) {
    pollfd ends[2] = {{listener_, POLLIN, 0}, {wake_[0], POLLIN, 0}};
    if (::poll(ends, 2, -1) < 0 || ends[1].revents != 0) return;
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    const timeval patience{20, 0};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    {
      const std::lock_guard hold(mutex_);
      ++connections_;
    }
    serve_one(socket);
  }
}

void WebhookReceiver::serve_one(int socket) {
  std::string text;
  std::size_t end = std::string::npos;
  for (;;) {
    char part[16384];
    const ssize_t count = ::recv(socket, part, sizeof part, 0);
    if (count <= 0) {
      ::close(socket);
      return;
    }
    text.append(part, static_cast<std::size_t>(count));
    if (end == std::string::npos) end = text.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    const auto length =
        static_cast<std::size_t>(std::atol(header_in(text.substr(0, end), "Content-Length").c_str()));
    if (text.size() >= end + 4 + length) break;
  }
  std::string answer = "204 Taken";
  bool held = false;
  {
    const std::lock_guard hold(mutex_);
    arrived_.push_back({text.substr(0, end + 4), text.substr(end + 4), std::chrono::steady_clock::now()});
    held = holds_;
    if (held) held_.push_back(socket);
    if (!held && !answers_.empty()) {
      answer = answers_.front();
      answers_.pop_front();
    }
  }
  changed_.notify_all();
  if (!held) answer_and_close(socket, answer);
}

}  // namespace hostclaw::integration
