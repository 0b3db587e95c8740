// SPDX-License-Identifier: Apache-2.0
// Just enough HTTP for a bench: connections of loopback that are kept, answers with a Content-Length.
// What fails is thrown as bench::Trouble. Thread rule: each object belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/figures.h"

namespace hostclaw::bench {

std::string get_request(std::string_view target);
std::string post_request(std::string_view target, std::string_view body);  // of JSON

// A port that nobody listens on at the moment.
std::uint16_t free_port();

class HttpLine {
 public:
  // Requires: somebody listens there.
  explicit HttpLine(std::uint16_t port);
  HttpLine(HttpLine&& other) noexcept;
  HttpLine& operator=(HttpLine&&) = delete;
  ~HttpLine();

  void send(std::string_view request);
  // The body of the next answer, which must be a 200; waits up to 70 s.
  std::string receive();
  std::string ask(std::string_view request) {
    send(request);
    return receive();
  }

  int socket() const { return socket_; }
  bool has_input() const;  // that receive() has not seen
  // Takes what has come, without waiting; true: a whole answer, its body in `body`.
  bool take(std::string& body);

 private:
  bool fill(bool waits);
  bool cut(std::string& body);
  int socket_ = -1;
  std::string buffer_;
};

// Many connections that each ask anew as soon as they are answered.
class Swarm {
 public:
  Swarm(std::uint16_t port, std::size_t connections);

  using Next = std::function<std::string(std::size_t connection)>;
  using Answered = std::function<void(std::size_t connection, const std::string& body)>;
  // Until so many requests are answered; the time for all of them.
  Clock::duration ask(std::size_t requests, const Next& next, const Answered& answered = {});

 private:
  std::vector<HttpLine> lines_;
};

}  // namespace hostclaw::bench
