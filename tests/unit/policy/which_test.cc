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

}  // namespace
}  // namespace hostclaw::policy
