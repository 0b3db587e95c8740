// SPDX-License-Identifier: Apache-2.0
// Several programs: pipes, connectors and builtins, with the statuses a POSIX shell gives.
#include "run_support.h"

namespace hostclaw::node_host {
namespace {

std::vector<PlannedPipeline> chain(std::initializer_list<std::pair<Connector, PlannedCommand>> commands) {
  std::vector<PlannedPipeline> result;
  for (const auto& [connector, planned] : commands) result.push_back(pipeline({planned}, connector));
  return result;
}

constexpr auto kFirst = Connector::kFirst;
constexpr auto kAnd = Connector::kAnd;
constexpr auto kOr = Connector::kOr;
constexpr auto kThen = Connector::kSequence;

PlannedCommand echo(const std::string& word) { return command("/bin/echo", {"echo", word}); }
PlannedCommand cat() { return command("/bin/cat", {"cat"}); }
PlannedCommand no() { return builtin(Builtin::kFalse, {"false"}); }
PlannedCommand yes() { return builtin(Builtin::kTrue, {"true"}); }

TEST_CASE("a pipe carries the output of one program to the next") {
  Harness harness;
  const auto outcome =
      harness.run(plan({pipeline({echo("hello"), cat(), command("/usr/bin/tr", {"tr", "a-z", "A-Z"})})}));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.standard_output.text == "HELLO\n");
}

TEST_CASE("the status of a pipeline is that of its last program") {
  Harness harness;
  CHECK(harness.run(plan({pipeline({shell("exit 3"), shell("exit 0")})})).exit_code == 0);
  CHECK(harness.run(plan({pipeline({shell("exit 0"), shell("exit 3")})})).exit_code == 3);
}

TEST_CASE("a writer whose reader has gone is ended by the pipe") {
  Harness harness;
  const auto outcome = harness.run(
      plan({pipeline({command("/usr/bin/yes", {"yes"}), command("/usr/bin/head", {"head", "-n1"})})}));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.standard_output.text == "y\n");
}

TEST_CASE("stderr goes through the pipe only where it was joined to it") {
  Harness harness;
  auto joined = pipeline({shell("echo out; echo err >&2"), command("/usr/bin/wc", {"wc", "-l"})});
  CHECK(harness.run(plan({joined})).standard_error.text == "err\n");
  joined.stderr_to_pipe = {true, false};
  const auto outcome = harness.run(plan({joined}));
  CHECK(outcome.standard_output.text == "2\n");
  CHECK(outcome.standard_error.text.empty());
}

TEST_CASE("&& and || and ; choose what runs as a shell does") {
  Harness harness;
  const auto text = [&](std::vector<PlannedPipeline> pipelines) {
    return harness.run(plan(std::move(pipelines))).standard_output.text;
  };
  CHECK(text(chain({{kFirst, yes()}, {kAnd, echo("a")}})) == "a\n");
  CHECK(text(chain({{kFirst, no()}, {kAnd, echo("a")}})).empty());
  CHECK(text(chain({{kFirst, no()}, {kOr, echo("a")}})) == "a\n");
  CHECK(text(chain({{kFirst, yes()}, {kOr, echo("a")}})).empty());
  CHECK(text(chain({{kFirst, no()}, {kThen, echo("a")}})) == "a\n");
  CHECK(text(chain({{kFirst, no()}, {kAnd, echo("a")}, {kOr, echo("b")}})) == "b\n");
  CHECK(text(chain({{kFirst, yes()}, {kOr, echo("a")}, {kAnd, echo("b")}})) == "b\n");
}

TEST_CASE("the status of a list is that of the last program that ran") {
  Harness harness;
  CHECK(harness.run(plan(chain({{kFirst, shell("exit 5")}, {kAnd, shell("exit 6")}}))).exit_code == 5);
  CHECK(harness.run(plan(chain({{kFirst, shell("exit 5")}, {kThen, shell("exit 6")}}))).exit_code == 6);
}

TEST_CASE("! turns the status around") {
  Harness harness;
  auto planned = plan(shell("exit 5"));
  planned.pipelines.front().negate = true;
  CHECK(harness.run(planned).exit_code == 0);
  planned = plan(shell("exit 0"));
  planned.pipelines.front().negate = true;
  CHECK(harness.run(planned).exit_code == 1);
}

TEST_CASE("in a list the death by a signal counts 128 and the signal") {
  Harness harness;
  const auto outcome = harness.run(plan(chain({{kFirst, yes()}, {kAnd, shell("kill -9 $$")}})));
  CHECK(outcome.exit_code == 137);
  CHECK(outcome.signal == SIGKILL);
}

TEST_CASE("builtins have their statuses") {
  Harness harness;
  CHECK(harness.run(yes()).exit_code == 0);
  CHECK(harness.run(builtin(Builtin::kColon, {":", "anything"})).exit_code == 0);
  CHECK(harness.run(no()).exit_code == 1);
}

TEST_CASE("cd changes the directory of later programs of the run and of nothing else") {
  Harness harness;
  TemporaryDirectory directory;
  directory.make_directory("inner");
  auto planned = plan(chain({{kFirst, builtin(Builtin::kCd, {"cd", "inner"})},
                             {kAnd, command("/bin/pwd", {"pwd", "-P"})},
                             {kAnd, shell("echo $PWD")}}));
  planned.cwd = directory.path();
  const auto here = std::filesystem::current_path();
  const auto outcome = harness.run(planned);
  CHECK(outcome.standard_output.text == (directory / "inner") + "\n" + (directory / "inner") + "\n");
  CHECK(std::filesystem::current_path() == here);
}

TEST_CASE("cd in a pipeline of several commands changes nothing") {
  Harness harness;
  auto planned = plan(std::vector{pipeline({builtin(Builtin::kCd, {"cd", "/usr"}), cat()}),
                                  pipeline({builtin(Builtin::kPwd, {"pwd"})}, kThen)});
  CHECK(harness.run(planned).standard_output.text == "/\n");
}

TEST_CASE("cd that fails stops an && list with a message") {
  Harness harness;
  const auto outcome =
      harness.run(plan(chain({{kFirst, builtin(Builtin::kCd, {"cd", "/nonexistent"})}, {kAnd, echo("a")}})));
  CHECK(outcome.exit_code == 2);
  CHECK(outcome.standard_output.text.empty());
  CHECK(outcome.standard_error.text == "cd: /nonexistent: No such file or directory\n");
}

TEST_CASE("what a builtin writes comes after what programs before it wrote") {
  Harness harness;
  const auto outcome = harness.run(
      plan(chain({{kFirst, echo("a")}, {kThen, builtin(Builtin::kPwd, {"pwd"})}, {kThen, echo("b")}})));
  CHECK(outcome.standard_output.text == "a\n/\nb\n");
}

TEST_CASE("pwd can be the source of a pipe") {
  Harness harness;
  const auto outcome = harness.run(plan({pipeline({builtin(Builtin::kPwd, {"pwd"}), cat()})}));
  CHECK(outcome.standard_output.text == "/\n");
}

TEST_CASE("a builtin at the end of a pipe does not block its source") {
  Harness harness;
  CHECK(harness.run(plan({pipeline({command("/usr/bin/yes", {"yes"}), yes()})})).exit_code == 0);
}

TEST_CASE("in a list a missing program gives 127 and a line on stderr, and the list goes on") {
  Harness harness;
  const auto outcome = harness.run(plan(chain({{kFirst, missing("nosuch")}, {kOr, echo("a")}})));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.launch_error.empty());
  CHECK(outcome.standard_output.text == "a\n");
  CHECK(outcome.standard_error.text == "nosuch: No such file or directory\n");
  CHECK(harness.run(plan(chain({{kFirst, yes()}, {kAnd, missing("nosuch")}}))).exit_code == 127);
}

TEST_CASE("in a list a program that cannot be executed gives 126") {
  Harness harness;
  TemporaryDirectory directory;
  const auto data = directory.write("data", "x", 0644);
  const auto outcome = harness.run(plan(chain({{kFirst, yes()}, {kAnd, command(data, {"data"})}})));
  CHECK(outcome.exit_code == 126);
  CHECK(outcome.standard_error.text == "data: Permission denied\n");
}

TEST_CASE("a missing program in a pipe leaves the others running") {
  Harness harness;
  const auto outcome =
      harness.run(plan({pipeline({missing("nosuch"), command("/usr/bin/wc", {"wc", "-c"})})}));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.standard_output.text == "0\n");
  CHECK(outcome.standard_error.text == "nosuch: No such file or directory\n");
}

TEST_CASE("the run waits for every program of a pipeline") {
  Harness harness;
  TemporaryDirectory directory;
  const auto outcome =
      harness.run(plan({pipeline({shell("sleep 0.05; echo done > " + (directory / "mark")), yes()})}));
  CHECK(outcome.exit_code == 0);
  CHECK(std::filesystem::exists(directory / "mark"));
}

TEST_CASE("a long chain runs to its end") {
  Harness harness;
  std::vector<PlannedPipeline> pipelines;
  for (int i = 0; i < 60; ++i) pipelines.push_back(pipeline({echo("x")}, i == 0 ? kFirst : kAnd));
  CHECK(harness.run(plan(std::move(pipelines))).standard_output.total_bytes == 120);
}

}  // namespace
}  // namespace hostclaw::node_host
