#include "policy/lint.h"

#include <catch2/catch.hpp>

#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

std::vector<std::string> codes(const Machine& machine) {
  std::vector<std::string> out;
  for (const LintFinding& finding : lint_policy(machine.document, machine.context)) {
    CHECK_FALSE(finding.message.empty());
    out.push_back(finding.code);
  }
  return out;
}

TEST_CASE("lint: entries that open a general door are named") {
  Machine machine;
  machine.list({"*"});
  CHECK(codes(machine) == std::vector<std::string>{"OPENS_EVERYTHING"});
  for (const char* pattern : {"/usr/bin/bash", "python3", "/usr/bin/find"}) {
    machine.list({pattern});
    REQUIRE_FALSE(codes(machine).empty());
    CHECK(codes(machine).back() == "GENERAL_DOOR");
  }
  machine.list({"/usr/bin/uname"});
  CHECK(codes(machine).empty());
}

TEST_CASE("lint: an entry that names its arguments is no general door") {
  Machine machine;
  machine.policy("allowlist", "off", {{{"pattern", "/usr/bin/find"}, {"argPattern", "^\\. -name x$"}}});
  CHECK(codes(machine).empty());
}

TEST_CASE("lint: entries that never match are named, with what would") {
  Machine machine;
  machine.list({"/bin/uname"});
  const std::vector<LintFinding> findings = lint_policy(machine.document, machine.context);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].code == "NEVER_MATCHES");
  CHECK(findings[0].instead.find("/usr/bin/uname") != std::string::npos);
  machine.policy("allowlist", "off", {{{"pattern", "/usr/bin/git"}, {"argPattern", "(?=a)b"}}});
  CHECK(codes(machine) == std::vector<std::string>{"NEVER_MATCHES"});
}

TEST_CASE("lint: patterns that any directory satisfies and open policies are named") {
  Machine machine;
  machine.list({"**/git"});
  CHECK(codes(machine) == std::vector<std::string>{"WIDE_PATTERN"});
  machine.policy("full", "off");
  CHECK(codes(machine) == std::vector<std::string>{"POLICY_OPEN"});
}

}  // namespace
}  // namespace hostclaw::policy
