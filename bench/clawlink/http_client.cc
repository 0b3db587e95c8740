// SPDX-License-Identifier: Apache-2.0
#include "bench/clawlink/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "bench/programs.h"

namespace hostclaw::bench {
namespace {

constexpr timeval kPatience{70, 0};

sockaddr_in on_loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

std::string get_request(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
}

std::string post_request(std::string_view target, std::string_view body) {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nA2A-Version: 1.0\r\n"
         "Content-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = on_loopback(0);
  socklen_t size = sizeof address;
  const bool found = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                     ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(socket);
  must(found, "no port is free");
  return ntohs(address.sin_port);
}

HttpLine::HttpLine(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  must(socket_ >= 0, "no socket");
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  const sockaddr_in address = on_loopback(port);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
  const int error = errno;
  ::close(socket_);
  errno = error;
  must(false, "cannot connect to port " + std::to_string(port));
}
HttpLine::HttpLine(HttpLine&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), buffer_(std::move(other.buffer_)) {}
HttpLine::~HttpLine() {
  if (socket_ >= 0) ::close(socket_);
}

void HttpLine::send(std::string_view request) {
  while (!request.empty()) {
    const ssize_t count = ::send(socket_, request.data(), request.size(), MSG_NOSIGNAL);
    must(count > 0, "the connection is broken");
    request.remove_prefix(static_cast<std::size_t>(count));
  }
}

// False: nothing came, without waiting.
bool HttpLine::fill(bool waits) {
  char bytes[16'384];
  const ssize_t count = ::recv(socket_, bytes, sizeof bytes, waits ? 0 : MSG_DONTWAIT);
  if (count < 0 && !waits && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  must(count >= 0, "no answer came");
  if (count == 0) throw Trouble("the connection was closed");
  buffer_.append(bytes, static_cast<std::size_t>(count));
  return true;
}

bool HttpLine::cut(std::string& body) {
  const std::size_t head = buffer_.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const std::size_t at = buffer_.find(kLength);
  if (at > head) throw Trouble("an answer without its length: " + buffer_.substr(0, head));
  const auto length = std::strtoul(buffer_.c_str() + at + kLength.size(), nullptr, 10);
  const std::size_t begin = head + 4;
  if (buffer_.size() < begin + length) return false;
  body = buffer_.substr(begin, length);
  if (!buffer_.starts_with("HTTP/1.1 200")) throw Trouble("refused: " + buffer_.substr(0, 12) + " " + body);
  buffer_.erase(0, begin + length);
  return true;
}

std::string HttpLine::receive() {
  std::string body;
  while (!cut(body)) (void)fill(true);
  return body;
}

bool HttpLine::take(std::string& body) {
  if (!fill(false)) return false;
  return cut(body);
}

bool HttpLine::has_input() const {
  pollfd one{socket_, POLLIN, 0};
  return ::poll(&one, 1, 0) > 0;
}

Swarm::Swarm(std::uint16_t port, std::size_t connections) {
  lines_.reserve(connections);
  for (std::size_t i = 0; i < connections; ++i) lines_.emplace_back(port);
}

Clock::duration Swarm::ask(std::size_t requests, const Next& next, const Answered& answered) {
  const auto begin = Clock::now();
  std::size_t sent = 0;
  std::vector<pollfd> all;
  all.reserve(lines_.size());
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    all.push_back({lines_[i].socket(), POLLIN, 0});
    if (sent < requests) lines_[i].send(next(i)), ++sent;
  }
  std::string body;
  for (std::size_t done = 0; done < requests;) {
    const int ready = ::poll(all.data(), all.size(), 1000 * static_cast<int>(kPatience.tv_sec));
    if (stopped != 0) throw Trouble("stopped");
    must(ready >= 0 || errno == EINTR, "cannot wait");
    if (ready == 0) throw Trouble("no answer came in time");
    for (std::size_t i = 0; i < all.size() && ready > 0; ++i) {
      if (all[i].revents == 0 || !lines_[i].take(body)) continue;
      ++done;
      if (answered) answered(i, body);
      if (sent < requests) lines_[i].send(next(i)), ++sent;
    }
  }
  return Clock::now() - begin;
}

}  // namespace hostclaw::bench
