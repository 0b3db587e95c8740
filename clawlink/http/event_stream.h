// SPDX-License-Identifier: Apache-2.0
// The answer that is a stream of server-sent events. In chunks, so that a stream that was cut can be told
// from one that was ended; a client of HTTP/1.0 gets it as it is. Thread rule: the thread of the network.
#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "clawlink/http/connection.h"

namespace hostclaw::clawlink {

class EventStream {
 public:
  // `patience` is how long one write may take.
  EventStream(Connection& connection, bool in_chunks, std::chrono::seconds patience)
      : connection_(connection), in_chunks_(in_chunks), patience_(patience) {}

  // Each answers false when the client has gone. Requires: `events` is not empty.
  boost::asio::awaitable<bool> begin(std::string_view events) {
    std::string bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n";
    if (in_chunks_) bytes += "Transfer-Encoding: chunked\r\n";
    bytes += "Connection: close\r\n\r\n" + framed(events);
    co_return co_await write_bytes(bytes);
  }
  boost::asio::awaitable<bool> write(std::string_view events) {
    const std::string bytes = framed(events);
    co_return co_await write_bytes(bytes);
  }
  // Nothing follows: without it the client knows that something is missing.
  boost::asio::awaitable<void> end() {
    const std::string bytes = in_chunks_ ? "0\r\n\r\n" : "";
    if (!bytes.empty()) co_await write_bytes(bytes);
  }

 private:
  std::string framed(std::string_view events) const {
    if (!in_chunks_) return std::string(events);
    std::array<char, 24> size{};
    std::snprintf(size.data(), size.size(), "%zx\r\n", events.size());
    return size.data() + std::string(events) + "\r\n";
  }
  boost::asio::awaitable<bool> write_bytes(const std::string& bytes) {
    connection_.stream.tcp().expires_after(patience_);
    const bool written = co_await write_all(connection_.stream, bytes);
    connection_.stream.tcp().expires_never();
    co_return written;
  }

  Connection& connection_;
  const bool in_chunks_;
  const std::chrono::seconds patience_;
};

}  // namespace hostclaw::clawlink
