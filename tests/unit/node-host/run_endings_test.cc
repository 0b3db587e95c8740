// SPDX-License-Identifier: Apache-2.0
// How runs end: timeouts, cancels, background children. Exec contract 13.1, table.
#include "run_support.h"

namespace hostclaw::node_host {
namespace {

constexpr auto kFarAway = 60s;

TEST_CASE("a run that is out of time gives 124") {
  Harness harness;
  const auto outcome = harness.run(command("/bin/sleep", {"sleep", "60"}), with_timeout(30ms));
  CHECK(outcome.timed_out);
  CHECK(outcome.exit_code == 124);
  CHECK_FALSE(outcome.success());
  CHECK(outcome.duration >= 30ms);
  CHECK(outcome.duration < 5s);
}

TEST_CASE("output written before the time was up is kept") {
  Harness harness;
  const auto outcome = harness.run(shell("echo part; echo e >&2; sleep 60"), with_timeout(200ms));
  CHECK(outcome.timed_out);
  CHECK(outcome.standard_output.text == "part\n");
  CHECK(outcome.standard_error.text == "e\n");
}

TEST_CASE("a program that ignores SIGTERM is killed after the grace") {
  Harness harness({.kill_grace = 50ms});
  Reports reports(harness);
  const auto running = harness.start(plan(child({"ignore-term", reports.path()})), with_timeout(200ms));
  const auto pid = reports.next_pid();
  const auto& outcome = harness.finish(running);
  CHECK(outcome.timed_out);
  CHECK(outcome.exit_code == 124);
  CHECK(outcome.signal == SIGKILL);
  CHECK(outcome.duration >= 250ms);
  CHECK_FALSE(exists(pid));
}

TEST_CASE("a program that ends itself on SIGTERM keeps its exit code when it is not zero") {
  Harness harness;
  Reports reports(harness);
  const auto code_after_timeout = [&](const std::string& code) {
    const auto running =
        harness.start(plan(child({"exit-on-term", reports.path(), code})), with_timeout(200ms));
    reports.next();
    return harness.finish(running).exit_code;
  };
  CHECK(code_after_timeout("5") == 5);
  CHECK(code_after_timeout("0") == 124);
}

TEST_CASE("a grandchild in a session of its own ends with the timeout") {
  Harness harness({.kill_grace = 50ms});
  Reports reports(harness);
  const auto running = harness.start(plan(child({"escape", reports.path()})), with_timeout(300ms));
  const auto orphan = reports.next_pid();
  CHECK(is_alive(orphan));
  CHECK(harness.finish(running).timed_out);
  CHECK_FALSE(is_alive(orphan));
}

TEST_CASE("a clean-up that is given up says how many processes are left") {
  std::size_t told = 0;
  Harness harness({.kill_grace = 0ms, .give_up = 0ms, .on_left_alive = [&told](const RunOutcome& outcome) {
                     told = outcome.left_alive;
                   }});
  Reports reports(harness);
  const auto running = harness.start(plan(child({"ignore-term", reports.path()})), with_timeout(300ms));
  const auto pid = reports.next_pid();
  CHECK(harness.finish(running).left_alive == 1);
  CHECK(told == 1);
  ::kill(static_cast<pid_t>(pid), SIGKILL);
}

TEST_CASE("a clean-up that ends everything leaves nothing to tell") {
  Harness harness({.kill_grace = 0ms});
  CHECK(harness.run(command("/bin/sleep", {"sleep", "60"}), with_timeout(30ms)).left_alive == 0);
}

TEST_CASE("a grandchild in a session of its own ends with the cancel") {
  Harness harness({.kill_grace = 50ms});
  Reports reports(harness);
  const auto running = harness.start(plan(child({"escape", reports.path()})));
  const auto orphan = reports.next_pid();
  running->cancellation.cancel();
  const auto& outcome = harness.finish(running);
  CHECK(outcome.cancelled);
  CHECK_FALSE(outcome.timed_out);
  CHECK_FALSE(is_alive(orphan));
}

TEST_CASE("a grandchild that also wiped its environment ends when the run was alone") {
  Harness harness({.kill_grace = 50ms});
  Reports reports(harness);
  const auto running = harness.start(plan(child({"escape-clean", reports.path()})), with_timeout(300ms));
  const auto orphan = reports.next_pid();
  CHECK(harness.finish(running).timed_out);
  CHECK_FALSE(is_alive(orphan));
}

TEST_CASE("an unmarked orphan is left alone when it could be another run's") {
  Harness harness({.kill_grace = 50ms});
  Reports reports(harness);
  const auto other = harness.start(plan(child({"escape-clean", reports.path()})));
  const auto orphan = reports.next_pid();
  CHECK(harness.run(command("/bin/sleep", {"sleep", "60"}), with_timeout(30ms)).timed_out);
  CHECK(is_alive(orphan));
  CHECK_FALSE(other->outcome);
  ::kill(static_cast<pid_t>(orphan), SIGKILL);
}

TEST_CASE("an orphan that a run left behind is reaped when it ends") {
  Harness harness;
  Reports reports(harness);
  const auto running = harness.start(plan(child({"escape-and-exit", reports.path()})));
  const auto orphan = reports.next_pid();
  // The orphan holds the streams open, so the run ends when they have been quiet for a while.
  CHECK(harness.finish(running).exit_code == 0);
  CHECK(is_alive(orphan));
  ::kill(static_cast<pid_t>(orphan), SIGKILL);
  harness.wait_until([&] { return !exists(orphan); });
}

TEST_CASE("cancelling ends a run and gives no success") {
  Harness harness;
  Reports reports(harness);
  const auto running = harness.start(plan(child({"exit-on-term", reports.path(), "0"})));
  const auto pid = reports.next_pid();
  running->cancellation.cancel();
  const auto& outcome = harness.finish(running);
  CHECK(outcome.cancelled);
  CHECK_FALSE(outcome.exit_code);
  CHECK_FALSE(outcome.success());
  CHECK_FALSE(exists(pid));
}

TEST_CASE("a cancel before the start starts nothing and one after the end changes nothing") {
  Harness harness;
  RunOptions options;
  options.cancellation.cancel();
  const auto never = harness.run(command("/bin/true", {"true"}), options);
  CHECK(never.cancelled);
  CHECK(never.leader_pid == 0);

  const auto running = harness.start(plan(command("/bin/true", {"true"})));
  harness.finish(running);
  running->cancellation.cancel();
  CHECK_FALSE(running->outcome->cancelled);
}

TEST_CASE("cancelling a list starts nothing more") {
  Harness harness;
  Reports reports(harness);
  const auto running =
      harness.start(plan(std::vector{pipeline({child({"exit-on-term", reports.path(), "0"})}),
                                     pipeline({shell("echo more")}, Connector::kSequence)}));
  reports.next();
  running->cancellation.cancel();
  CHECK(harness.finish(running).standard_output.text.empty());
}

TEST_CASE("every program of a pipeline ends with the timeout") {
  Harness harness;
  Reports reports(harness);
  const auto running =
      harness.start(plan({pipeline({child({"report-and-sleep", reports.path()}), shell("exit 0"),
                                    child({"report-and-sleep", reports.path()})})}),
                    with_timeout(300ms));
  const auto first = reports.next_pid();
  const auto second = reports.next_pid();
  CHECK(harness.finish(running).timed_out);
  CHECK_FALSE(exists(first));
  CHECK_FALSE(exists(second));
}

TEST_CASE("background children stay after success, and without a timeout the run does not wait for them") {
  Harness harness;
  Reports reports(harness);
  const auto running =
      harness.start(plan(shell(test_child() + " report-and-sleep " + reports.path() + " & echo hi")));
  const auto background = reports.next_pid();
  const auto& outcome = harness.finish(running);
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.standard_output.text == "hi\n");
  CHECK(outcome.duration >= 100ms);
  CHECK(outcome.duration < 1s);
  CHECK(is_alive(background));
  ::kill(static_cast<pid_t>(background), SIGKILL);
}

TEST_CASE("a background child that closed the streams does not delay the result") {
  Harness harness;
  Reports reports(harness);
  const auto running = harness.start(
      plan(shell(test_child() + " report-and-sleep " + reports.path() + " >/dev/null 2>&1 & echo hi")),
      with_timeout(kFarAway));
  const auto background = reports.next_pid();
  const auto& outcome = harness.finish(running);
  CHECK(outcome.exit_code == 0);
  CHECK(is_alive(background));
  ::kill(static_cast<pid_t>(background), SIGKILL);
}

TEST_CASE("with a timeout the run waits until background children close the streams") {
  Harness harness;
  const auto outcome = harness.run(shell("(sleep 0.3; echo late) & echo hi"), with_timeout(kFarAway));
  CHECK(outcome.exit_code == 0);
  CHECK_FALSE(outcome.timed_out);
  CHECK(outcome.standard_output.text == "hi\nlate\n");
}

TEST_CASE("without a timeout, output soon after the exit is still read") {
  Harness harness;
  // A machine that has other things to do may let a process of 50 ms sleep for 150.
  std::string text;
  for (int tries = 0; tries < 10 && text != "hi\nlate\n"; ++tries)
    text = harness.run(shell("(sleep 0.05; echo late) & echo hi")).standard_output.text;
  CHECK(text == "hi\nlate\n");
}

TEST_CASE("without a timeout, a background child that keeps writing is left after a second") {
  Harness harness;
  const auto outcome = harness.run(shell("yes & echo hi"));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.duration >= 1s);
  CHECK(outcome.duration < 2s);
  ::kill(-static_cast<pid_t>(outcome.leader_pid), SIGKILL);
}

TEST_CASE("a timeout while background children hold the streams gives 124 and ends them") {
  Harness harness;
  Reports reports(harness);
  const auto running = harness.start(
      plan(shell(test_child() + " report-and-sleep " + reports.path() + " & echo hi")), with_timeout(300ms));
  const auto background = reports.next_pid();
  const auto& outcome = harness.finish(running);
  CHECK(outcome.timed_out);
  CHECK(outcome.exit_code == 124);
  CHECK(outcome.standard_output.text == "hi\n");
  CHECK_FALSE(is_alive(background));
}

TEST_CASE("background children end with a program that failed") {
  Harness harness;
  Reports reports(harness);
  const auto running = harness.start(plan(shell(test_child() + " report-and-sleep " + reports.path() +
                                                " & read line < " + reports.path() + "; exit 3")));
  // The shell reads one report and exits; the pid is looked up through the group.
  const auto& outcome = harness.finish(running);
  CHECK(outcome.exit_code == 3);
  CHECK(::kill(-static_cast<pid_t>(outcome.leader_pid), 0) == -1);
}

TEST_CASE("a background child of a failed program that ignores SIGTERM is killed after the grace") {
  Harness harness({.kill_grace = 50ms});
  const auto outcome = harness.run(shell("(trap '' TERM; sleep 60) & exit 3"));
  CHECK(outcome.exit_code == 3);
  CHECK(::kill(-static_cast<pid_t>(outcome.leader_pid), 0) == -1);
}

TEST_CASE("a timeout that no clock can hold is a timeout that never comes") {
  Harness harness;
  const auto outcome = harness.run(shell("exit 3"), with_timeout(std::chrono::milliseconds::max()));
  CHECK(outcome.exit_code == 3);
  CHECK_FALSE(outcome.timed_out);
}

TEST_CASE("a timeout of zero or less is the shortest one") {
  Harness harness;
  CHECK(harness.run(command("/bin/sleep", {"sleep", "60"}), with_timeout(0ms)).timed_out);
  CHECK(harness.run(command("/bin/sleep", {"sleep", "60"}), with_timeout(std::chrono::milliseconds::min()))
            .timed_out);
}

}  // namespace
}  // namespace hostclaw::node_host
