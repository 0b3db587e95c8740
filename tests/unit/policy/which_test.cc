// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

TEST_CASE("which: answers with the first existing path, not resolved") {
  Machine machine;
  const Result<Json> found = which({{"bins", {" sh ", "nosuch", "a/b", 5, "", "work"}}}, machine.context);
  REQUIRE(found.has_value());
  CHECK((*found)["bins"] == Json{{"sh", "/usr/bin/sh"}});
}

TEST_CASE("which: existence is enough, even of a directory") {
  Machine machine;
  machine.context.host_environment[0].second = "/home/u";
  CHECK((*which({{"bins", {"work"}}}, machine.context))["bins"]["work"] == "/home/u/work");
}

TEST_CASE("which: needs a list of names") {
  Machine machine;
  for (const char* params : {"null", "{}", R"({"bins":"x"})"}) {
    const Result<Json> result = which(Json::parse(params), machine.context);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == "INVALID_REQUEST");
    CHECK(result.error().message == "Error: INVALID_REQUEST: bins required");
  }
}

Json found_on(Machine& machine, const std::string& path, Json names) {
  machine.context.host_environment = {{"PATH", path}};
  return (*which({{"bins", std::move(names)}}, machine.context))["bins"];
}

TEST_CASE("which: directories are asked in their order, empty ones are left out") {
  Machine machine;
  machine.files.add_file("/opt/tools/id", "x", true);
  CHECK(found_on(machine, "/opt/tools:/usr/bin", {"id"})["id"] == "/opt/tools/id");
  CHECK(found_on(machine, "/usr/bin:/opt/tools", {"id"})["id"] == "/usr/bin/id");
  // An empty entry means the working directory to a shell, and nothing here.
  machine.context.host_cwd = "/home/u/work";
  CHECK(found_on(machine, ":/usr/bin:", {"script.sh"}).empty());
  CHECK(found_on(machine, "", {"id"}).empty());
  CHECK(found_on(machine, ".", {"script.sh"})["script.sh"] == "script.sh");
  CHECK(found_on(machine, "/usr/../opt/./tools/", {"id"})["id"] == "/opt/tools/id");
}

TEST_CASE("which: without a PATH the usual directories hold") {
  Machine machine;
  machine.files.remove("/usr/local/bin/uname");
  machine.files.remove("/usr/local/sbin/uname");
  machine.files.remove("/usr/sbin/uname");
  machine.context.host_environment = {{"HOME", "/home/u"}};
  CHECK((*which({{"bins", {"uname"}}}, machine.context))["bins"]["uname"] == "/usr/bin/uname");
}

TEST_CASE("which: names with separators or NUL are no names") {
  Machine machine;
  for (const std::string& name : {std::string("/usr/bin/id"), std::string("..\\id"), std::string("id\0", 3),
                                  std::string("  "), std::string("../id")}) {
    CHECK(found_on(machine, "/usr/bin", {name}).empty());
  }
}

TEST_CASE("which: on Windows the name's extensions are those of PATHEXT") {
  Machine machine;
  machine.context.platform = Platform::kWindows;
  machine.files.add_file("/opt/tools/both.cmd", "x", true);
  machine.files.add_file("/opt/tools/both.exe", "x", true);
  machine.files.add_file("/opt/tools/only.ps1", "x", true);
  const auto found = [&](const Environment& environment, const char* name) {
    machine.context.host_environment = environment;
    return (*which({{"bins", {name}}}, machine.context))["bins"];
  };
  CHECK(found({{"Path", "/nowhere;/opt/tools"}}, "both")["both"] == "\\opt\\tools\\both.exe");
  CHECK(found({{"PATH", "/opt/tools"}, {"PATHEXT", ".CMD; ;.EXE"}}, "both")["both"] ==
        "\\opt\\tools\\both.cmd");
  CHECK(found({{"PATH", "/opt/tools"}}, "both.exe")["both.exe"] == "\\opt\\tools\\both.exe");
  CHECK(found({{"PATH", "/opt/tools"}}, "only").empty());
  CHECK(found({{"PATH", "/opt/tools"}, {"PATHEXT", ".PS1"}}, "only")["only"] == "\\opt\\tools\\only.ps1");
}

}  // namespace
}  // namespace hostclaw::policy
