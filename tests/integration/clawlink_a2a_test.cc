// SPDX-License-Identifier: Apache-2.0
// A2A 1.0 and the original's protocol on the same tasks: whoever asks by one is answered by the other.
#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "tests/integration/relay_process.h"

namespace hostclaw::integration {
namespace {

const HttpHeaders kA2aHeaders{{"Content-Type", "application/json"}, {"A2A-Version", "1.0"}};

Json rpc(const std::string& method, const Json& params, const Json& id = 1) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}};
}

Json message_params(const std::string& text, bool immediately, const std::string& message_id = "m-1") {
  return {
      {"message",
       {{"messageId", message_id}, {"role", "ROLE_USER"}, {"parts", Json::array({Json{{"text", text}}})}}},
      {"configuration", {{"returnImmediately", immediately}}}};
}

struct A2aRelay : RelayProcess {
  A2aRelay() {
    REQUIRE(
        post("/register", {{"agent_id", "worker"}, {"name", "Worker"}, {"capabilities", {"build"}}}).status ==
        200);
  }
  Json call(const Json& request) const {
    const HttpAnswer answer = post("/a2a/agents/worker", request, kA2aHeaders);
    CHECK(answer.status == 200);
    return answer.json();
  }
  Json result(const std::string& method, const Json& params) const {
    const Json answer = call(rpc(method, params));
    INFO(answer.dump());
    REQUIRE(answer.contains("result"));
    return answer["result"];
  }
  int error(const std::string& method, const Json& params) const {
    const Json answer = call(rpc(method, params));
    INFO(answer.dump());
    REQUIRE(answer.contains("error"));
    return answer["error"]["code"].get<int>();
  }
  std::string send(const std::string& text, const std::string& message_id = "m-1") const {
    return result("SendMessage", message_params(text, true, message_id))["task"]["id"].get<std::string>();
  }
  void answer(const std::string& task_id, const std::string& status, const Json& said) const {
    const HttpAnswer done = post("/respond", {{"from_agent", "worker"},
                                              {"message_id", task_id.substr(0, 12)},
                                              {"status", status},
                                              {"result", said}});
    CHECK(done.status == 200);
  }
};

}  // namespace

TEST_CASE("an agent's card names it, its skills and where it is reached") {
  const A2aRelay relay;
  const HttpAnswer answer =
      relay.get("/agents/worker/.well-known/agent-card.json", {{"Host", "localhost:1234"}});
  REQUIRE(answer.status == 200);
  const Json card = answer.json();
  for (const char* member : {"name", "description", "version", "supportedInterfaces", "capabilities",
                             "defaultInputModes", "defaultOutputModes", "skills"})
    CHECK(card.contains(member));
  CHECK(card["name"] == "Worker");
  CHECK(card["supportedInterfaces"][0] == Json{{"url", "http://localhost:1234/a2a/agents/worker"},
                                               {"protocolBinding", "JSONRPC"},
                                               {"protocolVersion", "1.0"}});
  CHECK(card["skills"][0]["tags"] == Json::array({"build"}));
  CHECK_FALSE(card.contains("securitySchemes"));
  const std::string tag = answer.header("ETag");
  CHECK(relay
            .get("/agents/worker/.well-known/agent-card.json",
                 {{"Host", "localhost:1234"}, {"If-None-Match", tag}})
            .status == 304);
  CHECK(relay.get("/agents/nobody/.well-known/agent-card.json").status == 404);
  CHECK(relay.get("/.well-known/agent-card.json").status == 404);
  const RelayProcess guarded({}, {{"CLAWLINK_TOKEN", "house-key"}});
  guarded.post("/register", {{"agent_id", "w"}}, {{"Authorization", "Bearer house-key"}});
  const Json wants = guarded.get("/agents/w/.well-known/agent-card.json").json();
  CHECK(wants["securitySchemes"]["bearer"]["httpAuthSecurityScheme"]["scheme"] == "Bearer");
  CHECK(wants["securityRequirements"][0]["schemes"]["bearer"]["list"] == Json::array());
  const HttpAnswer refused = guarded.post("/a2a/agents/w", rpc("GetTask", {{"id", "x"}}), kA2aHeaders);
  CHECK(refused.status == 401);
  CHECK(refused.header("WWW-Authenticate") == "Bearer");
}

TEST_CASE("a message that waits is answered by a worker of the original's protocol") {
  const A2aRelay relay;
  std::thread worker([&] {
    const Json polled = Json::parse(relay.get("/poll/worker?wait=30").body);
    const Json task = polled["messages"][0];
    relay.post("/respond", {{"from_agent", "worker"},
                            {"message_id", task["message_id"]},
                            {"result", "built " + task["task"].get<std::string>()}});
  });
  const Json task = relay.result("SendMessage", message_params("main", false))["task"];
  worker.join();
  CHECK(task["status"]["state"] == "TASK_STATE_COMPLETED");
  CHECK(task["status"]["timestamp"].get<std::string>().ends_with("Z"));
  CHECK(task["artifacts"][0]["parts"][0]["text"] == "built main");
  CHECK(task["history"][0]["role"] == "ROLE_USER");
  CHECK(task["history"][0]["messageId"] == "m-1");
  // The same message again is the same task, and nobody is asked twice.
  CHECK(relay.result("SendMessage", message_params("main", false))["task"]["id"] == task["id"]);
  CHECK(relay.get("/poll/worker").json()["count"] == 0);
  CHECK(relay.get("/tasks/" + task["id"].get<std::string>()).json()["origin"] == "a2a");
}

TEST_CASE("a task that asks is answered in its context and goes on; what has ended does not") {
  const A2aRelay relay;
  const std::string id = relay.send("main");
  CHECK(relay.get("/poll/worker").json()["count"] == 1);
  relay.answer(id, "input_required", "which branch?");
  const Json asking = relay.result("GetTask", {{"id", id}});
  CHECK(asking["status"]["state"] == "TASK_STATE_INPUT_REQUIRED");
  CHECK(asking["status"]["message"]["parts"][0]["text"] == "which branch?");
  Json more = message_params("release", true, "m-2");
  more["message"]["taskId"] = id;
  more["message"]["contextId"] = "another";
  CHECK(relay.error("SendMessage", more) == -32602);
  more["message"]["contextId"] = asking["contextId"];
  CHECK(relay.result("SendMessage", more)["task"]["status"]["state"] == "TASK_STATE_WORKING");
  CHECK(relay.get("/poll/worker").json()["messages"][0]["task"] == "release");
  relay.answer(id, "halfway", "still at it");
  CHECK(relay.result("GetTask", {{"id", id}})["metadata"]["clawlinkStatus"] == "halfway");
  relay.answer(id, "failed", "no such branch");
  CHECK(relay.result("GetTask", {{"id", id}})["status"]["state"] == "TASK_STATE_FAILED");
  more["message"]["messageId"] = "m-3";
  CHECK(relay.error("SendMessage", more) == -32004);
  CHECK(relay.error("CancelTask", {{"id", id}}) == -32002);
}

TEST_CASE("tasks are cancelled, listed by pages, and nobody else's are seen") {
  const A2aRelay relay;
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i)
    ids.push_back(relay.send("task " + std::to_string(i), "m-" + std::to_string(i)));
  CHECK(relay.result("CancelTask", {{"id", ids[0]}})["status"]["state"] == "TASK_STATE_CANCELED");
  CHECK(relay.result("CancelTask", {{"id", ids[0]}})["status"]["state"] == "TASK_STATE_CANCELED");
  std::set<std::string> seen;
  std::string token;
  for (int page = 0; page < 3; ++page) {
    const Json list = relay.result("ListTasks", {{"pageSize", 2}, {"pageToken", token}});
    CHECK(list["totalSize"] == 5);
    CHECK(list["pageSize"] == 2);
    for (const Json& task : list["tasks"]) seen.insert(task["id"].get<std::string>());
    token = list["nextPageToken"].get<std::string>();
    CHECK(token.empty() == (page == 2));
  }
  CHECK(seen.size() == 5);
  CHECK(relay.result("ListTasks", {{"status", "TASK_STATE_CANCELED"}})["tasks"].size() == 1);
  CHECK(relay.error("ListTasks", {{"pageSize", 101}}) == -32602);
  CHECK(relay.error("ListTasks", {{"pageToken", "???"}}) == -32602);
  // Another caller: an agent with a credential of its own.
  const Json other = relay.post("/register", {{"agent_id", "other"}}).json();
  HttpHeaders headers = kA2aHeaders;
  headers.emplace_back("Authorization", "Bearer " + other["agent_token"].get<std::string>());
  const Json answer = relay.post("/a2a/agents/worker", rpc("GetTask", {{"id", ids[1]}}), headers).json();
  CHECK(answer["error"]["code"] == -32001);
  CHECK(answer["error"]["data"][0]["reason"] == "TASK_NOT_FOUND");
}

TEST_CASE("a stream begins with the task, tells what becomes of it, and ends with it") {
  const A2aRelay relay;
  HttpConnection stream(relay.port());
  REQUIRE(stream.send(request_text(
      "POST", "/a2a/agents/worker",
      rpc("SendStreamingMessage", message_params("main", false), "call-7").dump(), kA2aHeaders)));
  const auto head = stream.receive_until("\r\n\r\n");
  REQUIRE(head);
  CHECK(head->find("text/event-stream") != std::string::npos);
  const auto next = [&] {
    const auto event = stream.receive_until("\n\n");
    REQUIRE(event);
    const std::size_t data = event->find("data: ");  // behind the head of its chunk
    REQUIRE(data != std::string::npos);
    const Json frame = Json::parse(event->substr(data + 6));
    CHECK(frame["id"] == "call-7");
    return frame["result"];
  };
  const Json first = next();
  const std::string id = first["task"]["id"].get<std::string>();
  HttpConnection subscriber(relay.port());
  REQUIRE(subscriber.send(
      request_text("POST", "/a2a/agents/worker", rpc("SubscribeToTask", {{"id", id}}).dump(), kA2aHeaders)));
  REQUIRE(subscriber.receive_until("\"task\""));
  relay.answer(id, "in_progress", "half");
  const Json working = next();
  CHECK(working["statusUpdate"]["status"]["state"] == "TASK_STATE_WORKING");
  CHECK(working["statusUpdate"]["taskId"] == id);
  relay.answer(id, "completed", "built");
  CHECK(next()["artifactUpdate"]["artifact"]["parts"][0]["text"] == "built");
  CHECK(next()["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED");
  // An end that was meant; a stream that is cut has none.
  CHECK(stream.receive_until("0\r\n\r\n"));
  CHECK_FALSE(stream.receive_until("\n\n"));
  CHECK(subscriber.receive_until("TASK_STATE_COMPLETED"));
  CHECK(relay.error("SubscribeToTask", {{"id", id}}) == -32004);
}

TEST_CASE("what is no request, no method and no message gets its code") {
  const A2aRelay relay;
  const auto code = [&](const std::string& body, HttpHeaders headers = kA2aHeaders) {
    const HttpAnswer answer = relay.ask("POST", "/a2a/agents/worker", body, headers);
    CHECK(answer.status == 200);
    return answer.json()["error"]["code"].get<int>();
  };
  CHECK(code("{") == -32700);
  CHECK(code("[]") == -32600);
  CHECK(code(R"({"jsonrpc":"1.0","id":1,"method":"GetTask","params":{}})") == -32600);
  CHECK(code(R"({"jsonrpc":"2.0","id":1.5,"method":"GetTask","params":{}})") == -32600);
  CHECK(code(R"({"jsonrpc":"2.0","id":1,"method":"GetTask"})") == -32602);
  CHECK(code(R"({"jsonrpc":"2.0","id":1,"method":"message/send","params":{}})") == -32601);
  const std::string get = rpc("GetTask", {{"id", "x"}}).dump();
  CHECK(code(get) == -32001);
  CHECK(code(get, {{"Content-Type", "application/json"}}) == -32001);  // OpenClaw names no version
  CHECK(code(get, {{"Content-Type", "application/json"}, {"A2A-Version", "0.3"}}) == -32009);
  CHECK(code(get, {{"Content-Type", "text/plain"}}) == -32005);
  CHECK(relay.error("CreateTaskPushNotificationConfig", {{"taskId", "x"}, {"url", "http://x"}}) == -32001);
  CHECK(relay.error("GetExtendedAgentCard", Json::object()) == -32004);
  Json params = message_params("x", true);
  params["message"]["parts"] = Json::array();
  CHECK(relay.error("SendMessage", params) == -32602);
  params["message"]["parts"] = Json::array({Json{{"text", "a"}, {"data", 1}}});
  CHECK(relay.error("SendMessage", params) == -32602);
  params = message_params("x", true);
  params["message"]["role"] = "user";
  CHECK(relay.error("SendMessage", params) == -32602);
  params = message_params("x", true);
  params["configuration"]["historyLength"] = -1;
  CHECK(relay.error("SendMessage", params) == -32602);
  CHECK(relay.get("/poll/worker").json()["count"] == 0);
  const HttpAnswer nobody =
      relay.post("/a2a/agents/nobody", rpc("SendMessage", message_params("x", true), "n"), kA2aHeaders);
  CHECK(nobody.status == 404);
  CHECK(nobody.json()["error"]["data"][0]["reason"] == "AGENT_NOT_FOUND");
  CHECK(nobody.json()["id"] == "n");
  // What became of a task can be asked when its agent has left.
  const HttpAnswer task = relay.post("/a2a/agents/nobody", rpc("GetTask", {{"id", "x"}}), kA2aHeaders);
  CHECK(task.json()["error"]["code"] == -32001);
}

TEST_CASE("HTTP+JSON reaches the same tasks") {
  const A2aRelay relay;
  const HttpAnswer sent =
      relay.post("/a2a/agents/worker/message:send", message_params("main", true), kA2aHeaders);
  REQUIRE(sent.status == 200);
  CHECK(sent.header("Content-Type") == "application/a2a+json");
  const std::string id = sent.json()["task"]["id"].get<std::string>();
  CHECK(relay.get("/a2a/agents/worker/tasks/" + id + "?historyLength=0").json()["id"] == id);
  CHECK(relay.get("/a2a/agents/worker/tasks?pageSize=1").json()["totalSize"] == 1);
  CHECK(relay.ask("POST", "/a2a/agents/worker/tasks/" + id + ":cancel", {}).json()["status"]["state"] ==
        "TASK_STATE_CANCELED");
  const HttpAnswer none = relay.get("/a2a/agents/worker/tasks/none");
  CHECK(none.status == 404);
  CHECK(none.json()["error"]["details"][0]["reason"] == "TASK_NOT_FOUND");
  CHECK(none.json()["error"]["status"] == "NOT_FOUND");
  CHECK(relay.get("/a2a/agents/worker/odd").status == 404);
}

}  // namespace hostclaw::integration
