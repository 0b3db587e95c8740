// SPDX-License-Identifier: Apache-2.0
// What a program that runs here does not inherit.
#include "run_support.h"

namespace hostclaw::node_host {
namespace {

TEST_CASE("a run's program has no descriptor of the host and no variable that the plan did not give") {
  Harness harness;
  TemporaryDirectory directory;
  // As a node has them: a database, a lock, a socket, each open without and with close-on-exec.
  const auto secret = directory.write("hostclaw.sqlite", "secret");
  const UniqueFd database(::open(secret.c_str(), O_RDWR));
  const UniqueFd lock(::open(secret.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::setenv("OPENCLAW_GATEWAY_TOKEN", "secret", 1) == 0);
  REQUIRE(::setenv("HOSTCLAW_STATE_DIR", directory.path().c_str(), 1) == 0);
  const std::string descriptors = harness.run(child({"descriptors"})).standard_output.text;
  const std::string variables = harness.run(child({"environment"})).standard_output.text;
  ::unsetenv("OPENCLAW_GATEWAY_TOKEN");
  ::unsetenv("HOSTCLAW_STATE_DIR");
  CHECK(descriptors == "0\n1\n2\n");
  CHECK(variables.find("OPENCLAW") == std::string::npos);
  CHECK(variables.find("HOSTCLAW_STATE_DIR") == std::string::npos);
}

}  // namespace
}  // namespace hostclaw::node_host
