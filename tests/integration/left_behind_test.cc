// SPDX-License-Identifier: Apache-2.0
// What a node that was killed left running.
#include <signal.h>

#include <catch2/catch.hpp>

#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

// Starts something that outlives the node and holds `held`; the answer never comes.
std::future<Reply> start_holding(Scene& scene, const Fifo& held, const std::string& run_id,
                                 const std::string& begin = {}) {
  const std::string script = begin + "exec 3>'" + held.path() + "'; echo x >&3; exec sleep 600";
  return scene.invoke_async("system.run",
                            {{"command", Json::array({"/bin/sh", "-c", script})}, {"runId", run_id}});
}

void kill_host(Scene& scene) {
  scene.host->signal(SIGKILL);
  REQUIRE(scene.host->wait_exit(kPatience).has_value());
}

TEST_CASE("what a killed node left running is ended by its next start, and that is recorded") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  Fifo held(scene.directory.path() + "/held");
  // The second asks not to be asked.
  Fifo stubborn(scene.directory.path() + "/stubborn");
  const auto first = start_holding(scene, held, "left");
  const auto second = start_holding(scene, stubborn, "stubborn", "trap '' TERM; ");
  REQUIRE(held.wait_opened(kPatience));
  REQUIRE(stubborn.wait_opened(kPatience));
  kill_host(scene);
  scene.connect_host();
  CHECK(scene.host->wait_line("run left had outlived the node: ", kPatience).has_value());
  CHECK(held.wait_closed(kPatience));
  CHECK(stubborn.wait_closed(kPatience));
  const Finished rows = scene.hostclaw({"audit", "tail", "--json", "--kind", "left-behind"});
  INFO(rows.standard_output);
  CHECK(rows.standard_output.find("\"run\":\"left\"") != std::string::npos);
  CHECK(scene.hostclaw({"audit", "verify"}).status == 0);
  CHECK(scene.hostclaw({"runs", "--json"}).standard_output.find("interrupted") != std::string::npos);
}

TEST_CASE("what a run that ended left in the background is not touched") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  Fifo held(scene.directory.path() + "/held");
  const std::string script = "(sh -c 'echo $PPID' >'" + scene.directory.path() + "/pid'; exec 3>'" +
                             held.path() + "'; echo x >&3; exec sleep 600) >/dev/null 2>&1 </dev/null &";
  CHECK(pick(scene.run({"/bin/sh", "-c", script}), "/exitCode") == 0);
  REQUIRE(held.wait_opened(kPatience));
  Fifo other(scene.directory.path() + "/other");
  const auto unfinished = start_holding(scene, other, "left");
  REQUIRE(other.wait_opened(kPatience));
  kill_host(scene);
  scene.connect_host();
  CHECK(other.wait_closed(kPatience));
  CHECK_FALSE(held.wait_closed(std::chrono::milliseconds(0)));
  CHECK(scene.host->standard_error().find("run left had outlived") != std::string::npos);
  ::kill(std::stoi(read_file(scene.directory.path() + "/pid")), SIGKILL);
  CHECK(held.wait_closed(kPatience));
}

}  // namespace
}  // namespace hostclaw::integration
