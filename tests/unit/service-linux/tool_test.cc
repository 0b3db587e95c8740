// SPDX-License-Identifier: Apache-2.0
#include "service-linux/tool.h"

#include <catch2/catch.hpp>
#include <csignal>

namespace hostclaw::service_linux {

TEST_CASE("a tool's status and both outputs come back") {
  const auto said = run_tool({"sh", "-c", "echo out; echo err >&2; exit 7"});
  REQUIRE(said.has_value());
  CHECK(said->status == 7);
  CHECK(said->standard_output == "out\n");
  CHECK(said->standard_error == "err\n");
}

TEST_CASE("a tool reads the input that is given, and nothing else") {
  ToolOptions options;
  options.input = "a code\n";
  const auto said = run_tool({"cat"}, options);
  REQUIRE(said.has_value());
  CHECK(said->standard_output == "a code\n");
  CHECK(run_tool({"cat"})->standard_output.empty());
}

TEST_CASE("a tool whose end is lost is no success") {
  const auto before = ::signal(SIGCHLD, SIG_IGN);
  const auto said = run_tool({"true"});
  ::signal(SIGCHLD, before);
  REQUIRE_FALSE(said.has_value());
  CHECK(said.error().code == "TOOL_FAILED");
}

TEST_CASE("a tool that does not end in time is killed") {
  ToolOptions options;
  options.timeout = std::chrono::seconds(1);
  const auto said = run_tool({"sleep", "600"}, options);
  REQUIRE_FALSE(said.has_value());
  CHECK(said.error().code == "TOOL_TIMEOUT");
}

TEST_CASE("a tool is looked up in the directories of the system alone") {
  CHECK(find_tool("sh").ends_with("/sh"));
  CHECK(find_tool("no-such-tool-of-any-system").empty());
  CHECK(run_tool({"no-such-tool-of-any-system"}).error().code == "TOOL_MISSING");
}

TEST_CASE("a variable that is given replaces the one that is there") {
  ToolOptions options;
  options.extra = {{"HOME", "/nowhere"}};
  CHECK(run_tool({"sh", "-c", "echo $HOME"}, options)->standard_output == "/nowhere\n");
}

}  // namespace hostclaw::service_linux
