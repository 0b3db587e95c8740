// SPDX-License-Identifier: Apache-2.0
// Runs in control groups of their own, where this machine lets the tests make some; tests/service/run.sh has
// the same in a delegated group of a real systemd. And what runs use, with groups and without.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "node-host/system/process/control_group.h"
#include "run_support.h"

namespace hostclaw::node_host {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

// A folder of groups that is nobody else's; empty where none can be made.
class RealGroups {
 public:
  RealGroups() {
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
      const fs::path path = fs::path(root) / ("hostclaw-test-" + std::to_string(::getpid()));
      std::error_code failed;
      if (!fs::exists(fs::path(root) / "cgroup.controllers") || !fs::create_directory(path, failed)) continue;
      path_ = path;
      if (can_be_entered()) return;
      fs::remove(path_, failed);
      path_.clear();
    }
  }
  ~RealGroups() {
    std::error_code failed;
    if (path_.empty()) return;
    for (int depth = 0; depth < 3; ++depth)
      for (const auto& entry : fs::recursive_directory_iterator(path_, failed))
        if (entry.is_directory()) ::rmdir(entry.path().c_str());
    ::rmdir(path_.c_str());
  }
  explicit operator bool() const { return !path_.empty(); }
  std::shared_ptr<ControlGroups> groups() const { return std::make_shared<ControlGroups>(path_.string()); }
  std::size_t count() const {
    return static_cast<std::size_t>(std::count_if(fs::directory_iterator(path_), fs::directory_iterator(),
                                                  [](const auto& entry) { return entry.is_directory(); }));
  }

 private:
  bool can_be_entered() const {
    Harness harness({.control_groups = groups()});
    return harness.run(command("/bin/true", {"true"})).used.of == ResourceUse::Of::kGroup;
  }
  fs::path path_;
};

TEST_CASE("a group says who is in it and below it, and what was used") {
  TemporaryDirectory directory;
  ControlGroups groups(directory.path());
  const auto group = groups.make();
  REQUIRE(group);
  const fs::path path = fs::path(directory.path()) / "run-1";
  write(path / "cgroup.procs", "12\n0\n34\n");
  write(path / "cgroup.events", "populated 1\nfrozen 0\n");
  write(path / "cgroup.kill", "");
  write(path / "cpu.stat", "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n");
  fs::create_directory(path / "inner");
  write(path / "inner" / "cgroup.procs", "56\n");
  std::vector<std::int64_t> members = group->members();
  std::sort(members.begin(), members.end());
  CHECK(members == std::vector<std::int64_t>{12, 34, 56});
  CHECK_FALSE(group->empty());
  CHECK(group->use().of == ResourceUse::Of::kGroup);
  CHECK(group->use().cpu == 1500us);
  CHECK_FALSE(group->use().peak_memory_bytes.has_value());  // no memory controller here
  write(path / "memory.peak", "4096\n");
  CHECK(group->use().peak_memory_bytes == 4096U);
  CHECK(group->kill_all());
  fs::remove(path / "cgroup.kill");  // a kernel before 5.14
  CHECK_FALSE(group->kill_all());
  write(path / "cgroup.events", "populated 0\nfrozen 0\n");
  CHECK(group->empty());
}

TEST_CASE("groups get numbers that are free, and one in which something runs is removed later") {
  TemporaryDirectory directory;
  const fs::path path = directory.path();
  fs::create_directory(path / "run-1");  // of an earlier process, over
  fs::create_directory(path / "run-2");  // of an earlier process, and something runs on
  write(path / "run-2" / "cgroup.events", "populated 1\n");
  fs::create_directory(path / "node");
  ControlGroups groups(path.string());
  CHECK_FALSE(fs::exists(path / "run-1"));
  CHECK(groups.left() == 1);
  {
    const auto first = groups.make(), second = groups.make();
    CHECK(fs::exists(path / "run-1"));
    CHECK(fs::exists(path / "run-3"));
  }
  CHECK_FALSE(fs::exists(path / "run-1"));
  fs::remove(path / "run-2" / "cgroup.events");
  CHECK(groups.left() == 0);
  CHECK_FALSE(fs::exists(path / "run-2"));
  CHECK(fs::exists(path / "node"));
}

TEST_CASE("where no group can be made a run goes without") {
  Harness harness({.control_groups = std::make_shared<ControlGroups>("/nonexistent/groups")});
  const auto outcome = harness.run(command("/bin/true", {"true"}));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.used.of == ResourceUse::Of::kPrograms);
}

TEST_CASE("a folder that is no control group does not hold a run, and its figures are not believed") {
  TemporaryDirectory directory;
  Harness harness({.control_groups = std::make_shared<ControlGroups>(directory.path())});
  const auto outcome = harness.run(command("/bin/true", {"true"}));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.used.of == ResourceUse::Of::kPrograms);
}

TEST_CASE("processor time and memory of a run are known without groups") {
  Harness harness;
  // 64 MiB, more than the tests use themselves, and some work.
  const auto outcome = harness.run(shell("x=$(head -c 67108864 /dev/zero | tr '\\0' x); echo ${#x}"));
  CHECK(outcome.standard_output.text == "67108864\n");
  CHECK(outcome.used.of == ResourceUse::Of::kPrograms);
  REQUIRE(outcome.used.cpu.has_value());
  CHECK(*outcome.used.cpu > 1ms);
  CHECK(*outcome.used.cpu < 60s);
  REQUIRE(outcome.used.peak_memory_bytes.has_value());
  CHECK(*outcome.used.peak_memory_bytes > 64U << 20);
  CHECK(*outcome.used.peak_memory_bytes < 1024U << 20);
}

TEST_CASE("a peak below that of this process is not told: the kernel counts ours as the child's") {
  Harness harness;
  const auto outcome = harness.run(command("/bin/true", {"true"}));
  CHECK(outcome.used.cpu.has_value());
  CHECK_FALSE(outcome.used.peak_memory_bytes.has_value());
}

TEST_CASE("a run that started nothing used nothing") {
  Harness harness;
  const auto outcome = harness.run(command("/nonexistent/program", {"program"}));
  CHECK(outcome.used.of == ResourceUse::Of::kNothing);
  CHECK_FALSE(outcome.used.cpu.has_value());
}

TEST_CASE("in a group nothing escapes a timeout, also beside other runs") {
  RealGroups real;
  if (!real) {
    WARN("no control groups can be made here");
    return;
  }
  {
    Harness harness({.kill_grace = 50ms, .control_groups = real.groups()});
    Reports reports(harness);
    Reports of_other(harness);
    const auto other = harness.start(plan(child({"escape-clean", of_other.path()})));
    const auto orphan_of_other = of_other.next_pid();
    // A session of its own, a double fork and a wiped environment: without a group it could be the other's.
    const auto running = harness.start(plan(child({"escape-clean", reports.path()})), with_timeout(300ms));
    const auto orphan = reports.next_pid();
    CHECK(is_alive(orphan));
    const auto& outcome = harness.finish(running);
    CHECK(outcome.timed_out);
    CHECK(outcome.used.of == ResourceUse::Of::kGroup);
    CHECK_FALSE(is_alive(orphan));
    CHECK(is_alive(orphan_of_other));
    other->cancellation.cancel();
    CHECK(harness.finish(other).cancelled);
    CHECK_FALSE(is_alive(orphan_of_other));
  }
  CHECK(real.count() == 0);
}

TEST_CASE("in a group what a failed command left ends, and what a successful one left stays") {
  RealGroups real;
  if (!real) {
    WARN("no control groups can be made here");
    return;
  }
  const auto groups = real.groups();
  Harness harness({.kill_grace = 50ms, .control_groups = groups});
  const auto daemon = [](const std::string& end) {
    return shell("{ setsid sh -c 'echo $$; exec sleep 60 >/dev/null 2>&1 </dev/null' & } | head -n 1; " +
                 end);
  };
  const auto pid_in = [](const RunOutcome& outcome) {
    return std::strtoll(outcome.standard_output.text.c_str(), nullptr, 10);
  };
  const auto failed = harness.run(daemon("exit 3"));
  CHECK(failed.exit_code == 3);
  REQUIRE(pid_in(failed) > 0);
  CHECK_FALSE(is_alive(pid_in(failed)));
  CHECK(real.count() == 0);

  const auto succeeded = harness.run(daemon("exit 0"));
  CHECK(succeeded.exit_code == 0);
  REQUIRE(is_alive(pid_in(succeeded)));
  CHECK(groups->left() == 1);
  ::kill(static_cast<pid_t>(pid_in(succeeded)), SIGKILL);
  harness.wait_until([&] { return groups->left() == 0; });
  CHECK(real.count() == 0);
}

TEST_CASE("a group counts all that ran in it, also what nobody waited for") {
  RealGroups real;
  if (!real) {
    WARN("no control groups can be made here");
    return;
  }
  Harness harness({.control_groups = real.groups()});
  const auto outcome =
      harness.run(shell("( (i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo counted) & ) | cat"));
  CHECK(outcome.standard_output.text == "counted\n");
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.used.of == ResourceUse::Of::kGroup);
  REQUIRE(outcome.used.cpu.has_value());
  CHECK(*outcome.used.cpu > 20ms);
}

}  // namespace
}  // namespace hostclaw::node_host
