// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/host/host_facts.h"

#include <algorithm>

#include "test_support.h"

namespace hostclaw::node_host {
namespace {

TEST_CASE("host stats stay within the limits of the event that carries them") {
  const HostStats stats = read_host_stats("/");
  CHECK(stats.cpu_count >= 1);
  CHECK(stats.cpu_count <= 4096);
  CHECK(stats.memory_total_bytes > 0);
  CHECK(stats.memory_free_bytes > 0);
  CHECK(stats.memory_free_bytes <= stats.memory_total_bytes);
  REQUIRE(stats.disk_total_bytes);
  REQUIRE(stats.disk_available_bytes);
  CHECK(*stats.disk_available_bytes <= *stats.disk_total_bytes);
}

TEST_CASE("the disk is left out as a pair when the home directory does not exist") {
  const HostStats stats = read_host_stats("/nonexistent");
  CHECK_FALSE(stats.disk_total_bytes);
  CHECK_FALSE(stats.disk_available_bytes);
}

TEST_CASE("the environment is that of the process") {
  ::setenv("HOSTCLAW_TEST_VARIABLE", "a=b", 1);
  const auto environment = current_environment();
  CHECK(std::find(environment.begin(), environment.end(),
                  std::pair<std::string, std::string>("HOSTCLAW_TEST_VARIABLE", "a=b")) != environment.end());
  ::unsetenv("HOSTCLAW_TEST_VARIABLE");
}

TEST_CASE("the home directory is HOME only when it is absolute") {
  const char* old = ::getenv("HOME");
  const std::string saved = old != nullptr ? old : "";
  ::setenv("HOME", "/some/where", 1);
  CHECK(home_directory() == "/some/where");
  ::setenv("HOME", "relative", 1);
  CHECK(home_directory().front() == '/');
  CHECK(home_directory() != "relative");
  if (old != nullptr) {
    ::setenv("HOME", saved.c_str(), 1);
  } else {
    ::unsetenv("HOME");
  }
}

TEST_CASE("the machine and the process know themselves") {
  CHECK_FALSE(host_name().empty());
  CHECK_FALSE(default_display_name().empty());
  CHECK(running_as_root() == (::geteuid() == 0));
  CHECK(current_directory() == std::filesystem::current_path().string());
  CHECK(resident_bytes() > 100'000);
}

}  // namespace
}  // namespace hostclaw::node_host
