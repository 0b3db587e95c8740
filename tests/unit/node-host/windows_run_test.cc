// SPDX-License-Identifier: Apache-2.0
// Runs on Windows, from the plan to the outcome.
#include "node-host/system/process/run_ancestry.h"
#include "node-host/system/text/windows_text.h"
#include "run_harness.h"
#include "windows_support.h"

namespace hostclaw::node_host {

namespace {

PlannedCommand child(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "child");
  return command(test_child(), std::move(arguments));
}

// Events of the run go on meanwhile; this one is not among them.
bool until_set(Harness& harness, const Signal& signal) {
  const auto give_up = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < give_up) {
    harness.context.restart();
    harness.context.poll();
    if (::WaitForSingleObject(signal.handle(), 1) == WAIT_OBJECT_0) return true;
  }
  return false;
}

std::vector<UniqueFd> members(const TemporaryDirectory& directory, int depth) {
  std::vector<UniqueFd> processes;
  for (int i = depth; i >= 0; --i)
    processes.push_back(open_process(std::stoll(read_file(directory / std::to_string(i)))));
  return processes;
}

TEST_CASE("the exit code and both streams come back") {
  Harness harness;
  const auto outcome = harness.run(child({"streams"}));
  CHECK(outcome.launch_error.empty());
  CHECK(outcome.exit_code == 7);
  CHECK_FALSE(outcome.signal);
  CHECK(outcome.standard_output.text == "out\n");
  CHECK(outcome.standard_error.text == "err\n");
  CHECK(outcome.leader_pid > 0);
  CHECK(outcome.duration > 0ns);
}

TEST_CASE("an exit code of 32 bits is the number that Windows' own tools show") {
  Harness harness;
  CHECK(harness.run(child({"exit", "3221225477"})).exit_code == -1073741819);
}

TEST_CASE("one MiB of output is read to its end, kept up to the cap and counted") {
  Harness harness;
  const auto outcome = harness.run(child({"write", "1048576"}));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.truncated);
  CHECK(outcome.standard_output.total_bytes == 1048576);
  CHECK(outcome.standard_output.kept_bytes == 200000);
  CHECK(outcome.standard_output.dropped_bytes == 848576);
  CHECK(outcome.standard_output.text.ends_with("x\n... (truncated)"));
}

TEST_CASE("many runs at once end each with its own output") {
  Harness harness({.max_concurrent = 8});
  std::vector<std::shared_ptr<Running>> runs;
  for (int i = 0; i < 24; ++i)
    runs.push_back(harness.start(plan(child({"hex", "61" + std::to_string(30 + i % 10)}))));
  for (int i = 0; i < 24; ++i) {
    const auto& outcome = harness.finish(runs[static_cast<std::size_t>(i)]);
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.standard_output.text == "a" + std::to_string(i % 10));
  }
}

TEST_CASE("UTF-16 output is text") {
  Harness harness;
  const auto outcome = harness.run(child({"hex", "FFFE6800E9000A00"}));
  CHECK(outcome.standard_output.text == "h\xC3\xA9\n");
  CHECK(outcome.standard_output.replaced == 0);
  CHECK(outcome.standard_output.total_bytes == 8);
}

TEST_CASE("a run that is out of time gives 124, and what was written before is kept") {
  Harness harness;
  Signal said;
  const auto running =
      harness.start(plan(child({"say-and-sleep", "part", said.name()})), with_timeout(1500ms));
  REQUIRE(until_set(harness, said));
  const auto& outcome = harness.finish(running);
  CHECK(outcome.timed_out);
  CHECK(outcome.exit_code == 124);
  CHECK(outcome.standard_output.text == "part");
  CHECK(outcome.duration >= 1500ms);
  CHECK(outcome.duration < 10s);
}

TEST_CASE("a tree of three levels ends with the timeout") {
  Harness harness;
  TemporaryDirectory directory;
  Signal all_there;
  const auto running =
      harness.start(plan(child({"tree", "2", directory.path(), all_there.name()})), with_timeout(3s));
  REQUIRE(until_set(harness, all_there));
  const auto processes = members(directory, 2);
  REQUIRE(processes.size() == 3);
  for (const auto& process : processes) {
    REQUIRE(process);
    CHECK_FALSE(has_ended(process));
  }
  CHECK(harness.finish(running).timed_out);
  for (const auto& process : processes) CHECK(has_ended(process));
}

TEST_CASE("a tree of three levels ends with the cancel") {
  Harness harness;
  TemporaryDirectory directory;
  Signal all_there;
  const auto running = harness.start(plan(child({"tree", "2", directory.path(), all_there.name()})));
  REQUIRE(until_set(harness, all_there));
  const auto processes = members(directory, 2);
  for (const auto& process : processes) REQUIRE(process);
  running->cancellation.cancel();
  const auto& outcome = harness.finish(running);
  CHECK(outcome.cancelled);
  CHECK_FALSE(outcome.exit_code);
  CHECK_FALSE(outcome.success());
  for (const auto& process : processes) CHECK(has_ended(process));
}

TEST_CASE("a program is interrupted first, so that it takes away what it made") {
  Harness harness;
  TemporaryDirectory directory;
  const std::string lock = directory / "index.lock";
  for (const bool out_of_time : {true, false}) {
    Signal there;
    const auto running = harness.start(plan(child({"tidy-up", lock, there.name()})),
                                       out_of_time ? with_timeout(2s) : RunOptions{});
    REQUIRE(until_set(harness, there));
    REQUIRE(::GetFileAttributesW(wide(lock).c_str()) != INVALID_FILE_ATTRIBUTES);
    if (!out_of_time) running->cancellation.cancel();
    const auto& outcome = harness.finish(running);
    CHECK(outcome.timed_out == out_of_time);
    CHECK(outcome.exit_code == 3);
    CHECK(::GetFileAttributesW(wide(lock).c_str()) == INVALID_FILE_ATTRIBUTES);
  }
}

TEST_CASE("a program that does not mind Ctrl-C ends after the grace") {
  Harness harness;
  Signal there;
  const auto running = harness.start(plan(child({"ignore-ctrl-c", there.name()})));
  REQUIRE(until_set(harness, there));
  const auto cancelled = std::chrono::steady_clock::now();
  running->cancellation.cancel();
  const auto& outcome = harness.finish(running);
  CHECK(outcome.signal == 9);
  CHECK(std::chrono::steady_clock::now() - cancelled >= 3s);
  CHECK(std::chrono::steady_clock::now() - cancelled < 10s);
}

TEST_CASE("what a run asked in its console is told when it is out of time") {
  Harness harness;
  Signal asked;
  const auto running =
      harness.start(plan(child({"ask", "continue connecting (yes/no)? ", asked.name()})), with_timeout(2s));
  REQUIRE(until_set(harness, asked));
  const auto& outcome = harness.finish(running);
  CHECK(outcome.timed_out);
  CHECK(outcome.standard_error.text.find("nobody sees, last showed:\ncontinue connecting (yes/no)?") !=
        std::string::npos);
  CHECK(outcome.standard_output.text.empty());
}

TEST_CASE("a run that ends well leaves its background processes alone") {
  Harness harness;
  TemporaryDirectory directory;
  Signal all_there;
  const auto running = harness.start(plan(child({"leave-tree", "1", directory.path(), all_there.name()})));
  REQUIRE(until_set(harness, all_there));
  const UniqueFd left = open_process(std::stoll(read_file(directory / "0")));
  REQUIRE(left);
  CHECK(harness.finish(running).exit_code == 0);
  harness.shutdown();
  CHECK_FALSE(has_ended(left));
  ::TerminateProcess(as_handle(left.get()), 0);
}

TEST_CASE("what a program leaves behind ends when the program failed") {
  Harness harness;
  TemporaryDirectory directory;
  Signal all_there;
  const auto running =
      harness.start(plan(child({"fail-and-leave-tree", "1", directory.path(), all_there.name()})));
  REQUIRE(until_set(harness, all_there));
  const UniqueFd left = open_process(std::stoll(read_file(directory / "0")));
  CHECK(harness.finish(running).exit_code == 5);
  CHECK((!left || has_ended(left)));
}

TEST_CASE("a file is held from the decision to the spawn, and free again while its program runs") {
  Harness harness;
  TemporaryDirectory directory;
  const auto program = directory.copy_of_test_child("tool.exe");
  const auto beside = directory.write("beside.exe", "MZ");
  auto files = std::make_shared<OpenedFiles>();
  REQUIRE(files->facts(program).kind == policy::FileKind::kRegular);
  files->facts(beside);
  Signal started;
  RunOptions options;
  bool held = false;
  options.before_spawn = [&]() -> boost::asio::awaitable<std::optional<Error>> {
    held = !open_for_writing(program) && !rename_file(program, directory / "other.exe");
    co_return std::nullopt;
  };
  const RunCancellation cancellation = options.cancellation;
  const auto running =
      harness.start(plan(command(program, {"tool", "say-and-sleep", "x", started.name()})), options, files);
  REQUIRE(until_set(harness, started));
  CHECK(held);
  // What runs may be renamed, as an update does; what only was looked at may be written.
  CHECK(open_for_writing(beside));
  CHECK(rename_file(program, directory / "other.exe"));
  running->cancellation.cancel();
  CHECK(harness.finish(running).cancelled);
}

TEST_CASE("a file that is being written is not started") {
  Harness harness;
  TemporaryDirectory directory;
  const auto program = directory.copy_of_test_child("tool.exe");
  const UniqueFd writer = open_for_writing(program);
  const auto outcome = harness.run(command(program, {"tool", "streams"}));
  CHECK(outcome.launch_error == "Command failed during launch or output capture (ETXTBSY)");
  CHECK(outcome.leader_pid == 0);
}

TEST_CASE("another file than the judged one is not started") {
  Harness harness;
  auto wanted = child({"streams"});
  OpenedFiles files;
  wanted.identity = files.facts(test_child()).identity;
  wanted.identity.inode += 1;
  CHECK(harness.run(wanted).launch_error == "executable changed between decision and spawn");
}

TEST_CASE("launch failures have the names of errno") {
  Harness harness;
  TemporaryDirectory directory;
  const auto code_of = [&](const PlannedCommand& wanted) { return harness.run(wanted).launch_error; };
  CHECK(code_of(command("", {"missing"})) == "Command failed during launch or output capture (ENOENT)");
  CHECK(code_of(command(directory / "nothing.exe", {"x"})) ==
        "Command failed during launch or output capture (ENOENT)");
  CHECK(code_of(command(directory.write("text.exe", "no program"), {"x"})) ==
        "Command failed during launch or output capture (ENOEXEC)");
  CHECK(code_of(command(directory.write("x.cmd", "@echo x"), {"x", "a&b"})) ==
        "Command failed during launch or output capture (EINVAL)");
  auto elsewhere = plan(child({"streams"}));
  elsewhere.cwd = directory / "nothing";
  CHECK(harness.run(elsewhere).launch_error.find("does not exist on the node host") != std::string::npos);
}

TEST_CASE("a script that a program reads is held until the run ends") {
  Harness harness;
  TemporaryDirectory directory;
  const auto script = directory.write("script.txt", "x");
  auto files = std::make_shared<OpenedFiles>();
  const auto facts = files->facts(script);
  Signal started;
  auto wanted = child({"say-and-sleep", script, started.name()});
  policy::ScriptOperand operand;
  operand.index = 2;
  operand.path = script;
  operand.identity = facts.identity;
  operand.sha256 = files->content_sha256(script);
  wanted.script = operand;
  const auto running = harness.start(plan(wanted), {}, files);
  files.reset();
  REQUIRE(until_set(harness, started));
  CHECK_FALSE(open_for_writing(script));
  running->cancellation.cancel();
  CHECK(harness.finish(running).standard_output.text == script);
  CHECK(open_for_writing(script));
}

TEST_CASE("a pipeline passes its bytes on") {
  Harness harness;
  // The second program ends at the end of its input, which is the first one's output.
  const auto outcome = harness.run(plan({pipeline({child({"hex", "61"}), child({"input"})})}));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.standard_output.text == "no end\n");
}

// By these a program of the run can tell which run it is part of.
TEST_CASE("while a program runs it is in the roster, and in the job that has the name of its run") {
  const TemporaryDirectory directory;
  const std::string roster = directory / "node.runs";
  RunExecutor::Settings settings;
  settings.roster = roster;
  Harness harness(settings);
  Signal started;
  RunOptions options;
  options.row = [] { return std::int64_t{7}; };
  const auto running = harness.start(plan(child({"say-and-sleep", "x", started.name()})), options);
  REQUIRE(until_set(harness, started));
  const std::vector<RunRoster::Member> members_now = RunRoster::read(roster);
  REQUIRE(members_now.size() == 1);
  CHECK(members_now[0].row == 7);
  const UniqueFd job =
      owned(::OpenJobObjectW(JOB_OBJECT_QUERY, FALSE, wide(run_job_name(members_now[0].marker)).c_str()));
  REQUIRE(job);
  const UniqueFd process =
      owned(::OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, static_cast<DWORD>(members_now[0].pid)));
  BOOL inside = FALSE;
  REQUIRE(::IsProcessInJob(as_handle(process.get()), as_handle(job.get()), &inside) != 0);
  CHECK(inside != FALSE);
  REQUIRE(::IsProcessInJob(::GetCurrentProcess(), as_handle(job.get()), &inside) != 0);
  CHECK(inside == FALSE);
  // This process started it, but is in no run.
  const auto processes = processes_of_this_system(directory.path());
  CHECK_FALSE(processes->in_job_of(members_now[0].marker));
  CHECK_FALSE(find_descent(*processes).from_run);
  running->cancellation.cancel();
  harness.finish(running);
  CHECK(RunRoster::read(roster).empty());
}

}  // namespace
}  // namespace hostclaw::node_host
