// SPDX-License-Identifier: Apache-2.0
// Agents that live elsewhere. The other system is a second relay, which speaks A2A as any other endpoint.
#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/integration/relay_process.h"
#include "tests/integration/webhook_receiver.h"

namespace hostclaw::integration {
namespace {

constexpr const char* kTheirToken = "token-of-the-endpoint";

// The relay where the agent is, and this one, which carries there what is delegated to `remote`.
struct TwoRelays {
  TwoRelays() : there({}, {{"CLAWLINK_TOKEN", kTheirToken}}) {
    REQUIRE(there.post("/register", {{"agent_id", "worker"}}, bearer(kTheirToken)).status == 200);
    register_as(here, "boss");
    std::ofstream(token_file()) << kTheirToken << "\n";
    add(there.url() + "/a2a/agents/worker");
  }
  std::string token_file() const { return here.directory.path() + "/their-token"; }
  void add(const std::string& url) const {
    const Finished added =
        here.hostclaw({"clawlink", "forward", "add", "remote", "--url", url, "--token-file", token_file()});
    INFO(added.standard_error);
    REQUIRE(added.status == 0);
  }
  std::string give(const std::string& what) const {
    const HttpAnswer given = here.post("/delegate", delegation("boss", "remote", what));
    REQUIRE(given.status == 200);
    return given.json()["message_id"].get<std::string>();
  }
  // What the worker there gets next.
  Json taken() const {
    const Json polled = there.get("/poll/worker?wait=40", bearer(kTheirToken)).json();
    REQUIRE(polled["count"] == 1);
    return polled["messages"][0];
  }
  void answer(const Json& message, const std::string& status, const Json& said) const {
    CHECK(there
              .post("/respond",
                    {{"from_agent", "worker"},
                     {"message_id", message["message_id"]},
                     {"status", status},
                     {"result", said}},
                    bearer(kTheirToken))
              .status == 200);
  }
  Json heard() const {
    const Json polled = here.get("/poll/boss?wait=40").json();
    REQUIRE(polled["count"] == 1);
    return polled["messages"][0];
  }

  RelayProcess there;
  RelayProcess here;
};

Json state_of(const RelayProcess& relay, const std::string& id) {
  return relay.get("/tasks/" + id).json()["state"];
}

}  // namespace

TEST_CASE("a task for an agent that lives elsewhere is carried there, and its answer comes back") {
  const TwoRelays relays;
  const std::string id = relays.give("build main");
  const Json message = relays.taken();
  CHECK(message["task"] == "build main");
  relays.answer(message, "completed", "built");
  const Json answer = relays.heard();
  CHECK(answer["message_id"] == id);
  CHECK(answer["result"] == "built");
  CHECK(answer["status"] == "completed");
  CHECK(answer["from_agent"] == "remote");
  CHECK(state_of(relays.here, id) == "completed");
  // The endpoint has answered, so the agent is there.
  CHECK(relays.here.get("/discover").json().dump().find("remote") != std::string::npos);
}

TEST_CASE("what the agent asks is answered in the same task") {
  const TwoRelays relays;
  const std::string id = relays.give("deploy");
  const Json first = relays.taken();
  relays.answer(first, "input_required", "which branch?");
  const Json asked = relays.heard();
  CHECK(asked["status"] == "input_required");
  CHECK(asked["result"] == "which branch?");
  REQUIRE(relays.here.post("/tasks/" + id + "/message", {{"from_agent", "boss"}, {"task", "main"}}).status ==
          200);
  const Json second = relays.taken();
  CHECK(second["task"] == "main");
  CHECK(second["task_id"] == first["task_id"]);
  relays.answer(second, "completed", Json{{"sha", "abc"}});
  CHECK(relays.heard()["result"]["artifacts"][0]["parts"][0]["data"]["sha"] == "abc");
}

TEST_CASE("a task that is cancelled here is cancelled there") {
  const TwoRelays relays;
  const std::string id = relays.give("build main");
  const Json message = relays.taken();
  REQUIRE(relays.here.post("/tasks/" + id + "/cancel", {{"from_agent", "boss"}}).status == 200);
  const Json told = relays.taken();
  CHECK(told["type"] == "task_cancel");
  CHECK(told["task_id"] == message["task_id"]);
}

TEST_CASE("a relay that is killed meanwhile asks again and does not send again") {
  TwoRelays relays;
  const std::string id = relays.give("build main");
  const Json message = relays.taken();
  // Once the other side's name of the task is kept.
  bool kept = false;
  for (int i = 0; i < 200 && !kept; ++i) {
    const std::string record = relays.here.hostclaw({"clawlink", "audit", "tail"}).standard_output;
    kept = record.find("clawlink-forwarded") != std::string::npos;
  }
  REQUIRE(kept);
  relays.here.kill();
  relays.answer(message, "completed", "built");
  relays.here.start();
  const Json answer = relays.heard();
  CHECK(answer["message_id"] == id);
  CHECK(answer["result"] == "built");
  CHECK(relays.there.get("/poll/worker", bearer(kTheirToken)).json()["count"] == 0);
}

TEST_CASE("a text that other systems take for a command of their own is not carried there") {
  const TwoRelays relays;
  const std::string id = relays.give(" /reset");
  const Json answer = relays.heard();
  CHECK(answer["status"] == "rejected");
  CHECK(answer["result"].get<std::string>().find("begins with /") != std::string::npos);
  CHECK(relays.there.get("/poll/worker", bearer(kTheirToken)).json()["count"] == 0);
}

TEST_CASE("an endpoint that has no time is asked again; one that refuses is heard") {
  WebhookReceiver endpoint;
  const TwoRelays relays;
  relays.add(endpoint.origin() + "/a2a/v1");
  endpoint.answer_with({"503 Later", "401 Who are you"});
  relays.give("build main");
  const auto first = endpoint.next();
  const auto second = endpoint.next();
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->body == second->body);
  CHECK(first->header("Authorization") == std::string("Bearer ") + kTheirToken);
  CHECK(first->header("A2A-Version") == "1.0");
  const Json answer = relays.heard();
  CHECK(answer["status"] == "failed");
  CHECK(answer["result"] == "HTTP 401");
  // It answers nothing that is A2A.
  relays.give("build main");
  CHECK(relays.heard()["status"] == "failed");
}

std::string rpc(const Json& result) {
  return "200 OK\r\n\r\n" + Json{{"jsonrpc", "2.0"}, {"id", 1}, {"result", result}}.dump();
}

Json foreign_task(const char* state, const Json& more = Json::object()) {
  Json task{{"id", "t-1"}, {"contextId", "c-1"}, {"status", {{"state", state}}}};
  task["status"].update(more);
  return task;
}

Json saying(const std::string& text) {
  return {{"message",
           {{"messageId", "m"}, {"role", "ROLE_AGENT"}, {"parts", Json::array({Json{{"text", text}}})}}}};
}

TEST_CASE("whatever stands between a relay and the answer of who has taken a task, it is asked for again") {
  WebhookReceiver endpoint;
  const TwoRelays relays;
  relays.add(endpoint.origin() + "/a2a/v1");
  endpoint.answer_with({rpc({{"task", foreign_task("TASK_STATE_WORKING")}}), "401 Who are you",
                        "200 OK\r\n\r\n<html>we are back soon</html>",
                        rpc(foreign_task("TASK_STATE_COMPLETED", saying("built")))});
  relays.give("build main");
  const Json answer = relays.heard();
  CHECK(answer["status"] == "completed");
  CHECK(answer["result"] == "built");
}

TEST_CASE("an endpoint that asks the same thing again after an answer is heard again, and only then") {
  WebhookReceiver endpoint;
  const TwoRelays relays;
  relays.add(endpoint.origin() + "/a2a/v1");
  const auto asks = [](const Json& more) {
    Json status = saying("go on?");
    status.update(more);
    return foreign_task("TASK_STATE_INPUT_REQUIRED", status);
  };
  // Its clock moves while it waits; of the second question it does not say when.
  endpoint.answer_with({rpc({{"task", asks({{"timestamp", "2027-01-01T00:00:00Z"}})}}),
                        rpc(asks({{"timestamp", "2027-01-01T00:00:01Z"}})),
                        rpc(asks({{"timestamp", "2027-01-01T00:00:02Z"}}))});
  const std::string id = relays.give("deploy");
  CHECK(relays.heard()["result"] == "go on?");
  for (int i = 0; i < 3; ++i) REQUIRE(endpoint.next());
  CHECK(relays.here.get("/poll/boss").json()["count"] == 0);
  endpoint.answer_with({rpc({{"task", foreign_task("TASK_STATE_WORKING")}}), rpc(asks(Json::object())),
                        rpc(foreign_task("TASK_STATE_COMPLETED", saying("done")))});
  REQUIRE(relays.here.post("/tasks/" + id + "/message", {{"from_agent", "boss"}, {"task", "y"}}).status ==
          200);
  CHECK(relays.heard()["result"] == "go on?");
  CHECK(relays.heard()["status"] == "completed");
}

TEST_CASE("of a task that was continued an endpoint that has forgotten it gets no last word alone") {
  WebhookReceiver endpoint;
  const TwoRelays relays;
  relays.add(endpoint.origin() + "/a2a/v1");
  const std::string forgotten =
      "200 OK\r\n\r\n" +
      Json{{"jsonrpc", "2.0"}, {"id", 1}, {"error", {{"code", -32001}, {"message", "no such task"}}}}.dump();
  endpoint.answer_with({rpc({{"task", foreign_task("TASK_STATE_INPUT_REQUIRED", saying("which branch?"))}})});
  const std::string id = relays.give("deploy the shop");
  CHECK(relays.heard()["result"] == "which branch?");
  endpoint.answer_with({forgotten, forgotten, forgotten});
  REQUIRE(relays.here.post("/tasks/" + id + "/message", {{"from_agent", "boss"}, {"task", "main"}}).status ==
          200);
  CHECK(relays.heard()["status"] == "failed");
  int sent = 0;
  while (const auto request = endpoint.next(std::chrono::seconds(0)))
    sent += request->json()["method"] == "SendMessage" &&
            !request->json()["params"]["message"].contains("taskId");
  CHECK(sent == 1);
}

TEST_CASE("a relay says how often a task was carried, and carries none on that went in a circle") {
  const TwoRelays relays;
  relays.give("build main");
  CHECK(relays.taken()["context"]["metadata"]["hostclaw/hops"] == 1);
  const auto send = [&](int hops) {
    return relays.here
        .post("/a2a/agents/remote",
              {{"jsonrpc", "2.0"},
               {"id", 1},
               {"method", "SendMessage"},
               {"params",
                {{"message",
                  {{"messageId", "m-" + std::to_string(hops)},
                   {"role", "ROLE_USER"},
                   {"parts", Json::array({Json{{"text", "test main"}}})},
                   {"metadata", {{"hostclaw/hops", hops}}}}},
                 {"configuration", {{"returnImmediately", hops < 5}}}}}},
              {{"Content-Type", "application/json"}, {"A2A-Version", "1.0"}})
        .json();
  };
  const auto status = [](const Json& answer) {
    INFO(answer.dump());
    REQUIRE(answer.contains("result"));
    return answer["result"]["task"]["status"];
  };
  CHECK(status(send(4))["state"] != "TASK_STATE_REJECTED");
  CHECK(relays.taken()["context"]["metadata"]["hostclaw/hops"] == 5);
  const Json refused = status(send(5));
  CHECK(refused["state"] == "TASK_STATE_REJECTED");
  CHECK(refused.dump().find("in a circle") != std::string::npos);
}

TEST_CASE("more about a task waits until the agent asks for it, so that no answer is lost") {
  const TwoRelays relays;
  const std::string id = relays.give("deploy");
  REQUIRE(
      relays.here.post("/tasks/" + id + "/message", {{"from_agent", "boss"}, {"task", "but not on friday"}})
          .status == 200);
  const Json first = relays.taken();
  CHECK(first["task"] == "deploy");
  relays.answer(first, "input_required", "when?");
  CHECK(relays.heard()["result"] == "when?");
  const Json second = relays.taken();
  CHECK(second["task"] == "but not on friday");
  CHECK(second["task_id"] == first["task_id"]);
  relays.answer(second, "completed", "planned");
  CHECK(relays.heard()["result"] == "planned");
}

TEST_CASE("a token that is replaced is used from then on, and what is on its way goes on") {
  const TwoRelays relays;
  relays.give("build main");
  const Json message = relays.taken();
  relays.add(relays.there.url() + "/a2a/agents/worker");
  relays.answer(message, "completed", "built");
  CHECK(relays.heard()["result"] == "built");
}

TEST_CASE("a token file that is no token, and a frame to an agent that lives elsewhere, are refused") {
  const TwoRelays relays;
  std::ofstream(relays.token_file()) << "a\r\nX-Evil: 1";
  const Finished added =
      relays.here.hostclaw({"clawlink", "forward", "add", "other", "--url", "https://example.com/a2a",
                            "--token-file", relays.token_file()});
  CHECK(added.status != 0);
  HttpConnection socket(relays.here.port());
  open_socket(socket, "/ws/boss");
  REQUIRE(
      socket.send(client_frame(Json{{"type", "delegate"}, {"to_agent", "remote"}, {"task", "x"}}.dump())));
  CHECK(socket.receive_until("lives elsewhere"));
}

TEST_CASE("nobody here speaks as an agent that lives elsewhere, and an id that is in use is not taken over") {
  const TwoRelays relays;
  CHECK(relays.here.get("/poll/remote").status == 403);
  CHECK(relays.here.post("/register", {{"agent_id", "remote"}}).status == 403);
  CHECK(relays.here.post("/delegate", delegation("remote", "boss", "obey")).status == 403);
  const auto forward = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"clawlink", "forward"});
    words.emplace_back("--json");
    const Finished done = relays.here.hostclaw(words);
    INFO(done.standard_output << done.standard_error);
    return Json::parse(done.standard_output.empty() ? done.standard_error : done.standard_output);
  };
  const auto code = [&](const std::vector<std::string>& words) { return forward(words)["error"]["code"]; };
  CHECK(code({"add", "boss", "--url", "https://example.com/a2a"}) == "AGENT_EXISTS");
  CHECK(code({"add", "relay", "--url", "https://example.com/a2a"}) == "AGENT_INVALID");
  CHECK(code({"add", "other", "--url", "http://example.com/a2a"}) == "FORWARD_PLAIN_REFUSED");
  CHECK(code({"add", "other", "--url", "ftp://example.com"}) == "FORWARD_URL_INVALID");
  CHECK(code({"add", "other", "--url", "https://user:pw@example.com/a2a"}) == "FORWARD_URL_INVALID");
  CHECK(code({"remove", "other"}) == "FORWARD_UNKNOWN");
  CHECK(forward({"add", "plain", "--url", "http://example.com/a2a", "--insecure"})["ok"] == true);
  CHECK(forward({"list"})["forwards"].size() == 2);
  CHECK(forward({"remove", "remote"})["ok"] == true);
  CHECK(forward({"list"})["forwards"].size() == 1);
  // No token is left behind, and none was ever readable by others.
  for (const auto& entry : std::filesystem::directory_iterator(relays.here.state()))
    CHECK(entry.path().filename().string().find(".token") == std::string::npos);
}

TEST_CASE("the token of an endpoint is its owner's alone, and is neither in the database nor shown") {
  const TwoRelays relays;
  int tokens = 0;
  for (const auto& entry : std::filesystem::directory_iterator(relays.here.state())) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    const bool is_token = entry.path().extension() == ".token";
    tokens += is_token ? 1 : 0;
    CHECK((content.find(kTheirToken) != std::string::npos) == is_token);
    if (!is_token) continue;
    struct stat seen {};
    REQUIRE(::stat(entry.path().c_str(), &seen) == 0);
    CHECK((seen.st_mode & 0777) == 0600);
  }
  CHECK(tokens == 1);
  const Finished listed = relays.here.hostclaw({"clawlink", "forward", "list"});
  CHECK(listed.standard_output.find(kTheirToken) == std::string::npos);
  CHECK(listed.standard_output.find("with a token") != std::string::npos);
}

}  // namespace hostclaw::integration
