// SPDX-License-Identifier: Apache-2.0
#include "node-host/loop/background.h"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <csignal>
#include <stdexcept>
#include <string>

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;

// What a process says and how it ends when background work throws in it.
std::pair<std::string, int> end_of_throwing_process() {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGABRT, SIG_DFL);
    ::dup2(ends[1], 2);
    asio::io_context io{1};
    start_background(io.get_executor(), "a test", []() -> asio::awaitable<void> {
      throw std::runtime_error("it broke");
      co_return;
    });
    io.run();
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said;
  char block[512];
  for (ssize_t size = 0; (size = ::read(ends[0], block, sizeof block)) > 0;)
    said.append(block, static_cast<std::size_t>(size));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return {said, status};
}

TEST_CASE("background work that throws ends the process, and says where") {
  const auto [said, status] = end_of_throwing_process();
  CHECK(said.find("internal error in a test: it broke") != std::string::npos);
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
}

TEST_CASE("background work that ends is over") {
  asio::io_context io{1};
  int done = 0;
  start_background(io.get_executor(), "a test", [&done]() -> asio::awaitable<void> {
    ++done;
    co_return;
  });
  io.run();
  CHECK(done == 1);
}

}  // namespace
}  // namespace hostclaw::node_host
