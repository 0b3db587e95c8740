// SPDX-License-Identifier: Apache-2.0
// Every read and every close of a connection ends, in whatever order the peer's close frame arrives. The peer
// is a socket that says exactly these bytes and then nothing more.
#include <openssl/evp.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <string>

#include "node-host/doors/gateway/websocket.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::string_view kMessage{"\x81\x02hi", 4};
constexpr std::string_view kCloseFrame{"\x88\x02\x03\xe8", 4};
constexpr std::string_view kPing{"\x89\x01p", 3};

std::string accept_key(const std::string& request) {
  constexpr std::string_view kName = "Sec-WebSocket-Key: ";
  const auto begin = request.find(kName) + kName.size();
  const std::string text =
      request.substr(begin, request.find("\r\n", begin) - begin) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha1(), nullptr);
  std::array<unsigned char, 64> encoded{};
  EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(length));
  return reinterpret_cast<const char*>(encoded.data());
}

asio::awaitable<void> accept_and_say(tcp::acceptor& acceptor, tcp::socket& socket, std::string first) {
  co_await acceptor.async_accept(socket, asio::use_awaitable);
  std::string request;
  co_await asio::async_read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", asio::use_awaitable);
  const std::string answer =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: " +
      accept_key(request) + "\r\n\r\n" + first;
  co_await asio::async_write(socket, asio::buffer(answer), asio::use_awaitable);
}

struct Ends {
  int reads = 0;
  bool read_ended = false;
  bool close_ended = false;
};

asio::awaitable<void> close_after(WebSocket& socket, int hops, Ends& ends) {
  for (int hop = 0; hop < hops; ++hop) co_await asio::post(asio::use_awaitable);
  co_await socket.close(1000, "done");
  ends.close_ended = true;
}

// Reads to the end; the close starts when the first message is there, `hops` turns of the loop later.
asio::awaitable<void> read_and_close(std::uint16_t port, int hops, Ends& ends) {
  gateway_proto::GatewayEndpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.port = port;
  endpoint.tls = false;
  WebSocketOptions options;
  auto connected = co_await WebSocket::connect(endpoint, options);
  REQUIRE(connected.has_value());
  WebSocket& socket = **connected;
  const auto executor = co_await asio::this_coro::executor;
  for (;;) {
    const auto text = co_await socket.read();
    if (!text) break;
    if (++ends.reads == 1) {
      asio::co_spawn(
          executor, [&socket, hops, &ends]() { return close_after(socket, hops, ends); }, asio::detached);
    }
  }
  ends.read_ended = true;
  // The object must outlive its close.
  while (!ends.close_ended) co_await asio::post(asio::use_awaitable);
}

Ends play(const std::string& said, int hops) {
  asio::io_context loop;
  tcp::acceptor acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  tcp::socket peer(loop);
  Ends ends;
  asio::co_spawn(
      loop, [&]() { return accept_and_say(acceptor, peer, said); }, asio::detached);
  const std::uint16_t port = acceptor.local_endpoint().port();
  asio::co_spawn(
      loop, [&]() { return read_and_close(port, hops, ends); }, asio::detached);
  // Longer than the 250 ms after which a close gives up; a call that never ends is seen as one.
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!ends.close_ended || !ends.read_ended) {
    if (loop.run_one_until(limit) == 0) break;
  }
  return ends;
}

}  // namespace

TEST_CASE("a close and a pending read both end when the peer's close frame comes right behind a message") {
  const std::string message(kMessage);
  const std::array<std::string, 6> all = {message,
                                          message + std::string(kCloseFrame),
                                          message + message + std::string(kCloseFrame),
                                          message + std::string(kPing) + std::string(kCloseFrame),
                                          message + message + std::string(kPing),
                                          message + std::string(kMessage.substr(0, 3))};
  const std::string& said = all[static_cast<std::size_t>(GENERATE(range(0, 6)))];
  const int hops = GENERATE(range(0, 6));
  CAPTURE(said.size(), hops);
  const Ends ends = play(said, hops);
  CHECK(ends.reads >= 1);
  CHECK(ends.close_ended);
  CHECK(ends.read_ended);
}

}  // namespace hostclaw::node_host
