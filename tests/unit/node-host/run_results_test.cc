// SPDX-License-Identifier: Apache-2.0
// What a run gives back: status, output, identity of the child. Exec contract 13.1.
#include <sys/wait.h>

#include "run_support.h"

namespace hostclaw::node_host {
namespace {

TEST_CASE("the exit code and both streams come back") {
  Harness harness;
  const auto outcome = harness.run(shell("echo out; echo err >&2; exit 7"));
  CHECK(outcome.exit_code == 7);
  CHECK_FALSE(outcome.signal);
  CHECK(outcome.standard_output.text == "out\n");
  CHECK(outcome.standard_error.text == "err\n");
  CHECK(outcome.launch_error.empty());
  CHECK_FALSE(outcome.success());
  CHECK(outcome.leader_pid > 0);
  CHECK(outcome.duration > 0ns);
}

TEST_CASE("a program that a signal ended has no exit code") {
  Harness harness;
  for (const int number : {SIGTERM, SIGKILL, SIGSEGV}) {
    const auto outcome = harness.run(shell("kill -" + std::to_string(number) + " $$"));
    CHECK_FALSE(outcome.exit_code);
    CHECK(outcome.signal == number);
    CHECK_FALSE(outcome.timed_out);
    CHECK_FALSE(outcome.success());
  }
}

TEST_CASE("the arguments reach the program byte for byte") {
  Harness harness;
  // A fixed sequence, so that a failure can be repeated.
  std::uint32_t state = 12345;
  const auto random = [&state](std::uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  for (int round = 0; round < 40; ++round) {
    std::vector<std::string> arguments;
    std::string expected = std::to_string(test_child().size()) + ":" + test_child() + "\n";
    for (std::uint32_t count = random(6); count > 0; --count) {
      std::string argument;
      for (std::uint32_t length = random(20); length > 0; --length)
        argument += static_cast<char>(1 + random(127));
      expected += std::to_string(argument.size()) + ":" + argument + "\n";
      arguments.push_back(std::move(argument));
    }
    arguments.insert(arguments.begin(), "arguments");
    CHECK(harness.run(child(arguments)).standard_output.text == expected);
  }
}

TEST_CASE("empty arguments and bytes that are not UTF-8 are arguments like others") {
  Harness harness;
  const auto outcome = harness.run(command("/usr/bin/printf", {"printf", "[%s]", "", "a\xFF\xFE", ""}));
  CHECK(outcome.standard_output.text == "[][a\xEF\xBF\xBD\xEF\xBF\xBD][]");
  CHECK(outcome.standard_output.total_bytes == 9);
  CHECK(outcome.standard_output.replaced == 2);
}

TEST_CASE("the program sees the name it was called by and not the path of the file") {
  Harness harness;
  const auto outcome = harness.run(command(test_child(), {"another name", "arguments"}));
  CHECK(outcome.standard_output.text == "12:another name\n");
}

TEST_CASE("one MiB of output is read to its end, kept up to the cap and counted") {
  Harness harness;
  const auto outcome = harness.run(child({"write", "1048576"}));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.truncated);
  CHECK(outcome.standard_output.total_bytes == 1048576);
  CHECK(outcome.standard_output.kept_bytes == 200000);
  CHECK(outcome.standard_output.dropped_bytes == 848576);
  CHECK(outcome.standard_output.text.size() == 200000 + 16);
  CHECK(outcome.standard_output.text.ends_with("x\n... (truncated)"));
}

TEST_CASE("the cap is an option of the run") {
  Harness harness;
  RunOptions options;
  options.limits.max_bytes = 2'000'000;
  const auto outcome = harness.run(child({"write", "1048576"}), options);
  CHECK_FALSE(outcome.truncated);
  CHECK(outcome.standard_output.text.size() == 1048576);
}

TEST_CASE("standard input is at its end") {
  Harness harness;
  CHECK(harness.run(command("/bin/cat", {"cat"})).exit_code == 0);
}

TEST_CASE("a child of a run sees no descriptor but 0, 1 and 2") {
  Harness harness;
  const UniqueFd leaked(::open("/dev/null", O_RDWR));
  const auto outcome = harness.run(child({"descriptors"}));
  CHECK(outcome.standard_output.text == "0\n1\n2\n");
}

TEST_CASE("a program in the middle of a pipeline sees no descriptor but 0, 1 and 2") {
  Harness harness;
  const auto outcome =
      harness.run(plan({pipeline({shell("true"), child({"descriptors"}), command("/bin/cat", {"cat"})})}));
  CHECK(outcome.standard_output.text == "0\n1\n2\n");
}

TEST_CASE("children get the environment of the plan and the mark of the run") {
  Harness harness;
  auto planned = plan(child({"environment"}));
  planned.environment = {{"A", "1"}, {"HOSTCLAW_RUN", "not this"}, {"B", "2"}};
  const auto first = harness.run(planned).standard_output.text;
  const auto second = harness.run(planned).standard_output.text;
  CHECK(first.starts_with("A=1\nHOSTCLAW_RUN="));
  CHECK(first.find("\nB=2\n") != std::string::npos);
  CHECK(first.find("not this") == std::string::npos);
  CHECK(first != second);
}

TEST_CASE("the run starts in the directory of the plan") {
  Harness harness;
  TemporaryDirectory directory;
  auto planned = plan(command("/bin/pwd", {"pwd", "-P"}));
  planned.cwd = directory.link("link", directory.make_directory("real"));
  CHECK(harness.run(planned).standard_output.text == (directory / "real") + "\n");
}

TEST_CASE("a plan without directory starts in that of the host") {
  Harness harness;
  auto planned = plan(command("/bin/pwd", {"pwd", "-P"}));
  planned.cwd.clear();
  CHECK(harness.run(planned).standard_output.text == std::filesystem::current_path().string() + "\n");
}

TEST_CASE("an empty plan succeeds without starting anything") {
  Harness harness;
  const auto outcome = harness.run(plan(std::vector<PlannedPipeline>{}));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.leader_pid == 0);
}

TEST_CASE("without pidfds the end of a program is noticed all the same") {
  Harness harness({.use_pidfd = false});
  const auto outcome = harness.run(plan({pipeline({shell("echo hi"), command("/bin/cat", {"cat"})})}));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.standard_output.text == "hi\n");
  CHECK(harness.run(shell("exit 4")).exit_code == 4);
  CHECK(harness.run(command("/bin/sleep", {"sleep", "30"}), with_timeout(50ms)).exit_code == 124);
}

TEST_CASE("a hundred runs leave no descriptor and no child behind") {
  Harness harness;
  harness.run(shell("true"));
  const auto count = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  const auto before = count();
  for (int i = 0; i < 100; ++i) harness.run(plan({pipeline({shell("true"), shell("exit 1")})}));
  CHECK(count() == before);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

}  // namespace
}  // namespace hostclaw::node_host
