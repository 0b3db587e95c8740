// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/exec_tool.h"

#include <catch2/catch.hpp>

#include "base/sha256.h"
#include "tests/devgateway/json_members.h"
#include "tests/devgateway/node_peer.h"

namespace hostclaw::devgateway {
namespace {

Json plan_of(std::vector<std::string> argv) {
  return {{"argv", argv},
          {"commandText", command_text(argv)},
          {"commandPreview", Json()},
          {"cwd", "/"},
          {"agentId", "main"},
          {"sessionKey", "s"}};
}

Json prepared(const Json& plan, const char* security, const char* ask) {
  return {{"plan", plan},
          {"execPolicy", {{"security", security}, {"ask", ask}}},
          {"allowAlwaysCoverage", {{"complete", false}, {"patterns", Json::array()}}}};
}

Json snapshot_with(Json allowlist) {
  return {{"path", "x"},
          {"exists", true},
          {"hash", "h"},
          {"file", {{"version", 1}, {"agents", {{"main", {{"allowlist", std::move(allowlist)}}}}}}}};
}

const Json kRan = {{"exitCode", 0},  {"timedOut", false}, {"success", true},
                   {"stdout", "ok"}, {"stderr", ""},      {"error", Json()}};

struct Tool {
  Tool() {
    GatewaySettings settings;
    settings.shared_token = "shared-token";
    settings.auto_approve = true;
    gateway = *DevGateway::start(settings);
    PeerOptions options;
    options.auth = {{"token", "shared-token"}};
    node = NodePeer::connect(*gateway, options);
  }

  std::future<Reply> exec(const char* security, const char* ask) {
    return gateway->call_async("dev.exec", {{"command", "uname -s"},
                                            {"nodeId", node->device_id()},
                                            {"callerSecurity", security},
                                            {"callerAsk", ask}});
  }

  std::unique_ptr<DevGateway> gateway;
  std::unique_ptr<NodePeer> node;
};

Json params_of(const Json& invoke) { return *parse_json(string_at(invoke, "paramsJSON")); }

}  // namespace

TEST_CASE("a full caller and a node that answers full run the plan at once") {
  Tool tool;
  auto outcome = tool.exec("full", "off");
  const Json plan = plan_of({"/usr/bin/uname", "-s"});
  const Json prepare = params_of(tool.node->answer_invoke(prepared(plan, "full", "off")));
  CHECK(prepare["command"] == Json::array({"/bin/sh", "-lc", "uname -s"}));
  CHECK(prepare["rawCommand"] == "uname -s");
  CHECK(prepare["security"] == "full");
  const Json run = params_of(tool.node->answer_invoke(kRan));
  CHECK(run["command"] == plan["argv"]);
  CHECK(run["systemRunPlan"] == plan);
  CHECK_FALSE(run.contains("approved"));
  const Json result = outcome.get().payload;
  CHECK(result["outcome"] == "completed");
  CHECK(result["asked"] == false);
}

TEST_CASE("an asking caller reads the document and runs a listed absolute word unprompted") {
  Tool tool;
  auto outcome = tool.exec("allowlist", "on-miss");
  tool.node->answer_invoke(prepared(plan_of({"/opt/nothere/uname", "-s"}), "full", "off"));
  const Json get =
      tool.node->answer_invoke(snapshot_with({{{"pattern", "/opt/nothere/uname"}}, {{"pattern", "x"}}}));
  CHECK(get["command"] == "system.execApprovals.get");
  tool.node->answer_invoke(kRan);
  CHECK(outcome.get().payload["asked"] == false);
}

TEST_CASE("an unlisted command is asked about, and the answer decides") {
  Tool tool;
  auto outcome = tool.exec("full", "off");
  tool.node->answer_invoke(prepared(plan_of({"/usr/bin/uname", "-s"}), "allowlist", "on-miss"));
  tool.node->answer_invoke(snapshot_with(Json::array()));
  const Json asked = *tool.gateway->journal().wait("approval", std::chrono::seconds(5));
  CHECK(asked["request"]["command"] == "/usr/bin/uname -s");
  CHECK(tool.gateway->call("exec.approval.list").payload.size() == 1);
  const Json id = asked["approvalId"];
  SECTION("yes") {
    CHECK(tool.gateway->call("exec.approval.resolve", {{"id", id}, {"decision", "allow-once"}}).ok);
    const Json run = params_of(tool.node->answer_invoke(kRan));
    CHECK(run["approved"] == true);
    CHECK(run["approvalDecision"] == "allow-once");
    CHECK(run["runId"] == id);
    CHECK(outcome.get().payload["outcome"] == "completed");
  }
  SECTION("no") {
    CHECK(tool.gateway->call("exec.approval.resolve", {{"id", id}, {"decision", "deny"}}).ok);
    CHECK(outcome.get().payload["outcome"] == "denied");
  }
}

TEST_CASE("a node that may not ask is refused for a miss") {
  Tool tool;
  auto outcome = tool.exec("allowlist", "off");
  tool.node->answer_invoke(prepared(plan_of({"uname", "-s"}), "full", "off"));
  tool.node->answer_invoke(snapshot_with({{{"pattern", "uname"}}, {{"pattern", "/usr/bin/uname"}}}));
  CHECK(outcome.get().payload["message"] == "exec denied: host=node allowlist miss (ask=off)");
}

TEST_CASE("a plan whose text is not the text of its argv is never run") {
  Tool tool;
  auto outcome = tool.exec("full", "off");
  Json plan = plan_of({"/opt/a b/tool"});
  plan["commandText"] = "/opt/a b/tool";
  tool.node->answer_invoke(prepared(plan, "full", "off"));
  CHECK(outcome.get().payload["outcome"] == "failed");
}

TEST_CASE("the node's denial is final, any other error leaves the outcome unknown") {
  Tool tool;
  auto outcome = tool.exec("full", "off");
  tool.node->answer_invoke(prepared(plan_of({"/usr/bin/uname", "-s"}), "full", "off"));
  SECTION("denied") {
    tool.node->answer_invoke_error("SYSTEM_RUN_DENIED", "SYSTEM_RUN_DENIED: allowlist miss");
    CHECK(outcome.get().payload["outcome"] == "denied");
  }
  SECTION("failed") {
    tool.node->answer_invoke_error("UNAVAILABLE", "node invocation failed");
    CHECK(outcome.get().payload["outcome"] == "failed");
  }
}

TEST_CASE("the gateway's own check knows only absolute words, grants and markers") {
  const Json none;
  const Json listed = snapshot_with({{{"pattern", "/opt/nothere/*"}}, {{"pattern", "sh"}}});
  CHECK(gateway_allowlist_matches(plan_of({"/opt/nothere/a", "x"}), none, listed, "main"));
  CHECK_FALSE(gateway_allowlist_matches(plan_of({"a"}), none, listed, "main"));
  CHECK_FALSE(gateway_allowlist_matches(plan_of({"/opt/nothere/a"}), none, listed, "other"));
  CHECK(gateway_allowlist_matches(
      plan_of({"/bin/sh", "-c", "/opt/nothere/a 'x y' && /opt/nothere/b | /opt/nothere/c"}), none, listed,
      "main"));
  CHECK_FALSE(
      gateway_allowlist_matches(plan_of({"/bin/sh", "-c", "/opt/nothere/a && b"}), none, listed, "main"));
  CHECK_FALSE(
      gateway_allowlist_matches(plan_of({"/bin/sh", "-c", "/opt/nothere/a > f"}), none, listed, "main"));

  const Json plan = plan_of({"C:\\Git\\uname.exe"});
  const std::string hash = sha256_hex(string_at(plan, "commandText")).substr(0, 16);
  const Json coverage = {{"complete", true},
                         {"patterns", {{{"pattern", "C:/Git/uname.exe"}, {"argPattern", "h"}}}}};
  const Json marker = {{"pattern", "=node-command:" + hash}, {"source", "allow-always"}};
  const Json grant = {{"pattern", "C:/Git/uname.exe"}, {"argPattern", "h"}, {"source", "allow-always"}};
  CHECK(gateway_allowlist_matches(plan, coverage, snapshot_with(Json::array({marker, grant})), "main"));
  CHECK_FALSE(gateway_allowlist_matches(plan, coverage, snapshot_with(Json::array({marker})), "main"));
}

TEST_CASE("the display form quotes white space, double quotes and nothing else") {
  CHECK(command_text({"a", "", "b c", "d\"e", "$x", "back\\slash"}) == R"(a "" "b c" "d\"e" $x back\slash)");
}

}  // namespace hostclaw::devgateway
