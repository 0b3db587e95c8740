// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "policy/decide/batch.h"
#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

Json check(Machine& machine, const Json& row) {
  return Json::parse(check_batch_line(row.dump(), machine.context));
}

TEST_CASE("batch: a row is decided by its own document") {
  Machine machine;
  const Json row = {{"id", 7},
                    {"params", Machine::carried("uname -s | wc -l")},
                    {"document",
                     {{"version", 1},
                      {"defaults", {{"security", "allowlist"}, {"ask", "off"}}},
                      {"agents", {{"main", {{"allowlist", {{{"pattern", "uname"}}}}}}}}}}};
  const Json out = check(machine, row);
  CHECK(out["id"] == 7);
  CHECK(out["verdict"] == "allow");
  CHECK(out["argv"] == Json::parse(R"([["uname","-s"],["wc","-l"]])"));
}

TEST_CASE("batch: where the document is silent the strictness says what holds") {
  Machine machine;
  Json row = {{"id", "a"}, {"params", {{"command", {"uname"}}}}, {"strictness", "official"}};
  CHECK(check(machine, row)["verdict"] == "allow");
  row["strictness"] = "hardened";
  CHECK(check(machine, row)["verdict"] == "ask");
}

TEST_CASE("batch: rows can bring their own PATH") {
  Machine machine;
  machine.files.add_file("/opt/tools/git", "x", true);
  Json row = {{"id", 1},
              {"params", Machine::request({"git", "status"})},
              {"pathEnv", "/opt/tools:/usr/bin"},
              {"document", {{"agents", {{"main", {{"allowlist", {"/usr/bin/git"}}}}}}}}};
  CHECK(check(machine, row)["verdict"] == "ask");
  row["pathEnv"] = "/usr/bin";
  CHECK(check(machine, row)["verdict"] == "allow");
}

TEST_CASE("batch: lines that cannot be read are answered as invalid") {
  Machine machine;
  for (const char* line : {"", "{", "[]", "5", R"({"id":1})", R"({"id":1,"params":{},"strictness":"x"})",
                           "{\"id\":\"\\ud800\"}", R"({"id":1,"params":{"command":[]}})"}) {
    const Json out = Json::parse(check_batch_line(line, machine.context));
    CHECK(out["verdict"] == "invalid");
    CHECK_FALSE(out["code"].get<std::string>().empty());
    CHECK(out["argv"].empty());
  }
}

TEST_CASE("batch: a document that cannot be trusted denies") {
  Machine machine;
  const Json out = check(machine, {{"id", 1},
                                   {"params", Machine::request({"uname"})},
                                   {"document", {{"defaults", {{"autoAllowSkills", "yes"}}}}}});
  CHECK(out["verdict"] == "deny");
  CHECK(out["code"] == "POLICY_MALFORMED");
}

}  // namespace
}  // namespace hostclaw::policy
