// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/process_tree.h"

#include <sys/wait.h>

#include <algorithm>

#include "node-host/system/process/spawn.h"
#include "test_support.h"

namespace hostclaw::node_host {
namespace {

// A child of this process, started by the means of the room, that reports through a fifo.
class Started {
 public:
  Started(std::vector<std::string> arguments, const std::string& marker) {
    fifo_ = directory_ / "fifo";
    REQUIRE(::mkfifo(fifo_.c_str(), 0600) == 0);
    reports_.reset(::open(fifo_.c_str(), O_RDWR | O_CLOEXEC));
    std::vector<std::string> argv{test_child()};
    for (auto& argument : arguments) argv.push_back(argument == "FIFO" ? fifo_ : argument);
    const std::vector<std::string> environment{std::string(kRunMarkerVariable) + "=" + marker};
    const UniqueFd executable(::open(test_child().c_str(), O_PATH | O_CLOEXEC));
    const UniqueFd root(::open("/", O_PATH | O_CLOEXEC));
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    auto child = spawn({.executable = executable.get(),
                        .argv = argv,
                        .environment = environment,
                        .directory = root.get(),
                        .stdio = {null.get(), null.get(), null.get()}});
    REQUIRE(child.has_value());
    pid = child->pid;
  }
  ~Started() { end(); }

  std::int64_t read_report() {
    char buffer[64] = {};
    REQUIRE(::read(reports_.get(), buffer, sizeof buffer - 1) > 0);
    return std::strtoll(buffer, nullptr, 10);
  }
  void end() {
    if (pid == 0) return;
    ::kill(static_cast<pid_t>(pid), SIGKILL);
    ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
    forget_child(pid);
    pid = 0;
  }

  std::int64_t pid = 0;

 private:
  TemporaryDirectory directory_;
  std::string fifo_;
  UniqueFd reports_;
};

bool found(const std::vector<TreeProcess>& processes, std::int64_t pid) {
  return std::any_of(processes.begin(), processes.end(), [&](const auto& item) { return item.pid == pid; });
}

TEST_CASE("a program of the run is found by its pid") {
  Started child({"report-and-sleep", "FIFO"}, "m1");
  child.read_report();
  const auto processes = find_processes({.leaders = {child.pid}});
  REQUIRE(processes.size() == 1);
  CHECK(processes.front().pid == child.pid);
  CHECK(processes.front().handle);
}

TEST_CASE("a grandchild in another session whose parent has gone is found by its marker") {
  REQUIRE(become_reaper_of_orphans());
  Started child({"escape", "FIFO"}, "m2");
  const auto orphan = child.read_report();
  CHECK(::getsid(static_cast<pid_t>(orphan)) != child.pid);
  CHECK(found(find_processes({.marker = "m2"}), orphan));
  CHECK_FALSE(found(find_processes({.marker = "m"}), orphan));
  for (const auto& process : find_processes({.marker = "m2"})) send_signal(process, SIGKILL);
  child.end();
  while (exists(orphan)) reap_orphans(Sweep::kThorough);
}

TEST_CASE("nothing older than the run belongs to it") {
  Started child({"report-and-sleep", "FIFO"}, "m3");
  child.read_report();
  CHECK(find_processes({.leaders = {child.pid}, .marker = "m3", .not_before_ticks = ticks_since_boot() + 100})
            .empty());
}

TEST_CASE("only the groups are looked at when only they are asked for") {
  Started child({"escape", "FIFO"}, "m4");
  const auto orphan = child.read_report();
  const auto processes =
      find_processes({.leaders = {child.pid}, .groups = {child.pid}, .groups_only = true, .marker = "m4"});
  CHECK(found(processes, child.pid));
  CHECK_FALSE(found(processes, orphan));
  ::kill(static_cast<pid_t>(orphan), SIGKILL);
  child.end();
  while (exists(orphan)) reap_orphans(Sweep::kThorough);
}

TEST_CASE("a process that has ended is not found and cannot be signalled") {
  Started child({"report-and-sleep", "FIFO"}, "m5");
  child.read_report();
  const auto processes = find_processes({.leaders = {child.pid}});
  REQUIRE(processes.size() == 1);
  const auto pid = child.pid;
  child.end();
  CHECK_FALSE(send_signal(processes.front(), 0));
  CHECK(find_processes({.leaders = {pid}, .marker = "m5"}).empty());
}

TEST_CASE("a pid with another start time is not signalled") {
  Started child({"report-and-sleep", "FIFO"}, "m6");
  child.read_report();
  auto processes = find_processes({.leaders = {child.pid}});
  REQUIRE(processes.size() == 1);
  TreeProcess successor{child.pid, processes.front().start_ticks + 1, UniqueFd()};
  CHECK_FALSE(send_signal(successor, SIGKILL));
  CHECK(is_alive(child.pid));
}

TEST_CASE("reaping orphans leaves alone the children that others wait for") {
  REQUIRE(become_reaper_of_orphans());
  Started ours({"ids"}, "m7");
  const pid_t plain = ::fork();
  if (plain == 0) ::_exit(7);
  siginfo_t information{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(ours.pid), &information, WEXITED | WNOWAIT) == 0);
  REQUIRE(::waitid(P_PID, static_cast<id_t>(plain), &information, WEXITED | WNOWAIT) == 0);
  CHECK(reap_orphans());
  int status = 0;
  CHECK(::waitpid(plain, &status, 0) == plain);
  CHECK(WEXITSTATUS(status) == 7);
  CHECK(exists(ours.pid));
}

}  // namespace
}  // namespace hostclaw::node_host
