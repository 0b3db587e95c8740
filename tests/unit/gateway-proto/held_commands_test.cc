// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/held_commands.h"

#include <catch2/catch.hpp>

using namespace hostclaw;
using namespace hostclaw::gateway_proto;
using Names = std::vector<std::string>;

namespace {

const Names kDeclared{"system.run", "system.run.prepare", "system.which"};

}  // namespace

TEST_CASE("what a gateway holds is read out of its description of the node") {
  const auto held = held_commands_from(
      Json::parse(
          R"({"nodeId":"n","commands":["system.which","system.run","camera.list"],"approvalState":"approved"})"),
      kDeclared);
  REQUIRE(held);
  CHECK(held->usable == Names{"system.run", "system.which"});
  CHECK(held->waiting.empty());
  CHECK(held->request_id.empty());
}

TEST_CASE("commands that wait for an approval are told apart from those that already work") {
  const auto held = held_commands_from(
      Json::parse(
          R"({"commands":["system.which"],"pendingRequestId":"r","pendingDeclaredCommands":["system.which","system.run"]})"),
      kDeclared);
  REQUIRE(held);
  CHECK(held->usable == Names{"system.which"});
  CHECK(held->waiting == Names{"system.run"});
  CHECK(held->request_id == "r");
}

TEST_CASE("a pending request that adds nothing of ours is none of our business") {
  const auto held = held_commands_from(
      Json::parse(
          R"({"commands":["system.run"],"pendingRequestId":"r","pendingDeclaredCommands":["system.run"]})"),
      kDeclared);
  REQUIRE(held);
  CHECK(held->waiting.empty());
  CHECK(held->request_id.empty());
}

TEST_CASE("a description without a list of commands tells nothing") {
  for (const char* text : {"null", "[]", "{}", R"({"commands":null})", R"({"commands":"system.run"})"}) {
    CAPTURE(text);
    CHECK_FALSE(held_commands_from(Json::parse(text), kDeclared));
  }
  const auto odd = held_commands_from(
      Json::parse(R"({"commands":[1,null,"system.run"],"pendingDeclaredCommands":{},"pendingRequestId":7})"),
      kDeclared);
  REQUIRE(odd);
  CHECK(odd->usable == Names{"system.run"});
}

TEST_CASE("what waits is also read out of the list of pairings") {
  HeldCommands held;
  const Json pairings = Json::parse(
      R"({"pending":[{"nodeId":"other","requestId":"x","commands":["system.run"]},
                     {"nodeId":"n","requestId":"r","commands":["system.which","system.run","camera.list"]},7]})");
  add_pending_commands(held, pairings, "n", kDeclared);
  CHECK(held.waiting == Names{"system.run", "system.which"});
  CHECK(held.request_id == "r");
  HeldCommands none;
  for (const char* text : {"null", "[]", R"({"pending":{}})", R"({"pending":[{"nodeId":"n"}]})"})
    add_pending_commands(none, Json::parse(text), "n", kDeclared);
  CHECK(none.waiting.empty());
}

TEST_CASE("the operator that looks asks for nothing but reading") {
  Credentials shared;
  shared.token = "t";
  const Json params = reading_operator_params("1.0", "linux", shared);
  CHECK(params["role"] == "operator");
  CHECK(params["scopes"] == Json::array({"operator.read", "operator.pairing"}));
  CHECK(params["auth"] == Json{{"token", "t"}});
  CHECK_FALSE(params.contains("device"));
}
