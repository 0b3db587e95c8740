// SPDX-License-Identifier: Apache-2.0
#include "node-host/loop/store_thread.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "test_support.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;

struct Running {
  Running() {
    auto opened = approvals::Store::open(directory / "state", approvals::OpenMode::kReadWrite);
    REQUIRE(opened.has_value());
    store = std::make_unique<StoreThread>(io.get_executor(), std::move(*opened));
  }
  // Until nothing is left to wait for.
  template <class Body>
  void run(Body body) {
    std::exception_ptr failure;
    asio::co_spawn(io, std::move(body), [&](std::exception_ptr failed) { failure = failed; });
    io.run();
    if (failure) std::rethrow_exception(failure);
  }

  TemporaryDirectory directory;
  asio::io_context io{1};
  std::unique_ptr<StoreThread> store;
};

TEST_CASE("work on the store's thread is done in order, on one other thread, and answered on this one") {
  Running running;
  std::vector<int> order;
  std::thread::id elsewhere;
  bool same_thread = false;
  const auto here = std::this_thread::get_id();
  running.run([&]() -> asio::awaitable<void> {
    auto first = running.store->start([&](approvals::Store&) {
      order.push_back(1);
      elsewhere = std::this_thread::get_id();
      return 1;
    });
    auto second = running.store->start([&](approvals::Store&) {
      order.push_back(2);
      same_thread = std::this_thread::get_id() == elsewhere;
      return std::make_unique<int>(2);
    });
    const auto later = co_await second.answer();
    const int earlier = co_await first.answer();  // it came before anyone waited for it
    CHECK(*later == 2);
    CHECK(earlier == 1);
    CHECK(std::this_thread::get_id() == here);
  });
  CHECK(order == std::vector{1, 2});
  CHECK(elsewhere != here);
  CHECK(same_thread);
}

TEST_CASE("the loop does not end while an answer is to come, and ends when all have come") {
  Running running;
  int answered = 0;
  for (int i = 0; i < 50; ++i) {
    asio::co_spawn(
        running.io,
        [&]() -> asio::awaitable<void> {
          co_await running.store->on_store([](approvals::Store&) {
            std::this_thread::yield();
            return true;
          });
          // Again, from inside an answer.
          co_await running.store->on_store([](approvals::Store&) { return true; });
          ++answered;
        },
        asio::detached);
  }
  running.io.run();
  CHECK(answered == 50);
}

TEST_CASE("what was started is done even when nobody waits for the answer") {
  Running running;
  bool done = false;
  running.run([&]() -> asio::awaitable<void> {
    (void)running.store->start([&](approvals::Store&) {
      done = true;
      return true;
    });
    co_return;
  });
  CHECK(done);
}

TEST_CASE("an answer that comes when the loop has gone is dropped") {
  auto running = std::make_unique<Running>();
  asio::co_spawn(
      running->io,
      [&]() -> asio::awaitable<void> {
        co_await running->store->on_store([](approvals::Store&) { return true; });
        FAIL("the loop was stopped before");
      },
      asio::detached);
  running->io.poll_one();  // the work is started
  running->io.stop();
  running.reset();  // joins the thread, then takes the waiting coroutine down
  SUCCEED();
}

}  // namespace
}  // namespace hostclaw::node_host
