// SPDX-License-Identifier: Apache-2.0
// What a node says about a Windows machine, and the lock that keeps a second one away.
#include "node-host/system/host/host_facts.h"

#include <algorithm>

#include "node-host/system/files/instance_lock.h"
#include "windows_support.h"

namespace hostclaw::node_host {
namespace {

TEST_CASE("host stats stay within the limits of the event that carries them") {
  const HostStats stats = read_host_stats("C:\\");
  CHECK(stats.cpu_count >= 1);
  CHECK(stats.cpu_count <= 4096);
  CHECK_FALSE(stats.load_average);
  CHECK(stats.memory_total_bytes > 0);
  CHECK(stats.memory_free_bytes > 0);
  CHECK(stats.memory_free_bytes <= stats.memory_total_bytes);
  REQUIRE(stats.disk_total_bytes);
  REQUIRE(stats.disk_available_bytes);
  CHECK(*stats.disk_available_bytes <= *stats.disk_total_bytes);
}

TEST_CASE("the machine and the process know themselves") {
  CHECK_FALSE(host_name().empty());
  CHECK(current_user().starts_with("user "));
  CHECK(host_policy_platform() == policy::Platform::kWindows);
  CHECK(host_platform() == "win32");
  CHECK(executable_path().ends_with(".exe"));
  CHECK(home_directory().substr(1, 2) == ":\\");
  CHECK(current_directory().substr(1, 2) == ":\\");
  CHECK(resident_bytes() > 100'000);
}

TEST_CASE("the environment is that of the process, in UTF-8") {
  REQUIRE(::SetEnvironmentVariableW(L"HOSTCLAW_TEST", L"a=\u00E9") != 0);
  const auto environment = current_environment();
  ::SetEnvironmentVariableW(L"HOSTCLAW_TEST", nullptr);
  CHECK(std::find(environment.begin(), environment.end(),
                  std::pair<std::string, std::string>("HOSTCLAW_TEST", "a=\xC3\xA9")) != environment.end());
}

TEST_CASE("one node per state directory") {
  TemporaryDirectory directory;
  {
    const auto first = InstanceLock::acquire(directory.path());
    REQUIRE(first.has_value());
    first->note("a note");
    const auto holder = InstanceLock::holder(directory.path());
    REQUIRE(holder.has_value());
    CHECK(holder->pid == process_id());
    CHECK(holder->note == "a note");
    const auto second = InstanceLock::acquire(directory.path());
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == "ALREADY_RUNNING");
    CHECK(second.error().message.find(std::to_string(process_id())) != std::string::npos);
  }
  CHECK_FALSE(InstanceLock::holder(directory.path()).has_value());
  CHECK(InstanceLock::acquire(directory.path()).has_value());
  CHECK(InstanceLock::acquire(directory / "nothing").error().code == "STORE_IO");
}

}  // namespace
}  // namespace hostclaw::node_host
