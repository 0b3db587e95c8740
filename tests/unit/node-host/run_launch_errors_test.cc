// SPDX-License-Identifier: Apache-2.0
// Launches that fail and launches that are refused. Texts: exec contract 3.4 and 13.3.
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "run_support.h"

namespace hostclaw::node_host {
namespace {

std::string failed(const std::string& code) {
  return "Command failed during launch or output capture (" + code + ")";
}

std::string launch_error(Harness& harness, PlannedCommand planned) {
  const auto outcome = harness.run(std::move(planned));
  CHECK_FALSE(outcome.exit_code);
  CHECK_FALSE(outcome.success());
  CHECK(outcome.leader_pid == 0);
  CHECK(outcome.standard_output.text.empty());
  CHECK(outcome.standard_error.text.empty());
  return outcome.launch_error;
}

TEST_CASE("a program that is not there is ENOENT") {
  Harness harness;
  TemporaryDirectory directory;
  CHECK(launch_error(harness, missing("nosuch")) == failed("ENOENT"));
  CHECK(launch_error(harness, command(directory / "nothing", {"nothing"})) == failed("ENOENT"));
  const auto file = directory.write("file", "x");
  CHECK(launch_error(harness, command(file + "/below", {"below"})) == failed("ENOTDIR"));
}

TEST_CASE("a directory and a file without execute permission are EACCES") {
  Harness harness;
  TemporaryDirectory directory;
  CHECK(launch_error(harness, command(directory.path(), {"x"})) == failed("EACCES"));
  CHECK(launch_error(harness, command(directory.write("data", "x", 0644), {"x"})) == failed("EACCES"));
}

TEST_CASE("a script whose interpreter is missing is ENOENT and text without one is ENOEXEC") {
  Harness harness;
  TemporaryDirectory directory;
  CHECK(launch_error(harness, command(directory.write("lost", "#!/nonexistent\n", 0755), {"x"})) ==
        failed("ENOENT"));
  CHECK(launch_error(harness, command(directory.write("text", "echo hi\n", 0755), {"x"})) ==
        failed("ENOEXEC"));
}

TEST_CASE("an argument of 2 MiB is E2BIG") {
  Harness harness;
  CHECK(launch_error(harness, command("/bin/echo", {"echo", std::string(2 << 20, 'a')})) == failed("E2BIG"));
}

TEST_CASE("a NUL byte in an argument is a launch error that shows the argument") {
  Harness harness;
  const std::string argument("hi\0x", 4);
  CHECK(launch_error(harness, command("/bin/echo", {"echo", argument})) ==
        "Arguments cannot contain null bytes (\"\\0\"): " + argument);
}

TEST_CASE("an empty program name or one with a NUL byte is an invalid argument") {
  Harness harness;
  CHECK(launch_error(harness, command("/bin/echo", {std::string("ec\0ho", 5)})) ==
        failed("ERR_INVALID_ARG_VALUE"));
  CHECK(launch_error(harness, command("/bin/echo", {""})) == failed("ERR_INVALID_ARG_VALUE"));
  CHECK(launch_error(harness, command("/bin/echo", {})) == failed("ERR_INVALID_ARG_VALUE"));
}

TEST_CASE("a directory to start in that is missing or a file is named in the error") {
  Harness harness;
  TemporaryDirectory directory;
  auto planned = plan(command("/bin/true", {"true"}));
  planned.cwd = directory / "nothing";
  CHECK(harness.run(planned).launch_error == "node exec working directory does not exist on the node host: " +
                                                 planned.cwd + " (os reported: " + failed("ENOENT") + ")");
  planned.cwd = directory.write("file", "x");
  CHECK(harness.run(planned).launch_error ==
        "node exec working directory is not a directory on the node host: " + planned.cwd +
            " (os reported: " + failed("ENOTDIR") + ")");
}

// Swaps between the decision and the spawn. `swap` runs in before_spawn, the last moment a caller has.
RunOutcome run_with_swap(PlannedCommand planned, const std::string& cwd, const std::function<void()>& swap) {
  Harness harness;
  auto files = std::make_shared<OpenedFiles>();
  planned.identity = files->facts(planned.executable).identity;
  auto whole = plan(std::move(planned));
  whole.cwd = cwd;
  whole.cwd_identity = files->facts(cwd).identity;
  RunOptions options;
  options.before_spawn = [&]() -> boost::asio::awaitable<std::optional<Error>> {
    swap();
    co_return std::nullopt;
  };
  return harness.run(std::move(whole), std::move(options), files);
}

constexpr const char* kExecutableChanged = "executable changed between decision and spawn";
constexpr const char* kDirectoryChanged = "working directory changed between decision and spawn";

TEST_CASE("what was judged and is still there runs") {
  TemporaryDirectory directory;
  const auto script = directory.write("tool", "#!/bin/sh\necho judged\n", 0755);
  CHECK(run_with_swap(command(script, {"tool"}), directory.path(), [] {}).standard_output.text == "judged\n");
}

TEST_CASE("an executable that was replaced is refused") {
  TemporaryDirectory directory;
  const auto script = directory.write("tool", "#!/bin/sh\necho judged\n", 0755);
  const auto outcome = run_with_swap(command(script, {"tool"}), directory.path(), [&] {
    std::filesystem::rename(directory.write("other", "#!/bin/sh\necho other\n", 0755), script);
  });
  CHECK(outcome.launch_error == kExecutableChanged);
  CHECK(outcome.leader_pid == 0);
  CHECK(outcome.standard_output.text.empty());
}

TEST_CASE("an executable that was rewritten in place is refused") {
  TemporaryDirectory directory;
  const auto script = directory.write("tool", "#!/bin/sh\necho judged\n", 0755);
  const auto outcome = run_with_swap(command(script, {"tool"}), directory.path(),
                                     [&] { directory.write("tool", "#!/bin/sh\necho changed!\n", 0755); });
  CHECK(outcome.launch_error == kExecutableChanged);
}

TEST_CASE("a symlink to the executable that was re-pointed is refused") {
  TemporaryDirectory directory;
  const auto link = directory.link("tool", "/bin/true");
  const auto outcome = run_with_swap(command(link, {"tool"}), directory.path(), [&] {
    std::filesystem::remove(link);
    directory.link("tool", "/bin/echo");
  });
  CHECK(outcome.launch_error == kExecutableChanged);
}

TEST_CASE("an executable that was removed is refused") {
  TemporaryDirectory directory;
  const auto script = directory.write("tool", "#!/bin/sh\necho judged\n", 0755);
  CHECK(run_with_swap(command(script, {"tool"}), directory.path(), [&] {
          std::filesystem::remove(script);
        }).launch_error == kExecutableChanged);
}

TEST_CASE("an executable that appeared where none was judged is refused") {
  TemporaryDirectory directory;
  CHECK(run_with_swap(command(directory / "tool", {"tool"}), directory.path(), [&] {
          directory.write("tool", "#!/bin/sh\necho new\n", 0755);
        }).launch_error == kExecutableChanged);
}

TEST_CASE("a working directory that was replaced is refused") {
  TemporaryDirectory directory;
  const auto work = directory.make_directory("work");
  const auto outcome = run_with_swap(command("/bin/true", {"true"}), work, [&] {
    std::filesystem::rename(work, directory / "moved");
    directory.make_directory("work");
  });
  CHECK(outcome.launch_error == kDirectoryChanged);
}

TEST_CASE("files written into the working directory meanwhile are no change") {
  TemporaryDirectory directory;
  CHECK(run_with_swap(command("/bin/true", {"true"}), directory.path(), [&] {
          directory.write("new", "x");
        }).exit_code == 0);
}

TEST_CASE("a plan that was judged by another look is compared with the file of this one") {
  Harness harness;
  TemporaryDirectory directory;
  const auto script = directory.write("tool", "#!/bin/sh\necho judged\n", 0755);
  auto planned = plan(command(script, {"tool"}));
  planned.pipelines.front().commands.front().identity = OpenedFiles().facts("/bin/true").identity;
  CHECK(harness.run(planned).launch_error == kExecutableChanged);
}

TEST_CASE("a program that an earlier one of the list replaced is refused and nothing after it runs") {
  Harness harness;
  TemporaryDirectory directory;
  const auto tool = directory.write("tool", "#!/bin/sh\necho judged\n", 0755);
  auto files = std::make_shared<OpenedFiles>();
  auto second = command(tool, {"tool"});
  second.identity = files->facts(tool).identity;
  const auto outcome = harness.run(
      plan(std::vector{pipeline({shell("echo 'echo other' > " + tool + "; sleep 0.02; echo >> " + tool)}),
                       pipeline({second}, Connector::kSequence),
                       pipeline({shell("echo after")}, Connector::kSequence)}),
      {}, files);
  CHECK(outcome.launch_error == kExecutableChanged);
  CHECK(outcome.standard_output.text.empty());
}

TEST_CASE("a caller that refuses at the last moment has nothing spawned") {
  Harness harness;
  RunOptions options;
  int calls = 0;
  options.before_spawn = [&]() -> boost::asio::awaitable<std::optional<Error>> {
    ++calls;
    co_return make_error("NO", "not any more");
  };
  const auto outcome = harness.run(command("/bin/true", {"true"}), options);
  CHECK(outcome.launch_error == "not any more");
  CHECK(outcome.leader_pid == 0);
  CHECK(calls == 1);
  CHECK_FALSE(outcome.success());
}

TEST_CASE("a run that cannot start does not ask whether it may") {
  Harness harness;
  RunOptions options;
  int calls = 0;
  options.before_spawn = [&]() -> boost::asio::awaitable<std::optional<Error>> {
    ++calls;
    co_return std::nullopt;
  };
  auto whole = plan(command("/bin/true", {"true"}));
  whole.cwd = "/nowhere/at/all";
  CHECK_FALSE(harness.run(std::move(whole), options).launch_error.empty());
  CHECK(calls == 0);
}

TEST_CASE("waiting for the permission to start takes no time from the run") {
  Harness harness;
  RunOptions options;
  options.timeout = std::chrono::milliseconds(400);
  options.before_spawn = []() -> boost::asio::awaitable<std::optional<Error>> {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor,
                                    std::chrono::milliseconds(500));
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return std::nullopt;
  };
  CHECK(harness.run(command("/bin/true", {"true"}), options).success());
}

}  // namespace
}  // namespace hostclaw::node_host
