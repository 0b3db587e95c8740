// SPDX-License-Identifier: Apache-2.0
// Turns, bounds and places of the one queue before the corridor.
#include "node-host/corridor/admission.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <optional>
#include <vector>

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using Entry = Admission::Entry;

// Requests of several principals, each with its place.
struct Queue {
  struct Request {
    Request(Admission& queue, const std::string& name) : who(name), place(queue, name) {}
    std::string who;
    Admission::Place place;
    RunCancellation cancellation;
    std::optional<Entry> entry;
  };

  explicit Queue(Admission::Limits limits) : admission(io.get_executor(), limits) {}

  Request& come(const std::string& who) {
    requests.push_back(std::make_unique<Request>(admission, who));
    enter(*requests.back());
    return *requests.back();
  }
  void enter(Request& request) {
    request.entry.reset();
    asio::co_spawn(
        io,
        [this, &request]() -> asio::awaitable<void> {
          request.entry = co_await request.place.enter(request.cancellation);
          if (*request.entry == Entry::kAdmitted) order += request.who;
        },
        asio::detached);
    settle();
  }
  void leave(Request& request) {
    request.place.leave();
    settle();
  }
  // Everything that can happen has happened.
  void settle() {
    io.restart();
    io.poll();
  }
  // The first that holds a place ends, and so on, until nobody has one.
  void serve_all() {
    for (bool any = true; any;) {
      any = false;
      for (const auto& request : requests) {
        if (!request->place.held()) continue;
        leave(*request);
        any = true;
        break;
      }
    }
  }

  asio::io_context io{1};
  Admission admission;
  std::vector<std::unique_ptr<Request>> requests;
  std::string order;  // of those that were let in
};

Admission::Limits limits(std::size_t running, std::size_t waiting, std::size_t own = 0) {
  Admission::Limits out;
  out.max_running = running;
  out.max_waiting = waiting;
  out.own_places = own;
  return out;
}

TEST_CASE("admission: who comes while there is room has a place at once, the others wait in order") {
  Queue queue(limits(2, 10));
  auto& first = queue.come("a");
  auto& second = queue.come("a");
  auto& third = queue.come("a");
  auto& fourth = queue.come("a");
  CHECK(first.entry == Entry::kAdmitted);
  CHECK(second.entry == Entry::kAdmitted);
  CHECK_FALSE(third.entry.has_value());
  CHECK(queue.admission.running() == 2);
  CHECK(queue.admission.waiting() == 2);
  queue.leave(second);
  CHECK(third.entry == Entry::kAdmitted);
  CHECK_FALSE(fourth.entry.has_value());
  queue.leave(first);
  CHECK(fourth.entry == Entry::kAdmitted);
}

TEST_CASE("admission: principals take turns, however many one of them has waiting") {
  Queue queue(limits(1, 100));
  queue.come("a");
  for (int i = 0; i < 6; ++i) queue.come("a");
  for (int i = 0; i < 2; ++i) queue.come("b");
  queue.come("c");
  queue.serve_all();
  CHECK(queue.order == "aabcabaaaa");
  CHECK(queue.admission.running() == 0);
  CHECK(queue.admission.waiting() == 0);
}

TEST_CASE("admission: long commands of one principal do not keep another one out") {
  Queue queue(limits(2, 10, 1));
  queue.come("busy");
  queue.come("busy");
  auto& more = queue.come("busy");
  CHECK_FALSE(more.entry.has_value());
  auto& other = queue.come("gateway");
  CHECK(other.entry == Entry::kAdmitted);
  CHECK(queue.admission.running() == 3);
  // One place of its own, not more; and there are as many as there are.
  auto& again = queue.come("gateway");
  CHECK_FALSE(again.entry.has_value());
  auto& third = queue.come("third");
  CHECK_FALSE(third.entry.has_value());
  queue.leave(other);
  CHECK(third.entry.has_value() != again.entry.has_value());
}

TEST_CASE("admission: a principal alone has all the places and none beyond") {
  Queue queue(limits(3, 10, 8));
  for (int i = 0; i < 5; ++i) queue.come("gateway");
  CHECK(queue.admission.running() == 3);
  CHECK(queue.admission.waiting() == 2);
}

TEST_CASE("admission: the queue is bounded, and who has the most in it yields") {
  Queue queue(limits(1, 4));
  queue.come("a");
  std::vector<Queue::Request*> flood;
  for (int i = 0; i < 4; ++i) flood.push_back(&queue.come("a"));
  CHECK(queue.admission.waiting() == 4);
  CHECK(queue.come("a").entry == Entry::kFull);
  CHECK(queue.admission.waiting() == 4);
  auto& other = queue.come("b");
  CHECK_FALSE(other.entry.has_value());
  CHECK(flood.back()->entry == Entry::kFull);
  CHECK_FALSE(flood.front()->entry.has_value());
  CHECK(queue.admission.waiting() == 4);
  // Three against one: the next of b displaces one more, then both have as many.
  queue.come("b");
  CHECK(queue.come("b").entry == Entry::kFull);
  CHECK(queue.come("a").entry == Entry::kFull);
  queue.serve_all();
  CHECK(queue.order == "aabab");
}

TEST_CASE("admission: who comes back from waiting for a person is not refused by a full queue") {
  Queue queue(limits(1, 1));
  auto& thinking = queue.come("a");
  queue.leave(thinking);  // a person thinks
  queue.come("a");
  queue.come("a");
  CHECK(queue.admission.waiting() == 1);
  queue.enter(thinking);
  CHECK_FALSE(thinking.entry.has_value());
  CHECK(queue.admission.waiting() == 2);
  // Nor does another principal displace it.
  queue.come("b");
  queue.come("b");
  CHECK_FALSE(thinking.entry.has_value());
  queue.serve_all();
  CHECK(thinking.entry == Entry::kAdmitted);
}

TEST_CASE(
    "admission: who is cancelled while it waits leaves no trace, and a place that was just given goes on") {
  Queue queue(limits(1, 10));
  auto& first = queue.come("a");
  auto& gone = queue.come("a");
  auto& next = queue.come("b");
  gone.cancellation.cancel();
  queue.settle();
  CHECK(gone.entry == Entry::kCancelled);
  CHECK(queue.admission.waiting() == 1);
  // Given the place and cancelled before it could notice.
  first.place.leave();
  next.cancellation.cancel();
  queue.settle();
  CHECK(next.entry == Entry::kCancelled);
  CHECK(queue.admission.running() == 0);
  CHECK(queue.come("c").entry == Entry::kAdmitted);

  RunCancellation before;
  before.cancel();
  Admission::Place place(queue.admission, "d");
  std::optional<Entry> entry;
  asio::co_spawn(
      queue.io, [&]() -> asio::awaitable<void> { entry = co_await place.enter(before); }, asio::detached);
  queue.settle();
  CHECK(entry == Entry::kCancelled);
}

TEST_CASE("admission: a place outlives the queue it belongs to") {
  asio::io_context io{1};
  auto admission = std::make_unique<Admission>(io.get_executor(), limits(1, 1));
  Admission::Place place(*admission, "a");
  asio::co_spawn(
      io, [&]() -> asio::awaitable<void> { co_await place.enter(RunCancellation()); }, asio::detached);
  io.poll();
  CHECK(place.held());
  admission.reset();
  place.leave();
  CHECK_FALSE(place.held());
}

}  // namespace
}  // namespace hostclaw::node_host
