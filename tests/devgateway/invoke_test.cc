// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/devgateway/json_members.h"
#include "tests/devgateway/node_peer.h"

namespace hostclaw::devgateway {
namespace {

struct Paired {
  explicit Paired(int protocol = 4) {
    GatewaySettings settings;
    settings.protocol = protocol;
    settings.shared_token = "shared-token";
    settings.auto_approve = true;
    gateway = *DevGateway::start(settings);
    options.auth = {{"token", "shared-token"}};
    node = NodePeer::connect(*gateway, options);
  }

  std::future<Reply> which(Json extra = Json::object()) {
    Json params = {
        {"nodeId", node->device_id()}, {"command", "system.which"}, {"params", {{"bins", {"git", "sh"}}}}};
    params.update(extra);
    return gateway->call_async("node.invoke", params);
  }

  std::unique_ptr<DevGateway> gateway;
  PeerOptions options;
  std::unique_ptr<NodePeer> node;
};

}  // namespace

TEST_CASE("an invocation travels to the node and its result back to the caller") {
  Paired paired;
  auto answer = paired.which();
  const Json invoke = paired.node->answer_invoke({{"bins", {{"git", "/usr/bin/git"}}}});
  CHECK(invoke["paramsJSON"] == R"({"bins":["git","sh"]})");
  CHECK(invoke["timeoutMs"].get<std::int64_t>() > 29'000);
  CHECK(answer.get().payload["payload"]["bins"]["git"] == "/usr/bin/git");
}

TEST_CASE("a failed result reaches the caller as UNAVAILABLE with the node's own error inside") {
  Paired paired;
  auto answer = paired.which();
  paired.node->answer_invoke_error("SYSTEM_RUN_DENIED", "SYSTEM_RUN_DENIED: allowlist miss");
  const Reply reply = answer.get();
  CHECK(reply.error["code"] == "UNAVAILABLE");
  CHECK(reply.error["message"] == "SYSTEM_RUN_DENIED: SYSTEM_RUN_DENIED: allowlist miss");
  CHECK(reply.error["details"]["nodeError"]["code"] == "SYSTEM_RUN_DENIED");
}

TEST_CASE("an exhausted budget cancels at the node on protocol 4 and only ends the wait on protocol 3") {
  const int protocol = GENERATE(3, 4);
  Paired paired(protocol);
  auto answer = paired.which({{"timeoutMs", 100}});
  const Json invoke = paired.node->next_event("node.invoke.request");
  CHECK(answer.get().error["code"] == "TIMEOUT");
  CHECK(paired.gateway->journal().all("cancel").size() == (protocol == 4 ? 1U : 0U));
  const Json late = paired.node->request(
      "node.invoke.result",
      {{"id", invoke["id"]}, {"nodeId", paired.node->device_id()}, {"ok", true}, {"payloadJSON", "{}"}});
  CHECK(late["payload"]["ignored"] == true);
}

TEST_CASE("an aborted invocation is cancelled at the node") {
  Paired paired;
  auto answer = paired.which();
  const Json invoke = paired.node->next_event("node.invoke.request");
  paired.gateway->call("dev.cancel", {{"invokeId", invoke["id"]}});
  CHECK(paired.node->next_event("node.invoke.cancel")["invokeId"] == invoke["id"]);
  CHECK(answer.get().error["code"] == "ABORTED");
}

TEST_CASE("NODE_NOT_READY is dispatched again under a new id") {
  Paired paired;
  auto answer = paired.which({{"idempotencyKey", "k1"}});
  const Json first = paired.node->answer_invoke_error("NODE_NOT_READY", "warming up");
  const Json second = paired.node->answer_invoke({{"bins", Json::object()}});
  CHECK(first["id"] != second["id"]);
  CHECK(second["idempotencyKey"] == "k1");
  CHECK(answer.get().ok);
}

TEST_CASE("the result schema is closed and a wrong result is not delivered") {
  Paired paired;
  auto answer = paired.which();
  const Json invoke = paired.node->next_event("node.invoke.request");
  const Json good = {
      {"id", invoke["id"]}, {"nodeId", paired.node->device_id()}, {"ok", true}, {"payloadJSON", "{}"}};
  Json bad = good;
  SECTION("an unknown member") { bad["extra"] = 1; }
  SECTION("details inside the error") { bad["error"] = {{"code", "X"}, {"details", 1}}; }
  SECTION("another node") { bad["nodeId"] = "someone"; }
  CHECK(paired.node->request("node.invoke.result", bad)["error"]["code"] == "INVALID_REQUEST");
  CHECK(paired.node->request("node.invoke.result", good)["payload"] == Json{{"ok", true}});
  CHECK(answer.get().ok);
}

TEST_CASE("results are refused on demand with a retryable error") {
  Paired paired;
  paired.gateway->call("dev.fault", {{"kind", "refuse-results"}, {"count", 1}});
  auto answer = paired.which();
  const Json invoke = paired.node->next_event("node.invoke.request");
  const Json result = {
      {"id", invoke["id"]}, {"nodeId", paired.node->device_id()}, {"ok", true}, {"payloadJSON", "{}"}};
  const Json refused = paired.node->request("node.invoke.result", result);
  CHECK(refused["error"]["retryable"] == true);
  CHECK(refused["error"]["details"]["code"] == "PAIRING_CHANGED");
  CHECK(paired.node->request("node.invoke.result", result)["ok"] == true);
  CHECK(answer.get().ok);
}

TEST_CASE("an exec event counts only for a run of this connection, by runId and sessionKey, once") {
  Paired paired;
  auto answer = paired.gateway->call_async(
      "node.invoke",
      {{"nodeId", paired.node->device_id()},
       {"command", "system.run"},
       {"params", {{"command", {"true", "x"}}, {"runId", "r1"}, {"sessionKey", "s1"}, {"approved", true}}}});
  const Json invoke = paired.node->next_event("node.invoke.request");
  CHECK_FALSE(parse_json(string_at(invoke, "paramsJSON"))->contains("approved"));
  const auto send = [&](const char* run_id, const char* session_key) {
    const Json payload = {{"runId", run_id}, {"sessionKey", session_key}, {"host", "node"}};
    return paired.node->request("node.event",
                                {{"event", "exec.finished"}, {"payloadJSON", dump_json(payload)}})["payload"];
  };
  CHECK(send("r2", "s1")["reason"] == "unmatched_exec_event");
  CHECK(send("r1", "s2")["reason"] == "unmatched_exec_event");
  CHECK(send("r1", "s1") == Json{{"ok", true}});
  CHECK(send("r1", "s1")["reason"] == "unmatched_exec_event");
}

TEST_CASE("a payloadJSON of null is refused in an event") {
  Paired paired;
  const Json answer =
      paired.node->request("node.event", {{"event", "exec.finished"}, {"payloadJSON", Json()}});
  CHECK(answer["error"]["message"] == "invalid node.event params: at /payloadJSON: must be string");
}

TEST_CASE("a newer socket of the same device takes over") {
  Paired paired;
  const auto newer = NodePeer::connect(*paired.gateway, paired.options);
  const Json old = paired.node->request("node.event", {{"event", "node.host.stats"}, {"payloadJSON", "{}"}});
  CHECK(old["error"]["details"]["code"] == "PAIRING_CHANGED");
  auto answer = paired.which();
  newer->answer_invoke({{"bins", Json::object()}});
  CHECK(answer.get().ok);
}

TEST_CASE("a lost socket tells the caller") {
  Paired paired;
  auto answer = paired.which();
  paired.node->next_event("node.invoke.request");
  paired.node->socket().drop();
  CHECK(answer.get().error["code"] == "DISCONNECTED");
}

TEST_CASE("the approvals document travels through its own methods only and is checked") {
  Paired paired;
  const Json node_id = {{"nodeId", paired.node->device_id()}};
  Json direct = node_id;
  direct["command"] = "system.execApprovals.get";
  CHECK_FALSE(paired.gateway->call("node.invoke", direct).ok);

  auto good = paired.gateway->call_async("exec.approvals.node.get", node_id);
  const Json snapshot = {{"path", "x"}, {"exists", true}, {"hash", "h"}, {"file", {{"version", 1}}}};
  CHECK(paired.node->answer_invoke(snapshot)["paramsJSON"] == "{}");
  CHECK(good.get().payload == snapshot);

  auto bad = paired.gateway->call_async("exec.approvals.node.get", node_id);
  paired.node->answer_invoke({{"path", "x"}});
  CHECK_FALSE(bad.get().ok);

  Json set = node_id;
  set["file"] = {{"version", 1},
                 {"agents", {{"main", {{"allowlist", {{{"pattern", "/x"}, {"source", "manual"}}}}}}}}};
  CHECK(string_at(paired.gateway->call("exec.approvals.node.set", set).error, "message")
            .find("/file/agents/main/allowlist/0/source") != std::string::npos);
}

}  // namespace hostclaw::devgateway
