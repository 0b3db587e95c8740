// SPDX-License-Identifier: Apache-2.0
// One request over a connection of its own: whose certificate is taken, and what a peer cannot make it wait
// for or read.
#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <future>

#include "clawlink/client/http_exchange.h"
#include "clawlink/client/name_lookup.h"
#include "clawlink/http/waiting.h"
#include "tests/support/self_signed.h"
#include "tests/unit/clawlink/relay_database.h"

namespace hostclaw::clawlink::testing {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

class Folder {
 public:
  Folder() : path_(must(approvals::make_private_temporary_directory())) {}
  ~Folder() { approvals::remove_directory_tree(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// A certificate that vouches for itself, for the name receiver.test.
void write_certificate_for_receiver(const Folder& folder) {
  const hostclaw::testing::SelfSigned made("receiver", "DNS:receiver.test");
  made.write_certificate(folder / "cert.pem");
  made.write_key(folder / "key.pem");
}

template <class Stream>
asio::awaitable<void> answer_with(Stream& stream, std::string head, std::string again) {
  std::string text;
  const auto [failed, size] =
      co_await asio::async_read_until(stream, asio::dynamic_buffer(text), "\r\n\r\n", kTuple);
  if (failed) co_return;
  const auto [unsent, written] = co_await asio::async_write(stream, asio::buffer(head), kTuple);
  for (bool gone = bool(unsent) || again.empty(); !gone;) {
    const auto [stopped, more] = co_await asio::async_write(stream, asio::buffer(again), kTuple);
    gone = bool(stopped);
  }
}

struct ExchangeScene {
  HttpAttempt exchange(const HttpPeer& peer, std::chrono::milliseconds answer = std::chrono::seconds(20)) {
    HttpAttempt out;
    bool done = false;
    const HttpPatience patience{std::chrono::seconds(20), answer, 0};
    const std::string request = "POST / HTTP/1.1\r\nHost: receiver.test\r\nContent-Length: 0\r\n\r\n";
    const auto run = [&]() -> asio::awaitable<void> {
      out = co_await exchange_http(peer, request, patience);
      done = true;
    };
    asio::co_spawn(io, run(), asio::detached);
    while (!done) REQUIRE(io.run_one_for(std::chrono::seconds(30)) > 0);
    return out;
  }
  HttpPeer peer() const {
    HttpPeer out;
    out.endpoints = {acceptor.local_endpoint()};
    out.host = "receiver.test";
    return out;
  }

  asio::io_context io{1};
  tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
};

}  // namespace

TEST_CASE("a certificate counts when somebody vouches for it and it is for that name") {
  const Folder folder;
  write_certificate_for_receiver(folder);
  ExchangeScene scene;
  asio::ssl::context served(asio::ssl::context::tls_server);
  served.use_certificate_chain_file(folder / "cert.pem");
  served.use_private_key_file(folder / "key.pem", asio::ssl::context::pem);
  const auto serve = [&]() -> asio::awaitable<void> {
    for (;;) {
      auto [refused, socket] = co_await scene.acceptor.async_accept(kTuple);
      if (refused) co_return;
      asio::ssl::stream<tcp::socket> stream(std::move(socket), served);
      const auto [failed] = co_await stream.async_handshake(asio::ssl::stream_base::server, kTuple);
      if (failed) continue;
      const std::string head = "HTTP/1.1 202 Taken\r\nContent-Length: 0\r\n\r\n";
      co_await answer_with(stream, head, "");
    }
  };
  asio::co_spawn(scene.io, serve(), asio::detached);
  const auto trusting = must(client_tls(folder / "cert.pem"));
  HttpPeer peer = scene.peer();
  peer.tls = trusting.get();
  const HttpAttempt taken = scene.exchange(peer);
  INFO(taken.failed.message());
  CHECK(taken.step == HttpStep::kDone);
  CHECK(taken.status == 202);
  peer.host = "another.test";
  CHECK(scene.exchange(peer).step == HttpStep::kTls);
  peer.host = "127.0.0.1";
  CHECK(scene.exchange(peer).step == HttpStep::kTls);
  const auto usual = must(client_tls(""));
  peer = scene.peer();
  peer.tls = usual.get();
  CHECK(scene.exchange(peer).step == HttpStep::kTls);
  CHECK(code_of(client_tls(folder / "missing.pem")) == "TLS_FAILED");
}

TEST_CASE("of an answer without an end the head is read and no more") {
  ExchangeScene scene;
  const auto serve = [&]() -> asio::awaitable<void> {
    auto [refused, socket] = co_await scene.acceptor.async_accept(kTuple);
    const std::string head = "HTTP/1.1 200 OK\r\nRetry-After: 7\r\nContent-Length: 99999999999\r\n\r\n";
    const std::string body(65536, 'x');
    co_await answer_with(socket, head, body);
  };
  asio::co_spawn(scene.io, serve(), asio::detached);
  const HttpAttempt attempt = scene.exchange(scene.peer());
  CHECK(attempt.step == HttpStep::kDone);
  CHECK(attempt.status == 200);
  CHECK(attempt.retry_after == std::chrono::seconds(7));
  CHECK(attempt.body.empty());
}

TEST_CASE("a head that never ends has a bound, and one that never comes a deadline") {
  ExchangeScene scene;
  std::string again = "X: y\r\n";
  const auto serve = [&]() -> asio::awaitable<void> {
    for (;;) {
      auto [refused, socket] = co_await scene.acceptor.async_accept(kTuple);
      if (refused) co_return;
      const std::string head = "HTTP/1.1 200 OK\r\n";
      co_await answer_with(socket, head, again);
      // Held open: the other one has to end it.
      if (again.empty()) {
        std::string rest;
        co_await asio::async_read_until(socket, asio::dynamic_buffer(rest), "\n", kTuple);
      }
    }
  };
  asio::co_spawn(scene.io, serve(), asio::detached);
  CHECK(scene.exchange(scene.peer()).step == HttpStep::kTalk);
  again.clear();
  const HttpAttempt late = scene.exchange(scene.peer(), std::chrono::milliseconds(50));
  CHECK(late.step == HttpStep::kTalk);
  CHECK(late.status == 0);
}

TEST_CASE("a lookup that does not end is left to itself, and so many go on at most") {
  asio::io_context io{1};
  std::promise<void> go;
  const std::shared_future<void> gate = go.get_future().share();
  std::atomic<int> looking{0};
  const NameLookup slow = [gate, &looking](const std::string&, boost::system::error_code&) {
    ++looking;
    gate.wait();
    --looking;
    return Addresses{asio::ip::make_address("192.0.2.1")};
  };
  std::vector<std::string> ends;
  const auto ask = [&]() -> asio::awaitable<void> {
    const LookupWish wish{"slow.test", std::chrono::steady_clock::now() + std::chrono::milliseconds(50)};
    const Result<Addresses> found = co_await look_up(slow, wish);
    ends.push_back(found ? "found" : found.error().message);
  };
  for (int i = 0; i < 20; ++i) asio::co_spawn(io, ask(), asio::detached);
  io.run();
  CHECK(std::count(ends.begin(), ends.end(),
                   "the name slow.test has no address: nobody has answered in time") == 16);
  CHECK(std::count(ends.begin(), ends.end(),
                   "the name slow.test has no address: too many names are being looked up") == 4);
  go.set_value();
  // Their threads end by themselves; then others may look.
  while (looking > 0 || ends.back() != "found") {
    io.restart();
    asio::co_spawn(io, ask(), asio::detached);
    io.run();
  }
}

}  // namespace hostclaw::clawlink::testing
