// SPDX-License-Identifier: Apache-2.0
// Those who wait for answers share one look at the store.
#include "node-host/questions/answer_watch.h"

#include <stdlib.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>

#include "approvals/database/sqlite.h"
#include "approvals/questions/questions.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using SteadyClock = std::chrono::steady_clock;

std::unique_ptr<approvals::Store> open_here(const std::string& directory) {
  auto opened = approvals::Store::open(directory, approvals::OpenMode::kReadWrite);
  if (!opened) FAIL(opened.error().message);
  return std::move(*opened);
}

struct Watched {
  Watched() {
    char pattern[] = "/tmp/hostclaw-watch.XXXXXX";
    directory = ::mkdtemp(pattern);
    person = open_here(directory);
    node = std::make_unique<StoreThread>(io.get_executor(), open_here(directory));
    watch = std::make_unique<AnswerWatch>(*node);
  }
  ~Watched() {
    node.reset();
    person.reset();
    std::filesystem::remove_all(directory);
  }

  std::string ask(const std::string& key) {
    approvals::NewQuestion question;
    question.key = key;
    question.agent_id = "main";
    question.commands = {{"/usr/bin/git", {"git"}}};
    question.details = Json::object();
    question.deadline_ms = question.caller_deadline_ms = 1'000'000;
    const auto asked = approvals::Questions(*person).ask(question, 1000);
    if (!asked) FAIL(asked.error().message);
    return asked->question.id;
  }
  void answer(const std::string& id) {
    const approvals::Answer once{approvals::Answer::Decision::kAllowOnce,
                                 approvals::GrantScope::kExact,
                                 {},
                                 0,
                                 false,
                                 {"cli", "alice"}};
    REQUIRE(approvals::Questions(*person).answer(id, once, 2000).has_value());
  }

  // As the corridor waits.
  asio::awaitable<void> wait(std::string id) {
    asio::steady_timer pause(io);
    const std::uint64_t joined = watch->join();
    while (!co_await watch->settled(id, joined)) {
      pause.expires_after(AnswerWatch::kEvery);
      (void)co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    ++settled;
    if (on_settled) on_settled();
  }
  void start_waiting(const std::string& id) {
    asio::co_spawn(
        io, [this, &id]() { return wait(id); }, asio::detached);
  }

  std::string directory;
  std::unique_ptr<approvals::Store> person;
  asio::io_context io{1};
  std::unique_ptr<StoreThread> node;
  std::unique_ptr<AnswerWatch> watch;
  int settled = 0;
  std::function<void()> on_settled;
};

}  // namespace

TEST_CASE("a hundred who wait look at the store as often as one, and each gets its own answer") {
  Watched f;
  std::vector<std::string> ids;
  for (int i = 0; i < 100; ++i) ids.push_back(f.ask(std::to_string(i)));
  for (const std::string& id : ids) f.start_waiting(id);
  const auto begin = SteadyClock::now();
  // One answer, after the watch has looked a few times.
  asio::co_spawn(
      f.io,
      [&]() -> asio::awaitable<void> {
        asio::steady_timer pause(f.io);
        while (f.watch->looks() < 4) {
          pause.expires_after(std::chrono::milliseconds(20));
          (void)co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
        }
        f.answer(ids[7]);
      },
      asio::detached);
  f.on_settled = [&] { f.io.stop(); };
  f.io.run();
  CHECK(f.settled == 1);
  const auto most = static_cast<std::uint64_t>((SteadyClock::now() - begin) / AnswerWatch::kEvery) + 1;
  CHECK(f.watch->looks() <= most);
  CHECK(f.watch->looks() >= 4);

  for (const std::string& id : ids) {
    if (id != ids[7]) f.answer(id);
  }
  f.on_settled = nullptr;
  f.io.restart();
  f.io.run();
  CHECK(f.settled == 100);
}

TEST_CASE("a question that was stored after the last look is not taken for a closed one") {
  Watched f;
  const std::string first = f.ask("first");
  f.start_waiting(first);
  asio::steady_timer later(f.io, AnswerWatch::kEvery * 2);
  std::string second;
  later.async_wait([&](boost::system::error_code) {
    // By the node itself, whose own writes the counter of changes does not show.
    asio::co_spawn(
        f.io,
        [&]() -> asio::awaitable<void> {
          second = co_await f.node->on_store([](approvals::Store& store) {
            approvals::NewQuestion question;
            question.key = "second";
            question.agent_id = "main";
            question.details = Json::object();
            question.deadline_ms = question.caller_deadline_ms = 1'000'000;
            return approvals::Questions(store).ask(question, 1000)->question.id;
          });
          const std::uint64_t joined = f.watch->join();
          asio::steady_timer pause(f.io);
          for (int i = 0; i < 3; ++i) {
            CHECK_FALSE(co_await f.watch->settled(second, joined));
            pause.expires_after(AnswerWatch::kEvery);
            (void)co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
          }
          f.answer(second);
          co_await f.wait(second);
          f.answer(first);
        },
        asio::detached);
  });
  f.io.run();
  CHECK(f.settled == 2);
}

TEST_CASE("a store that cannot be read lets nobody wait in vain") {
  Watched f;
  const std::string id = f.ask("key");
  REQUIRE(f.person->database().execute("DROP TABLE questions").has_value());
  f.start_waiting(id);
  f.io.run();
  CHECK(f.settled == 1);
}

}  // namespace hostclaw::node_host
