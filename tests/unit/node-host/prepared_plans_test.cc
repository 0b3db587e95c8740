// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/prepared_plans.h"

#include <catch2/catch.hpp>

#include "node-host/doors/gateway/gateway_policy.h"

namespace hostclaw::node_host {
namespace {

Json plan_of(const std::string& word) {
  return {{"argv", {word}}, {"commandText", word}, {"cwd", "/srv"}, {"agentId", "main"}};
}

policy::PrepareEvaluation prepared(const std::string& word) {
  policy::PrepareEvaluation out;
  out.ok = true;
  out.payload = {{"plan", plan_of(word)}};
  out.run.agent_id = "main";
  out.remember.listed = true;
  out.remember.command_words = {word};
  out.visible_markers = {{word, std::nullopt}};
  return out;
}

}  // namespace

TEST_CASE("prepared plans: a plan that comes back is found, another one is not") {
  PreparedPlans plans;
  const auto document = std::make_shared<const policy::PolicyDocument>();
  CHECK(plans.find(Json{{"systemRunPlan", plan_of("uname")}}) == nullptr);
  plans.remember(prepared("uname"), document);
  const auto found = plans.find(Json{{"command", {"uname"}}, {"systemRunPlan", plan_of("uname")}});
  REQUIRE(found != nullptr);
  CHECK(found->command_words == std::vector<std::string>{"uname"});
  Json other = plan_of("uname");
  other["cwd"] = "/tmp";
  CHECK(plans.find(Json{{"systemRunPlan", other}}) == nullptr);
  CHECK(plans.find(Json{{"command", {"uname"}}}) == nullptr);
  CHECK(plans.find(Json()) == nullptr);
  CHECK(plans.find(Json{{"systemRunPlan", 5}}) == nullptr);
}

TEST_CASE("prepared plans: markers carry the document under which they were allowed") {
  PreparedPlans plans;
  const auto document = std::make_shared<const policy::PolicyDocument>();
  plans.remember(prepared("uname"), document);
  const auto markers = plans.markers();
  REQUIRE(markers.size() == 1);
  CHECK(markers.front().agent == "main");
  CHECK(markers.front().entry.pattern == "uname");
  CHECK(markers.front().document == document);
}

TEST_CASE("gateway policy: only what is new is news, of at most 64 agents") {
  GatewayPolicies policies;
  const Json full{{"security", "full"}, {"ask", "off"}};
  const Json strict{{"security", "allowlist"}, {"ask", "always"}};
  REQUIRE(policies.news("main", full).has_value());
  CHECK_FALSE(policies.news("main", full).has_value());
  CHECK(policies.news("main", strict)->security == policy::Security::kAllowlist);
  CHECK_FALSE(policies.news("main", Json{{"security", "full"}}).has_value());
  CHECK_FALSE(policies.news("main", Json()).has_value());
  for (int i = 0; i < 63; ++i) CHECK(policies.news(std::to_string(i), full).has_value());
  CHECK_FALSE(policies.news("one too many", full).has_value());
  CHECK(policies.news("main", full).has_value());
}

}  // namespace hostclaw::node_host
