// SPDX-License-Identifier: Apache-2.0
// An attempt to connect ends in time and at once when it is given up, in whatever state it waits.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <catch2/catch.hpp>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "node-host/doors/gateway/websocket.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// Where an attempt hangs. The peers listen and never say anything; of the one for TCP the queue is full.
struct Silence {
  explicit Silence(const std::string& state) : acceptor(io) {
    acceptor.open(tcp::v4());
    acceptor.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    acceptor.listen(state == "tcp" ? 0 : 8);
    endpoint.host = state == "name" ? "gateway.example" : "127.0.0.1";
    endpoint.port = acceptor.local_endpoint().port();
    endpoint.tls = state == "tls";
    if (state == "tcp") fill();
    options.stop = std::make_shared<ConnectStop>();
    if (state == "name") {
      options.lookup = [answered = answer.get_future().share()](const std::string&, std::uint16_t port,
                                                                boost::system::error_code&) {
        answered.wait();
        return std::vector<tcp::endpoint>{{asio::ip::address_v4::loopback(), port}};
      };
    }
  }
  ~Silence() {
    if (options.lookup) answer.set_value();
  }

  void fill() {
    for (int i = 0; i < 4; ++i) {
      waiting.emplace_back(io);
      waiting.back().async_connect(acceptor.local_endpoint(), [](boost::system::error_code) {});
    }
    io.run_for(milliseconds(50));
    io.restart();
  }

  // Its error, and how long it took.
  std::pair<std::string, milliseconds> attempt(std::optional<milliseconds> stop_after) {
    std::string code = "never ended";
    const auto began = Clock::now();
    asio::co_spawn(
        io,
        [this, &code]() -> asio::awaitable<void> {
          const auto connected = co_await WebSocket::connect(endpoint, options);
          code = connected ? "connected" : connected.error().code;
          io.stop();
        },
        [](std::exception_ptr) {});
    asio::steady_timer timer(io);
    if (stop_after) {
      timer.expires_after(*stop_after);
      timer.async_wait([this](boost::system::error_code) { options.stop->stop(); });
    }
    io.run_for(std::chrono::seconds(10));
    return {code, std::chrono::duration_cast<milliseconds>(Clock::now() - began)};
  }

  asio::io_context io{1};
  tcp::acceptor acceptor;
  std::vector<tcp::socket> waiting;
  std::promise<void> answer;
  gateway_proto::GatewayEndpoint endpoint;
  WebSocketOptions options;
};

TEST_CASE("an attempt that is given up ends at once, whatever it waits for") {
  const std::string state = GENERATE("name", "tcp", "tls", "upgrade");
  INFO(state);
  Silence silence(state);
  const auto [code, took] = silence.attempt(milliseconds(50));
  CHECK(code == "CONNECT_STOPPED");
  CHECK(took < milliseconds(900));
}

TEST_CASE("an attempt ends after its time, whatever it waits for") {
  const std::string state = GENERATE("name", "tcp", "tls", "upgrade");
  INFO(state);
  Silence silence(state);
  silence.options.connect_timeout = milliseconds(200);
  const auto [code, took] = silence.attempt(std::nullopt);
  CHECK(code == "CONNECT_TIMEOUT");
  CHECK(took >= milliseconds(190));
  CHECK(took < milliseconds(1'500));
}

TEST_CASE("one deadline covers the name and what comes after it") {
  Silence silence("upgrade");
  silence.endpoint.host = "gateway.example";
  silence.options.connect_timeout = milliseconds(1'000);
  silence.options.lookup = [](const std::string&, std::uint16_t port, boost::system::error_code&) {
    std::this_thread::sleep_for(milliseconds(800));
    return std::vector<tcp::endpoint>{{asio::ip::address_v4::loopback(), port}};
  };
  const auto [code, took] = silence.attempt(std::nullopt);
  CHECK(code == "CONNECT_TIMEOUT");
  CHECK(took >= milliseconds(990));
  CHECK(took < milliseconds(1'700));
}

TEST_CASE("an attempt with what was given up before does not begin") {
  Silence silence("upgrade");
  silence.options.stop->stop();
  CHECK(silence.attempt(std::nullopt).first == "CONNECT_STOPPED");
}

TEST_CASE("a name that is known late is still connected to") {
  Silence silence("upgrade");
  silence.endpoint.host = "gateway.example";
  int lookups = 0;
  silence.options.lookup = [&lookups](const std::string& host, std::uint16_t port,
                                      boost::system::error_code&) {
    ++lookups;
    CHECK(host == "gateway.example");
    return std::vector<tcp::endpoint>{{asio::ip::address_v4::loopback(), port}};
  };
  tcp::socket peer(silence.io);
  bool came = false;
  silence.acceptor.async_accept(peer, [&](boost::system::error_code failed) {
    came = !failed;
    peer.close();
  });
  CHECK(silence.attempt(std::nullopt).first == "CONNECT_FAILED");
  CHECK(came);
  CHECK(lookups == 1);
}

TEST_CASE("a name that nobody knows is told as such") {
  Silence silence("upgrade");
  silence.endpoint.host = "no-such-host.invalid";
  silence.options.lookup = [](const std::string&, std::uint16_t, boost::system::error_code& failed) {
    failed = asio::error::host_not_found;
    return std::vector<tcp::endpoint>();
  };
  CHECK(silence.attempt(std::nullopt).first == "CONNECT_FAILED");
}

}  // namespace
}  // namespace hostclaw::node_host
