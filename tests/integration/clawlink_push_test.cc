// SPDX-License-Identifier: Apache-2.0
// Push notifications of A2A 1.0 from the relay as a process to a receiver on loopback that its owner lists;
// the extended card; and what the relay counts.
#include <catch2/catch.hpp>

#include "tests/integration/relay_process.h"
#include "tests/integration/webhook_receiver.h"

namespace hostclaw::integration {
namespace {

const HttpHeaders kPushHeaders{{"Content-Type", "application/json"}, {"A2A-Version", "1.0"}};

struct PushRelay : RelayProcess {
  explicit PushRelay(std::vector<std::string> more = {}) : RelayProcess(std::move(more)) {
    register_as(*this, "worker");
  }
  explicit PushRelay(const WebhookReceiver& receiver)
      : PushRelay(std::vector<std::string>{"--push-to", receiver.origin()}) {}

  Json call(const std::string& method, const Json& params, const HttpHeaders& more = {}) const {
    HttpHeaders headers = kPushHeaders;
    headers.insert(headers.end(), more.begin(), more.end());
    const HttpAnswer answer =
        post("/a2a/agents/worker", {{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}},
             headers);
    CHECK(answer.status == 200);
    return answer.json();
  }
  Json result(const std::string& method, const Json& params, const HttpHeaders& more = {}) const {
    const Json answer = call(method, params, more);
    INFO(answer.dump());
    REQUIRE(answer.contains("result"));
    return answer["result"];
  }
  std::string send(const std::string& text, const Json& push = nullptr, const HttpHeaders& more = {}) const {
    Json configuration{{"returnImmediately", true}};
    if (!push.is_null()) configuration["taskPushNotificationConfig"] = push;
    return result("SendMessage",
                  {{"message",
                    {{"messageId", "m " + text},
                     {"role", "ROLE_USER"},
                     {"parts", Json::array({Json{{"text", text}}})}}},
                   {"configuration", configuration}},
                  more)["task"]["id"]
        .get<std::string>();
  }
  void answer(const std::string& task_id, const std::string& status, const std::string& said) const {
    CHECK(post("/respond", {{"from_agent", "worker"},
                            {"message_id", task_id.substr(0, 12)},
                            {"status", status},
                            {"result", said}})
              .status == 200);
  }
};

WebhookRequest must_get(WebhookReceiver& receiver) {
  const auto request = receiver.next();
  REQUIRE(request);
  return *request;
}

Json full_config(const WebhookReceiver& receiver) {
  return {{"url", receiver.origin() + "/hook?key=hidden-key"},
          {"token", "hidden-token"},
          {"authentication", {{"scheme", "Bearer"}, {"credentials", "hidden-credentials"}}}};
}

// The owner's line about a push that was given up, once there is one.
std::string dead_letter(const RelayProcess& relay) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (;;) {
    const Json letters = Json::parse(relay.hostclaw({"clawlink", "dead-letters", "--json"}).standard_output);
    if (!letters["dead_letters"].empty()) return letters["dead_letters"][0]["reason"].get<std::string>();
    REQUIRE(std::chrono::steady_clock::now() < end);
  }
}

}  // namespace

TEST_CASE("a caller is told of its task from the beginning to the end, with what its receiver asks for") {
  WebhookReceiver receiver;
  const PushRelay relay(receiver);
  const Json card = relay.get("/agents/worker/.well-known/agent-card.json").json();
  CHECK(card["capabilities"]["pushNotifications"] == true);
  CHECK(card["capabilities"]["extendedAgentCard"] == false);
  const std::string id = relay.send("main", full_config(receiver));
  const WebhookRequest first = must_get(receiver);
  CHECK(first.target() == "/hook?key=hidden-key");
  CHECK(first.header("Content-Type") == "application/a2a+json");
  CHECK(first.header("X-A2A-Notification-Token") == "hidden-token");
  CHECK(first.header("Authorization") == "Bearer hidden-credentials");
  CHECK(first.header("Host") == "127.0.0.1:" + receiver.port());
  CHECK(first.json()["task"]["id"] == id);
  CHECK(first.json()["task"]["status"]["state"] == "TASK_STATE_SUBMITTED");
  relay.answer(id, "in_progress", "half");
  const Json working = must_get(receiver).json();
  CHECK(working["statusUpdate"]["taskId"] == id);
  CHECK(working["statusUpdate"]["status"]["state"] == "TASK_STATE_WORKING");
  relay.answer(id, "completed", "built");
  CHECK(must_get(receiver).json()["artifactUpdate"]["artifact"]["parts"][0]["text"] == "built");
  CHECK(must_get(receiver).json()["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED");
  // The record and the log name the receiver and none of its secrets.
  const std::string record = relay.hostclaw({"clawlink", "audit", "tail"}).standard_output;
  CHECK(record.find("127.0.0.1:" + receiver.port()) != std::string::npos);
  CHECK(record.find("hidden") == std::string::npos);
}

TEST_CASE("configs are made, shown and taken away by the caller whose task it is") {
  WebhookReceiver receiver;
  const PushRelay relay(receiver);
  const std::string id = relay.send("main");
  Json wanted = full_config(receiver);
  wanted["taskId"] = id;
  wanted["id"] = "one";
  CHECK(relay.result("CreateTaskPushNotificationConfig", wanted) == wanted);
  must_get(receiver);
  // Callers without a credential of their own have one name: what opens a receiver is shown to none of them.
  const Json shown{
      {"id", "one"}, {"taskId", id}, {"url", wanted["url"]}, {"authentication", {{"scheme", "Bearer"}}}};
  CHECK(relay.result("GetTaskPushNotificationConfig", {{"taskId", id}, {"id", "one"}}) == shown);
  CHECK(relay.result("CreateTaskPushNotificationConfig", {{"taskId", id}, {"url", wanted["url"]}})["id"] ==
        id);
  must_get(receiver);
  const Json list = relay.result("ListTaskPushNotificationConfigs", {{"taskId", id}});
  CHECK(list["configs"].size() == 2);
  CHECK(list["nextPageToken"] == "");
  CHECK(relay.call("GetTaskPushNotificationConfig", {{"taskId", id}, {"id", "two"}})["error"]["code"] ==
        -32001);
  CHECK(relay.call("GetTaskPushNotificationConfig", {{"taskId", "x"}, {"id", "one"}})["error"]["code"] ==
        -32001);
  const HttpHeaders other = bearer(register_as(relay, "other")["agent_token"].get<std::string>());
  for (const char* method : {"CreateTaskPushNotificationConfig", "GetTaskPushNotificationConfig",
                             "ListTaskPushNotificationConfigs", "DeleteTaskPushNotificationConfig"})
    CHECK(relay.call(method, wanted, other)["error"]["code"] == -32001);
  CHECK(relay.result("DeleteTaskPushNotificationConfig", {{"taskId", id}, {"id", "one"}}).is_null());
  CHECK(relay.result("DeleteTaskPushNotificationConfig", {{"taskId", id}, {"id", "one"}}).is_null());
  // The one that is left is told, and no other.
  relay.answer(id, "completed", "built");
  CHECK(must_get(receiver).header("Authorization").empty());
  CHECK(must_get(receiver).json().contains("statusUpdate"));
  // Who shows a credential of its own gets back what it gave.
  const std::string own = relay.send("own", full_config(receiver), other);
  CHECK(relay.result("GetTaskPushNotificationConfig", {{"taskId", own}, {"id", own}},
                     other)["authentication"]["credentials"] == "hidden-credentials");
}

TEST_CASE("HTTP+JSON has the same configs") {
  WebhookReceiver receiver;
  const PushRelay relay(receiver);
  const std::string id = relay.send("main");
  const std::string place = "/a2a/agents/worker/tasks/" + id + "/pushNotificationConfigs";
  const HttpAnswer made =
      relay.post(place, {{"id", "one"}, {"url", receiver.origin() + "/rest"}}, kPushHeaders);
  CHECK(made.status == 201);
  CHECK(made.json() == Json{{"id", "one"}, {"taskId", id}, {"url", receiver.origin() + "/rest"}});
  CHECK(must_get(receiver).target() == "/rest");
  CHECK(relay.get(place + "/one").json() == made.json());
  CHECK(relay.get(place).json()["configs"] == Json::array({made.json()}));
  CHECK(relay.get(place + "/two").status == 404);
  const HttpAnswer gone = relay.ask("DELETE", place + "/one");
  CHECK(gone.status == 204);
  CHECK(gone.body.empty());
  CHECK(gone.header("Content-Length").empty());
  CHECK(relay.ask("DELETE", place + "/one").status == 204);
  CHECK(relay.get(place).json()["configs"].empty());
  CHECK(relay.ask("DELETE", place).status == 404);
  const HttpAnswer refused = relay.post(place, {{"url", "http://127.0.0.1:1/"}}, kPushHeaders);
  CHECK(refused.status == 400);
  CHECK(refused.json()["error"]["details"][0]["metadata"]["code"] == "PUSH_PLAIN_REFUSED");
}

TEST_CASE("where the relay may not go is refused with a code and what its owner would type") {
  const PushRelay relay({"--push-to", "listed.invalid", "--push-to", "http://plain.invalid:8080"});
  const std::string id = relay.send("main");
  struct Row {
    const char* url;
    const char* code;  // empty: taken
  };
  for (const Row& row : std::vector<Row>{{"https://hooks.invalid/a", ""},
                                         {"http://hooks.invalid/a", "PUSH_PLAIN_REFUSED"},
                                         {"https://listed.invalid/a", ""},
                                         {"http://listed.invalid/a", "PUSH_PLAIN_REFUSED"},
                                         {"http://plain.invalid:8080/a", ""},
                                         {"http://plain.invalid/a", "PUSH_PLAIN_REFUSED"},
                                         {"https://127.0.0.1/a", "PUSH_ADDRESS_REFUSED"},
                                         {"https://localhost/a", "PUSH_ADDRESS_REFUSED"},
                                         {"https://[::1]/a", "PUSH_ADDRESS_REFUSED"},
                                         {"https://[::ffff:127.0.0.1]/a", "PUSH_ADDRESS_REFUSED"},
                                         {"https://10.1.2.3/a", "PUSH_ADDRESS_REFUSED"},
                                         {"https://169.254.169.254/a", "PUSH_ADDRESS_REFUSED"},
                                         {"https://[fd00::1]/a", "PUSH_ADDRESS_REFUSED"},
                                         {"https://0.0.0.0/a", "PUSH_ADDRESS_REFUSED"},
                                         {"https://account@hooks.invalid/a", "PUSH_URL_INVALID"},
                                         {"ftp://hooks.invalid/a", "PUSH_URL_INVALID"},
                                         {"hook", "PUSH_URL_INVALID"}}) {
    INFO(row.url);
    const Json answer = relay.call("CreateTaskPushNotificationConfig", {{"taskId", id}, {"url", row.url}});
    if (std::string(row.code).empty()) {
      CHECK(answer.contains("result"));
      continue;
    }
    REQUIRE(answer.contains("error"));
    CHECK(answer["error"]["code"] == -32602);
    CHECK(answer["error"]["data"][0]["metadata"]["code"] == row.code);
  }
  const Json plain =
      relay.call("CreateTaskPushNotificationConfig", {{"taskId", id}, {"url", "http://127.0.0.1:9000/"}});
  CHECK(plain["error"]["message"].get<std::string>().find(
            "hostclaw clawlink serve --push-to http://127.0.0.1:9000") != std::string::npos);
  for (const Json& wrong :
       {Json{{"token", "a\r\nX-Odd: b"}}, Json{{"authentication", {{"scheme", "two words"}}}},
        Json{{"authentication", {{"scheme", "Bearer"}, {"credentials", "a\nb"}}}},
        Json{{"authentication", 7}}}) {
    Json params = wrong;
    params["taskId"] = id;
    params["url"] = "https://hooks.invalid/a";
    INFO(params.dump());
    CHECK(relay.call("CreateTaskPushNotificationConfig", params)["error"]["code"] == -32602);
  }
  // Refused with its message, there is no task either.
  const Json refused = relay.call(
      "SendMessage",
      {{"message",
        {{"messageId", "m"}, {"role", "ROLE_USER"}, {"parts", Json::array({Json{{"text", "never"}}})}}},
       {"configuration",
        {{"returnImmediately", true}, {"taskPushNotificationConfig", {{"url", "https://127.0.0.1/a"}}}}}});
  CHECK(refused["error"]["data"][0]["metadata"]["code"] == "PUSH_ADDRESS_REFUSED");
  CHECK(relay.result("ListTasks", Json::object())["totalSize"] == 1);
  for (int i = 0; i < 9; ++i)
    relay.call("CreateTaskPushNotificationConfig",
               {{"taskId", id}, {"id", std::to_string(i)}, {"url", "https://hooks.invalid/"}});
  CHECK(relay.call("CreateTaskPushNotificationConfig",
                   {{"taskId", id},
                    {"id", "one more"},
                    {"url", "https://hooks.invalid/"}})["error"]["data"][0]["metadata"]["code"] ==
        "PUSH_CONFIGS_FULL");
}

TEST_CASE("a name that leads to this machine is given up without a connection, and the owner sees it") {
  WebhookReceiver receiver;
  const PushRelay relay;
  // No address for whoever reads it, and one for the system's lookup.
  const std::string host = "127.1:" + receiver.port();
  relay.send("main", {{"url", "https://" + host + "/hook?key=hidden-key"}, {"token", "hidden-token"}});
  const std::string reason = dead_letter(relay);
  CHECK(reason.find(host) != std::string::npos);
  CHECK(reason.find("PUSH_ADDRESS_REFUSED") != std::string::npos);
  CHECK(reason.find("hostclaw clawlink serve --push-to " + host) != std::string::npos);
  CHECK(reason.find("hidden") == std::string::npos);
  CHECK(receiver.connections() == 0);
}

TEST_CASE("a receiver that fails twice is told the same again, later each time") {
  WebhookReceiver receiver;
  receiver.answer_with({"503 Later", "500 Broken"});
  const PushRelay relay(receiver);
  const std::string id = relay.send("main", full_config(receiver));
  const WebhookRequest first = must_get(receiver);
  const WebhookRequest second = must_get(receiver);
  const WebhookRequest third = must_get(receiver);
  CHECK(first.body == second.body);
  CHECK(second.body == third.body);
  CHECK(second.at - first.at >= std::chrono::milliseconds(900));
  CHECK(third.at - second.at >= std::chrono::milliseconds(1900));
  relay.answer(id, "completed", "built");
  CHECK(must_get(receiver).json().contains("artifactUpdate"));
}

TEST_CASE("a redirect is not followed: what waits for its receiver is given up, and the config is over") {
  WebhookReceiver receiver;
  WebhookReceiver elsewhere;
  receiver.answer_with({"307 Elsewhere\r\nLocation: " + elsewhere.origin() + "/"});
  const PushRelay relay({"--push-to", receiver.origin(), "--push-to", elsewhere.origin()});
  const std::string id = relay.send("main", full_config(receiver));
  must_get(receiver);
  CHECK(dead_letter(relay).find("HTTP 307") != std::string::npos);
  CHECK(elsewhere.connections() == 0);
  const std::string record = relay.hostclaw({"clawlink", "audit", "tail"}).standard_output;
  CHECK(record.find("givenUp") != std::string::npos);
  CHECK(record.find("hidden") == std::string::npos);
  // Another try would be answered the same, so nothing of what comes after is told.
  const auto before = receiver.connections();
  relay.answer(id, "in_progress", "half");
  relay.send("second", full_config(elsewhere));
  must_get(elsewhere);
  CHECK(receiver.connections() == before);
}

TEST_CASE("a relay that is killed between taking a task and telling of it tells it when it is back") {
  WebhookReceiver receiver;
  receiver.hold();
  PushRelay relay(receiver);
  const std::string id = relay.send("main", full_config(receiver));
  CHECK(must_get(receiver).json()["task"]["id"] == id);
  // A receiver that does not answer keeps nobody else waiting.
  relay.answer(id, "in_progress", "half");
  CHECK(relay.result("GetTask", {{"id", id}})["status"]["state"] == "TASK_STATE_WORKING");
  relay.kill();
  receiver.let_go();
  relay.start();
  // At least once: nobody has acknowledged it to the relay. By now the task has gone on.
  const WebhookRequest again = must_get(receiver);
  CHECK(again.header("X-A2A-Notification-Token") == "hidden-token");
  CHECK(again.json()["task"]["id"] == id);
  CHECK(again.json()["task"]["status"]["state"] == "TASK_STATE_WORKING");
  relay.answer(id, "completed", "built");
  CHECK(must_get(receiver).json().contains("artifactUpdate"));
  CHECK(must_get(receiver).json()["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED");
}

TEST_CASE(
    "a receiver that does not answer does not keep the relay from ending, and is told when it is back") {
  WebhookReceiver receiver;
  receiver.hold();
  PushRelay relay(receiver);
  const std::string id = relay.send("main", full_config(receiver));
  must_get(receiver);
  const auto before = std::chrono::steady_clock::now();
  CHECK(relay.end().status == 0);
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(10));
  receiver.let_go();
  relay.start();
  CHECK(must_get(receiver).json()["task"]["id"] == id);
}

TEST_CASE("what is told by push ends with the token that it was asked with") {
  WebhookReceiver receiver;
  const PushRelay relay(receiver);
  const HttpHeaders boss = bearer(register_as(relay, "boss")["agent_token"].get<std::string>());
  const std::string ended = relay.send("one", full_config(receiver), boss);
  must_get(receiver);
  REQUIRE(relay.hostclaw({"clawlink", "credentials", "revoke", "boss"}).status == 0);
  relay.answer(ended, "in_progress", "half");
  const std::string going_on = relay.send("two", full_config(receiver));
  CHECK(must_get(receiver).json()["task"]["id"] == going_on);
}

TEST_CASE("a relay that is told to connect to nobody says so") {
  const PushRelay relay({"--no-push"});
  CHECK(relay.get("/agents/worker/.well-known/agent-card.json").json()["capabilities"]["pushNotifications"] ==
        false);
  const std::string id = relay.send("main");
  for (const char* method : {"CreateTaskPushNotificationConfig", "GetTaskPushNotificationConfig",
                             "ListTaskPushNotificationConfigs", "DeleteTaskPushNotificationConfig"}) {
    const Json answer = relay.call(method, {{"taskId", id}, {"id", "x"}, {"url", "https://hooks.invalid/"}});
    CHECK(answer["error"]["code"] == -32003);
    CHECK(answer["error"]["data"][0]["reason"] == "PUSH_NOTIFICATION_NOT_SUPPORTED");
  }
  const Finished wrong = relay.hostclaw({"clawlink", "serve", "--push-to", "https://a/b"});
  CHECK(wrong.status == 78);
  CHECK(wrong.standard_error.find("--push-to") != std::string::npos);
}

TEST_CASE("who shows a token gets the card that tells more; where no token is asked for there is none") {
  const RelayProcess relay({}, {{"CLAWLINK_TOKEN", "house-key"}});
  register_as(relay, "worker", bearer("house-key"));
  const std::string place = "/a2a/agents/worker";
  CHECK(relay.get("/agents/worker/.well-known/agent-card.json").json()["capabilities"]["extendedAgentCard"] ==
        true);
  CHECK(relay.get(place + "/extendedAgentCard").status == 401);
  HttpHeaders known = kPushHeaders;
  known.emplace_back("Authorization", "Bearer house-key");
  known.emplace_back("Host", "localhost:1234");
  Json rest = relay.get(place + "/extendedAgentCard", known).json();
  Json rpc = relay.post(place, {{"jsonrpc", "2.0"}, {"id", 1}, {"method", "GetExtendedAgentCard"}}, known)
                 .json()["result"];
  // No two signatures are the same.
  CHECK(rest.erase("signatures") == 1);
  CHECK(rpc.erase("signatures") == 1);
  CHECK(rest == rpc);
  CHECK(rest["supportedInterfaces"][0]["url"] == "http://localhost:1234/a2a/agents/worker");
  const Json more = rest["capabilities"]["extensions"][0]["params"];
  CHECK(more["agentId"] == "worker");
  CHECK(more["status"] == "online");
  CHECK(more["messagesWaiting"] == 0);
  const Json nobody = relay
                          .post("/a2a/agents/nobody",
                                {{"jsonrpc", "2.0"}, {"id", 1}, {"method", "GetExtendedAgentCard"}}, known)
                          .json();
  CHECK(nobody["error"]["code"] == -32007);
  const PushRelay open;
  CHECK(open.call("GetExtendedAgentCard", Json::object())["error"]["code"] == -32004);
}

TEST_CASE("what the relay has in hand can be counted by whoever may speak to it") {
  WebhookReceiver receiver;
  const RelayProcess relay({"--push-to", receiver.origin()}, {{"CLAWLINK_TOKEN", "house-key"}});
  const HttpHeaders known = bearer("house-key");
  register_as(relay, "worker-with-a-name", known);
  CHECK(relay.post("/delegate", delegation("boss", "worker-with-a-name", "one"), known).status == 200);
  CHECK(relay.post("/delegate", delegation("boss", "worker-with-a-name", "two"), known).status == 200);
  CHECK(relay.get("/poll/worker-with-a-name?lease=60&max=1", known).status == 200);
  const HttpAnswer refused = relay.get("/metrics");
  CHECK(refused.status == 401);
  CHECK(relay.ask("POST", "/metrics", "{}", known).status == 405);
  HttpConnection waiting(relay.port());
  REQUIRE(waiting.send(request_text("GET", "/events/worker-with-a-name", {}, known)));
  REQUIRE(waiting.receive_until("\n\n"));
  const HttpAnswer answer = relay.get("/metrics", known);
  CHECK(answer.status == 200);
  CHECK(answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  for (const char* line : {"clawlink_agents{state=\"online\"} 1\n", "clawlink_tasks{state=\"submitted\"} 2\n",
                           "clawlink_leases 1\n", "clawlink_streams{kind=\"events\"} 1\n",
                           "clawlink_refused_requests_total{status=\"401\"} 1\n",
                           "clawlink_refused_requests_total{status=\"405\"} 1\n",
                           "clawlink_push_notifications_total{result=\"delivered\"} 0\n"}) {
    INFO(answer.body);
    INFO(line);
    CHECK(answer.body.find(line) != std::string::npos);
  }
  CHECK(answer.body.find("worker-with-a-name") == std::string::npos);
}

}  // namespace hostclaw::integration
