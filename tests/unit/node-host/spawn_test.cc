// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/spawn.h"
#include "node-host/system/process/process_start.h"

#include <poll.h>
#include <sys/wait.h>

#include <sstream>

#include "test_support.h"

namespace hostclaw::node_host {
namespace {

struct Finished {
  int code = -1;  // -1: by a signal
  std::string output;
  std::string error;  // errno name of a failed launch
};

struct Launch {
  std::vector<std::string> argv;
  std::string executable = test_child();
  std::string directory = "/";
  std::vector<std::string> environment{"PATH=/usr/bin:/bin"};
  bool want_exit_descriptor = true;
};

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t count; (count = ::read(fd, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(count));
  return text;
}

Finished run(const Launch& launch) {
  const UniqueFd executable(::open(launch.executable.c_str(), O_PATH | O_CLOEXEC));
  const UniqueFd directory(::open(launch.directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  REQUIRE(executable);
  REQUIRE(directory);
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  auto child = spawn({.executable = executable.get(),
                      .form = launch_form(executable.get(), launch.executable),
                      .path = launch.executable,
                      .argv = launch.argv,
                      .environment = launch.environment,
                      .directory = directory.get(),
                      .stdio = {input.get(), writing.get(), writing.get()},
                      .want_exit_descriptor = launch.want_exit_descriptor});
  writing.reset();
  Finished finished;
  if (!child) {
    finished.error = child.error().code;
    return finished;
  }
  if (launch.want_exit_descriptor) {
    REQUIRE(child->exit_descriptor);
  } else {
    CHECK_FALSE(child->exit_descriptor);
  }
  CHECK(is_our_child(child->pid));
  finished.output = read_all(reading.get());
  if (child->exit_descriptor) {
    pollfd event{child->exit_descriptor.get(), POLLIN, 0};
    REQUIRE(::poll(&event, 1, 10'000) == 1);
  }
  int status = 0;
  REQUIRE(::waitpid(static_cast<pid_t>(child->pid), &status, 0) == child->pid);
  forget_child(child->pid);
  CHECK_FALSE(is_our_child(child->pid));
  if (WIFEXITED(status)) finished.code = WEXITSTATUS(status);
  return finished;
}

TEST_CASE("a program runs and its output is its own") {
  const auto finished = run({.argv = {"name", "arguments", "one", "", "t w o"}});
  CHECK(finished.code == 0);
  CHECK(finished.output == "4:name\n3:one\n0:\n5:t w o\n");
}

TEST_CASE("a child sees only 0, 1 and 2 although the parent leaks descriptors") {
  const UniqueFd leaked(::open("/dev/null", O_RDWR));
  const UniqueFd far_away(::fcntl(leaked.get(), F_DUPFD, 500));
  CHECK(run({.argv = {"x", "descriptors"}}).output == "0\n1\n2\n");
}

TEST_CASE("a child leads a session and a process group of its own") {
  std::istringstream ids(run({.argv = {"x", "ids"}}).output);
  long pid = 0;
  long session = 0;
  long group = 0;
  REQUIRE(ids >> pid >> session >> group);
  CHECK(session == pid);
  CHECK(group == pid);
}

TEST_CASE("blocked and ignored signals of the parent do not reach a child") {
  sigset_t blocked;
  sigset_t saved;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &blocked, &saved);
  const auto old_pipe = ::signal(SIGPIPE, SIG_IGN);
  const auto old_hangup = ::signal(SIGHUP, SIG_IGN);
  look_at_signals_again();
  const auto output = run({.argv = {"x", "signals"}}).output;
  ::signal(SIGHUP, old_hangup);
  ::signal(SIGPIPE, old_pipe);
  look_at_signals_again();
  sigset_t now;
  ::sigprocmask(SIG_SETMASK, &saved, &now);
  CHECK(output.find("SigBlk:\t0000000000000000") != std::string::npos);
  CHECK(output.find("SigIgn:\t0000000000000000") != std::string::npos);
  CHECK(sigismember(&now, SIGUSR1) == 1);
  CHECK(sigismember(&now, SIGUSR2) == 0);
}

TEST_CASE("a child gets exactly the environment it was given") {
  CHECK(run({.argv = {"x", "environment"}, .environment = {"A=1", "B=", "C=x=y"}}).output ==
        "A=1\nB=\nC=x=y\n");
}

TEST_CASE("a child starts in the given directory") {
  TemporaryDirectory directory;
  const auto finished = run({.argv = {"pwd", "-P"}, .executable = "/bin/pwd", .directory = directory.path()});
  CHECK(finished.output == directory.path() + "\n");
}

TEST_CASE("a script is run by its interpreter with its own arguments") {
  TemporaryDirectory directory;
  const auto script = directory.write("script", "#!/bin/sh\nprintf '%s|' \"$@\"; exit 3\n", 0755);
  const auto finished = run({.argv = {"script", "a", "b c"}, .executable = script});
  CHECK(finished.code == 3);
  CHECK(finished.output == "a|b c|");
}

TEST_CASE("a script on a safe path sees its path as its name") {
  TemporaryDirectory directory;
  const auto script = directory.write("script", "#!/bin/sh\necho \"$0\"\n", 0755);
  CHECK(run({.argv = {"script"}, .executable = script}).output == script + "\n");
}

TEST_CASE("a script whose path others can re-point is run from its descriptor") {
  TemporaryDirectory directory;
  directory.make_directory("open", 0777);
  const auto script = directory.write("open/script", "#!/bin/sh\necho \"$0\"; cat \"$0\" | wc -l\n", 0755);
  const auto finished = run({.argv = {"script"}, .executable = script});
  CHECK(finished.output == "/dev/fd/97\n2\n");
}

TEST_CASE("a script by descriptor is the judged file although the path leads to another one") {
  TemporaryDirectory directory;
  directory.make_directory("open", 0777);
  const auto script = directory.write("open/script", "#!/bin/sh\necho judged\n", 0755);
  const UniqueFd executable(::open(script.c_str(), O_PATH | O_CLOEXEC));
  REQUIRE(launch_form(executable.get(), script) == LaunchForm::kScriptByDescriptor);
  std::filesystem::rename(directory.write("open/other", "#!/bin/sh\necho other\n", 0755), script);
  const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const std::vector<std::string> argv{"script"};
  const std::vector<std::string> environment;
  const auto child = spawn({.executable = executable.get(),
                            .form = LaunchForm::kScriptByDescriptor,
                            .path = script,
                            .argv = argv,
                            .environment = environment,
                            .directory = root.get(),
                            .stdio = {input.get(), writing.get(), writing.get()}});
  writing.reset();
  REQUIRE(child.has_value());
  CHECK(read_all(reading.get()) == "judged\n");
  ::waitpid(static_cast<pid_t>(child->pid), nullptr, 0);
  forget_child(child->pid);
}

TEST_CASE("a launch that fails says why, as the kernel said it") {
  TemporaryDirectory directory;
  CHECK(run({.argv = {"x"}, .executable = directory.path()}).error == "EACCES");
  CHECK(run({.argv = {"x"}, .executable = directory.write("data", "x", 0644)}).error == "EACCES");
  CHECK(run({.argv = {"x"}, .executable = directory.write("text", "echo hi\n", 0755)}).error == "ENOEXEC");
  CHECK(run({.argv = {"x"}, .executable = directory.write("lost", "#!/nonexistent/sh\n", 0755)}).error ==
        "ENOENT");
  CHECK(run({.argv = {"x"},
             .executable = directory.write("cut",
                                           "\x7f"
                                           "ELF",
                                           0755)})
            .error == "ENOEXEC");
  CHECK(run({.argv = {"x", std::string(2 << 20, 'a')}}).error == "E2BIG");
}

TEST_CASE("without an exit descriptor the child can still be waited for") {
  CHECK(run({.argv = {"x", "ids"}, .want_exit_descriptor = false}).code == 0);
}

TEST_CASE("descriptors below 3 are not lost when they are the source of another one") {
  TemporaryDirectory directory;
  const UniqueFd saved_input(::fcntl(0, F_DUPFD_CLOEXEC, 3));
  ::close(0);
  // The lowest number is free now, so the executable is opened as 0.
  const auto finished = run({.argv = {"x", "descriptors"}});
  if (saved_input) ::dup2(saved_input.get(), 0);
  CHECK(finished.output == "0\n1\n2\n");
}

TEST_CASE("failed launches leave no child behind") {
  TemporaryDirectory directory;
  const auto text = directory.write("text", "echo hi\n", 0755);
  for (int i = 0; i < 10; ++i) CHECK(run({.argv = {"x"}, .executable = text}).error == "ENOEXEC");
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

}  // namespace
}  // namespace hostclaw::node_host
