// SPDX-License-Identifier: Apache-2.0
// How many runs at once, in which order, and how they all end.
#include <sys/wait.h>

#include <boost/asio/steady_timer.hpp>

#include "run_support.h"

namespace hostclaw::node_host {
namespace {

TEST_CASE("more runs than places wait in the order they came") {
  Harness harness({.max_concurrent = 1});
  Reports reports(harness);
  std::vector<int> order;
  std::vector<std::shared_ptr<Running>> runs;
  auto first = harness.start(plan(child({"exit-on-term", reports.path(), "0"})));
  const auto pid = reports.next_pid();
  for (int i = 0; i < 5; ++i) {
    RunOptions options;
    options.before_spawn = [&order, i]() -> boost::asio::awaitable<std::optional<Error>> {
      order.push_back(i);
      co_return std::nullopt;
    };
    runs.push_back(harness.start(plan(command("/bin/true", {"true"})), options));
  }
  harness.wait_until([&] { return harness.executor.queued() == 5; });
  CHECK(harness.executor.running() == 1);
  CHECK(order.empty());
  ::kill(static_cast<pid_t>(pid), SIGTERM);
  for (const auto& run : runs) CHECK(harness.finish(run).exit_code == 0);
  CHECK(order == std::vector<int>{0, 1, 2, 3, 4});
  CHECK(harness.executor.running() == 0);
  CHECK(harness.executor.queued() == 0);
}

TEST_CASE("waiting in the queue does not eat the run time") {
  Harness harness({.max_concurrent = 1});
  Reports reports(harness);
  const auto first = harness.start(plan(child({"exit-on-term", reports.path(), "0"})));
  const auto pid = reports.next_pid();
  const auto second = harness.start(plan(shell("exit 3")), with_timeout(1000ms));
  boost::asio::steady_timer longer_than_that(harness.context, 1100ms);
  bool waited = false;
  longer_than_that.async_wait([&](const boost::system::error_code&) { waited = true; });
  harness.wait_until([&] { return waited; });
  CHECK(harness.executor.queued() == 1);
  ::kill(static_cast<pid_t>(pid), SIGTERM);
  CHECK(harness.finish(second).exit_code == 3);
}

TEST_CASE("a run that is cancelled in the queue leaves it at once") {
  Harness harness({.max_concurrent = 1});
  Reports reports(harness);
  const auto first = harness.start(plan(child({"exit-on-term", reports.path(), "0"})));
  reports.next();
  const auto second = harness.start(plan(command("/bin/true", {"true"})));
  const auto third = harness.start(plan(command("/bin/true", {"true"})));
  harness.wait_until([&] { return harness.executor.queued() == 2; });
  second->cancellation.cancel();
  CHECK(harness.finish(second).cancelled);
  CHECK(harness.executor.queued() == 1);
  CHECK_FALSE(first->outcome);
  first->cancellation.cancel();
  CHECK(harness.finish(third).exit_code == 0);
}

TEST_CASE("sixteen runs at once keep their outputs apart") {
  Harness harness({.max_concurrent = 16});
  std::vector<std::shared_ptr<Running>> runs;
  for (int i = 0; i < 16; ++i) runs.push_back(harness.start(plan(shell("echo " + std::to_string(i)))));
  for (int i = 0; i < 16; ++i)
    CHECK(harness.finish(runs[static_cast<std::size_t>(i)]).standard_output.text == std::to_string(i) + "\n");
}

TEST_CASE("a timeout of one run leaves the others alone") {
  Harness harness({.kill_grace = 50ms});
  Reports reports(harness);
  const auto other = harness.start(plan(child({"escape", reports.path()})));
  const auto orphan = reports.next_pid();
  CHECK(harness.run(shell("sleep 60 & sleep 60"), with_timeout(50ms)).timed_out);
  CHECK(is_alive(orphan));
  CHECK_FALSE(other->outcome);
}

TEST_CASE("shutdown ends what runs, refuses what waits and what comes later") {
  Harness harness({.max_concurrent = 1, .kill_grace = 50ms});
  Reports reports(harness);
  const auto first = harness.start(plan(child({"escape", reports.path()})));
  const auto orphan = reports.next_pid();
  const auto second = harness.start(plan(command("/bin/true", {"true"})));
  harness.wait_until([&] { return harness.executor.queued() == 1; });
  harness.shutdown();
  CHECK_FALSE(is_alive(orphan));
  CHECK(harness.finish(first).cancelled);
  CHECK(harness.finish(second).cancelled);
  CHECK(harness.run(command("/bin/true", {"true"})).cancelled);
  CHECK(harness.executor.running() == 0);
}

TEST_CASE("an executor that goes away takes its programs with it") {
  std::int64_t pid = 0;
  {
    boost::asio::io_context context;
    RunExecutor executor(context.get_executor(), {});
    TemporaryDirectory directory;
    const auto fifo = directory / "fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    const UniqueFd reports(::open(fifo.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    boost::asio::co_spawn(context, executor.run(plan(child({"report-and-sleep", fifo})), nullptr, {}),
                          [](const std::exception_ptr&, const RunOutcome&) {});
    char buffer[32] = {};
    while (::read(reports.get(), buffer, sizeof buffer - 1) <= 0) context.poll();
    pid = std::strtoll(buffer, nullptr, 10);
    CHECK(is_alive(pid));
  }
  // Ends at once when it is already reaped, hangs when the program was left running.
  ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
  CHECK_FALSE(is_alive(pid));
}

}  // namespace
}  // namespace hostclaw::node_host
