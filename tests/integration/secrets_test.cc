// SPDX-License-Identifier: Apache-2.0
// What a program that the node runs can reach of the node's own.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <sstream>

#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

TEST_CASE("a program of a running node gets no secret, no path to its state and no descriptor of it") {
  Scene scene;
  scene.preset("yolo");
  const std::size_t from = scene.mark();
  scene.start_host({},
                   {{"OPENCLAW_GATEWAY_PASSWORD", "password-of-the-tests"}, {"HOSTCLAW_LOG_LEVEL", "info"}});
  scene.node_id = string_at(scene.await("connected", {}, from), "nodeId");

  const std::string variables = string_at(scene.run({"/usr/bin/env"}), "stdout");
  REQUIRE(variables.find("PATH=") != std::string::npos);
  CHECK(variables.find(kSharedToken) == std::string::npos);
  CHECK(variables.find("password-of-the-tests") == std::string::npos);
  CHECK(variables.find(scene.state_directory()) == std::string::npos);
  std::istringstream lines(variables);
  for (std::string line; std::getline(lines, line);) {
    // The run's mark, a random number of no further use, is the one name of ours.
    if (line.starts_with("HOSTCLAW_RUN=")) continue;
    const std::string name = line.substr(0, line.find('='));
    INFO(name);
    CHECK_FALSE(name.starts_with("HOSTCLAW"));
    CHECK(name.find("TOKEN") == std::string::npos);
    CHECK(name.find("PASSWORD") == std::string::npos);
  }

  // Nor do they find it with the node itself.
  const std::string of_node = string_at(scene.run({"/bin/sh", "-c", "cat /proc/$PPID/environ"}), "stdout");
  CHECK(of_node.find(kSharedToken) == std::string::npos);
  CHECK(of_node.find("password-of-the-tests") == std::string::npos);

  // The shell expands the pattern itself: no descriptor but its own three, and the one it reads the directory
  // with, which is gone when the names are looked at.
  const std::string descriptors = string_at(
      scene.run({"/bin/sh", "-c", "for fd in /proc/$$/fd/*; do [ -e \"$fd\" ] && echo \"${fd##*/}\"; done"}),
      "stdout");
  CHECK(descriptors == "0\n1\n2\n");
}

// A program of the same account that has no right of root's over other processes.
TEST_CASE("what a node holds in memory and has open is out of reach for other programs of its account") {
  if (::access("/usr/bin/setpriv", X_OK) != 0 || ::geteuid() != 0) {
    WARN("skipped: this needs root and setpriv");
    return;
  }
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  const auto look = [&](const std::string& what) {
    return scene.run({"/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all", "/bin/sh", "-c", what});
  };
  const std::string node = "/proc/" + std::to_string(scene.host->pid());
  CHECK(pick(look("cat " + node + "/environ"), "/exitCode") != 0);
  CHECK(pick(look("readlink " + node + "/fd/2"), "/exitCode") != 0);
  // Programs themselves are as ever.
  CHECK(pick(look("cat /proc/self/environ >/dev/null && ls /proc/self/fd >/dev/null"), "/exitCode") == 0);
}

}  // namespace
}  // namespace hostclaw::integration
