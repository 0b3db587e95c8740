// SPDX-License-Identifier: Apache-2.0
// The relay on the wire: shapes, defaults and texts of the original, what is refused, and what came after.
#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "base/text.h"
#include "tests/integration/relay_process.h"

namespace hostclaw::integration {
namespace {

std::set<std::string> members_of(const Json& object) {
  std::set<std::string> out;
  for (const auto& [name, value] : object.items()) out.insert(name);
  return out;
}

bool holds(const Json& object, const std::set<std::string>& wanted) {
  const std::set<std::string> there = members_of(object);
  return std::includes(there.begin(), there.end(), wanted.begin(), wanted.end());
}

// The next frame with that text in it, as JSON: every frame here is one object.
Json socket_message(HttpConnection& connection, const std::string& end) {
  const auto bytes = connection.receive_until(end);
  REQUIRE(bytes);
  const std::size_t start = bytes->find('{');
  REQUIRE(start != std::string::npos);
  std::string text = bytes->substr(start);
  text += connection.receive_until("}").value_or("");
  const Json parsed = Json::parse(text, nullptr, false);
  INFO(text);
  REQUIRE_FALSE(parsed.is_discarded());
  return parsed;
}

}  // namespace

TEST_CASE("the twelve routes answer with the original's shapes, defaults and texts") {
  const RelayProcess relay;
  const Json info = relay.get("/").json();
  CHECK(holds(info, {"service", "version", "auth_required", "agents_online", "total_broadcasts",
                     "shared_files", "note", "endpoints", "server_time"}));
  // Clients repeat a change whose answer was lost to who says this.
  CHECK(info["features"][0] == "idempotency");
  CHECK(info["service"] == "ClawLink Relay");
  CHECK(info["auth_required"] == false);

  const HttpAnswer registered = relay.post("/register", Json::object());
  CHECK(registered.header("Content-Type") == "application/json; charset=utf-8");
  const Json agent = registered.json()["agent"];
  CHECK(members_of(agent) == std::set<std::string>{"agent_id", "name", "capabilities", "machine",
                                                   "description", "registered_at", "last_heartbeat",
                                                   "status"});
  CHECK(agent["agent_id"].get<std::string>().size() == 8);
  CHECK(agent["name"] == "agent-" + agent["agent_id"].get<std::string>().substr(0, 4));
  CHECK(agent["machine"] == "127.0.0.1");
  CHECK(agent["last_heartbeat"].is_number_float());
  CHECK(agent["registered_at"].get<std::string>().ends_with("+00:00"));
  CHECK(registered.json()["status"] == "registered");

  register_as(relay, "a");
  register_as(relay, "b");
  const Json found = relay.get("/discover").json();
  CHECK(found["count"] == 3);
  CHECK(found["agents"].size() == 3);
  CHECK(relay.post("/heartbeat", {{"agent_id", "a"}}).json() == Json{{"status", "ok"}});
  CHECK(relay.post("/heartbeat", {{"agent_id", "nobody"}}).json() == Json{{"status", "unknown_agent"}});

  const Json delegated = relay.post("/delegate", delegation("a", "b", "sweep")).json();
  CHECK(delegated["status"] == "delegated");
  CHECK(delegated["delivery"] == "queued");
  const std::string message_id = delegated["message_id"].get<std::string>();
  CHECK(message_id.size() == 12);
  const Json polled = relay.get("/poll/b").json();
  CHECK(polled["count"] == 1);
  const Json task = polled["messages"][0];
  CHECK(holds(task, {"type", "message_id", "from_agent", "to_agent", "task", "context", "priority",
                     "timestamp", "queued_at"}));
  CHECK(task["type"] == "task_delegation");
  CHECK(task["context"] == Json::object());
  CHECK(task["priority"] == "normal");
  CHECK(task["message_id"] == message_id);
  CHECK(relay.get("/poll/b").json() == Json{{"messages", Json::array()}, {"count", 0}});

  const Json answered =
      relay
          .post("/respond",
                {{"from_agent", "b"}, {"to_agent", "a"}, {"message_id", message_id}, {"result", "clean"}})
          .json();
  CHECK(answered["status"] == "response_sent");
  const Json response = relay.get("/poll/a").json()["messages"][0];
  CHECK(holds(response, {"type", "message_id", "response_id", "from_agent", "to_agent", "result", "status",
                         "timestamp", "queued_at"}));
  CHECK(response["status"] == "completed");
  CHECK(response["result"] == "clean");
  CHECK(relay.post("/respond", Json::object()).json()["status"] == "response_sent");

  const Json told = relay.post("/broadcast", {{"from_agent", "a"}, {"content", "news"}}).json();
  CHECK(told["status"] == "broadcast_sent");
  CHECK(told["recipients"] == 2);
  const Json news = relay.get("/poll/b").json()["messages"][0];
  CHECK(news["type"] == "knowledge_broadcast");
  CHECK(news["topic"] == "general");
  CHECK(news["tags"] == Json::array());
  CHECK(relay.get("/poll/a").json()["count"] == 0);
  CHECK(relay.get("/").json()["total_broadcasts"] == 1);

  const Json saved =
      relay.post("/files", {{"file_key", "notes/one"}, {"content", "hello"}, {"agent_id", "a"}}).json();
  CHECK(saved["status"] == "saved");
  CHECK(saved["version"] == 1);
  const Json updated = relay.get("/poll/b").json()["messages"][0];
  CHECK(updated["type"] == "file_updated");
  CHECK(updated["last_editor"] == "a");
  const Json files = relay.get("/files").json();
  CHECK(files["count"] == 1);
  CHECK_FALSE(files["files"][0].contains("content"));
  CHECK(relay.get("/files/notes%2Fone").json()["content"] == "hello");
  CHECK(relay.get("/files/notes/one").status == 404);
  const HttpAnswer none = relay.get("/files/none");
  CHECK(none.status == 404);
  CHECK(none.json()["error"] == "file not found");
}

TEST_CASE("what is missing or malformed is refused with the original's texts, and as JSON") {
  const RelayProcess relay;
  const auto refusal = [&](const std::string& target, const std::string& body) {
    const HttpAnswer answer = relay.ask("POST", target, body);
    CHECK(answer.status == 400);
    return answer.json()["error"].get<std::string>();
  };
  CHECK(refusal("/heartbeat", "{}") == "agent_id required");
  CHECK(refusal("/delegate", R"({"from_agent":"a","to_agent":"b","task":""})") ==
        "from_agent, to_agent, and task are required");
  CHECK(refusal("/broadcast", R"({"from_agent":"a"})") == "from_agent and content required");
  CHECK(refusal("/files", R"({"file_key":"k","agent_id":"a"})") ==
        "file_key, content, and agent_id required");
  for (const char* body : {"", "{", "[]", "null", "\"x\"", "{\"a\":1}}", "\xff"}) {
    CAPTURE(body);
    CHECK_FALSE(refusal("/register", body).empty());
  }
  CHECK_FALSE(refusal("/register", R"({"agent_id":null})").empty());
  CHECK_FALSE(refusal("/register", R"({"agent_id":"a/b"})").empty());
  CHECK_FALSE(
      refusal("/delegate", R"({"from_agent":"a","to_agent":"b","task":"x","deadline":"yesterday"})").empty());
  CHECK_FALSE(refusal("/delegate", R"({"from_agent":"a","to_agent":"b","task":"x","ttl":-1})").empty());
  // Members of another type than wanted harm nobody.
  CHECK_FALSE(refusal("/delegate", R"({"from_agent":7,"to_agent":{},"task":"x"})").empty());
  CHECK(relay.get("/nowhere").status == 404);
  CHECK(relay.get("/nowhere").header("Content-Type") == "text/plain; charset=utf-8");
  CHECK(relay.get("/poll/").status == 404);
  CHECK(relay.get("/delegate").status == 405);
  CHECK(relay.get("/poll/a?wait=soon").status == 400);
  CHECK(relay.get("/tasks?state=odd").status == 400);
  CHECK(relay.get("/tasks/none").status == 404);
  const HttpAnswer large = relay.ask("POST", "/delegate", std::string(1024 * 1024 + 1, 'x'));
  CHECK(large.status == 413);
  CHECK(relay.ask("BREW", "/", {}).status == 405);
  HttpConnection garbage(relay.port());
  REQUIRE(garbage.send("\x16\x03\x01 this is no HTTP\r\n\r\n"));
  CHECK(garbage.receive()->status == 400);
  HttpConnection endless(relay.port());
  endless.send("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + std::string(20'000, 'x'));
  CHECK(endless.receive()->status == 431);
  CHECK(relay.get("/").status == 200);
}

TEST_CASE("a shared token is wanted in the original's way, and by whoever guesses it only slowly") {
  const RelayProcess relay({}, {{"CLAWLINK_TOKEN", "house-key"}});
  const auto first = std::chrono::steady_clock::now();
  const HttpAnswer refused = relay.get("/");
  CHECK(refused.status == 401);
  CHECK(refused.json()["error"] == "Unauthorized. Provide Authorization: Bearer <token>");
  CHECK(relay.get("/", bearer("house-key")).status == 200);
  CHECK(relay.get("/?token=house-key").status == 200);
  CHECK(relay.get("/?token=house-key", bearer("wrong")).status == 401);
  CHECK(relay.get("/?token=house-key", {{"Authorization", "Basic x"}}).status == 200);
  CHECK(relay.get("/", {{"Authorization", "bearer house-key"}}).status == 401);
  CHECK(relay.get("/ws/a").status == 401);
  CHECK(std::chrono::steady_clock::now() - first >= std::chrono::milliseconds(1500));
}

TEST_CASE("pages that a browser was led to are not let in") {
  const RelayProcess relay;
  CHECK(relay.get("/", {{"Host", "evil.example:9077"}}).status == 421);
  for (const char* odd :
       {"localhost:x@evil.example", "localhost:80/evil", "[::1]evil", "[::1", "localhost@evil"})
    CHECK(relay.get("/", {{"Host", odd}}).status == 421);
  CHECK(relay.get("/", {{"Host", "localhost:"}}).status == 200);
  CHECK(relay.get("/", {{"Origin", "https://evil.example"}}).status == 403);
  CHECK(relay.get("/", {{"Origin", "null"}}).status == 403);
  CHECK(relay.get("/", {{"Host", "localhost:9077"}, {"Origin", "http://localhost:9077"}}).status == 200);
  CHECK(relay.get("/", {{"Host", "[::1]:9077"}}).status == 200);
}

TEST_CASE("who has used its credential is nobody else's: queue, name, id and files") {
  const RelayProcess relay;
  const std::string token = register_as(relay, "a")["agent_token"].get<std::string>();
  register_as(relay, "b");
  // Never used, it changes nothing for clients of the original.
  CHECK(relay.post("/delegate", delegation("a", "b", "x")).status == 200);
  CHECK(relay.get("/poll/b").json()["messages"][0]["sender_verified"] == false);
  CHECK(relay.post("/heartbeat", {{"agent_id", "a"}}, bearer(token)).status == 200);
  CHECK(relay.get("/poll/a").status == 403);
  CHECK(relay.post("/delegate", delegation("a", "b", "x")).status == 403);
  CHECK(relay.post("/register", {{"agent_id", "a"}}).status == 403);
  CHECK(relay.post("/files", {{"file_key", "k"}, {"content", "x"}, {"agent_id", "a"}}).status == 403);
  CHECK(relay.get("/events/a").status == 403);
  CHECK(relay.post("/delegate", delegation("b", "a", "x"), bearer(token)).status == 403);
  CHECK(relay.get("/poll/b", bearer(token)).status == 403);
  CHECK(relay.get("/poll/a?token=" + token).status == 403);
  // As itself it speaks, and need not say who it is.
  CHECK(relay.post("/delegate", {{"to_agent", "b"}, {"task", "mine"}}, bearer(token)).status == 200);
  const Json message = relay.get("/poll/b").json()["messages"][0];
  CHECK(message["from_agent"] == "a");
  CHECK(message["sender_verified"] == true);
  CHECK_FALSE(relay.post("/register", {{"name", "again"}}, bearer(token)).json().contains("agent_token"));
  const Finished revoked = relay.hostclaw({"clawlink", "credentials", "revoke", "a", "--json"});
  CHECK(revoked.status == 0);
  CHECK(relay.get("/poll/a", bearer(token)).status == 401);
  CHECK(relay.hostclaw({"clawlink", "audit", "verify"}).status == 0);
}

TEST_CASE("with --require-credentials the shared token registers and does nothing else") {
  const RelayProcess relay({"--require-credentials"}, {{"CLAWLINK_TOKEN", "house-key"}});
  const HttpHeaders shared = bearer("house-key");
  const std::string token = register_as(relay, "a", shared)["agent_token"].get<std::string>();
  CHECK(relay.post("/delegate", delegation("a", "b", "x"), shared).status == 403);
  CHECK(relay.get("/poll/a", shared).status == 403);
  CHECK(relay.get("/discover", shared).status == 200);
  CHECK(relay.post("/delegate", delegation("a", "b", "x"), bearer(token)).status == 200);
}

TEST_CASE("rules of the owner say who delegates to whom and who writes what") {
  const RelayProcess relay;
  const std::string boss = register_as(relay, "boss")["agent_token"].get<std::string>();
  CHECK(relay.hostclaw({"clawlink", "rules", "add", "allow", "boss", "delegate", "prod", "--json"}).status ==
        0);
  CHECK(relay.hostclaw({"clawlink", "rules", "add", "deny", "*", "write", "policy/*"}).status == 0);
  CHECK(relay.post("/delegate", delegation("other", "prod", "x")).status == 403);
  CHECK(relay.post("/delegate", delegation("other", "test", "x")).status == 200);
  CHECK(relay.post("/delegate", delegation("boss", "prod", "x"), bearer(boss)).status == 200);
  CHECK(relay.post("/files", {{"file_key", "policy/a"}, {"content", "x"}, {"agent_id", "other"}}).status ==
        403);
  CHECK(relay.post("/files", {{"file_key", "plan"}, {"content", "x"}, {"agent_id", "other"}}).status == 200);
  const Json rules = Json::parse(relay.hostclaw({"clawlink", "rules", "list", "--json"}).standard_output);
  CHECK(rules["rules"].size() == 2);
  CHECK(relay.hostclaw({"clawlink", "rules", "remove", "1"}).status == 0);
  CHECK(relay.post("/delegate", delegation("other", "prod", "x")).status == 200);
  CHECK(relay.hostclaw({"clawlink", "rules", "remove", "1"}).status == 1);
}

TEST_CASE("a request that names itself is done once") {
  const RelayProcess relay;
  const HttpHeaders key{{"Idempotency-Key", "one"}};
  const Json first = relay.post("/delegate", delegation("a", "b", "x"), key).json();
  const HttpAnswer again = relay.post("/delegate", delegation("a", "b", "x"), key);
  CHECK(again.json() == first);
  CHECK(again.header("Idempotent-Replay") == "true");
  CHECK(relay.post("/delegate", delegation("a", "b", "other"), key).status == 422);
  CHECK(relay.get("/poll/b").json()["count"] == 1);
  // A registration that is repeated gives a token that works.
  const HttpHeaders join{{"Idempotency-Key", "two"}};
  const Json body{{"agent_id", "c"}, {"name", "c"}};
  const Json lost = relay.post("/register", body, join).json();
  const Json kept = relay.post("/register", body, join).json();
  CHECK(
      relay.post("/heartbeat", {{"agent_id", "c"}}, bearer(lost["agent_token"].get<std::string>())).status ==
      401);
  CHECK(
      relay.post("/heartbeat", {{"agent_id", "c"}}, bearer(kept["agent_token"].get<std::string>())).status ==
      200);
}

TEST_CASE("leased messages are acknowledged, extended and given back; a stale lease is told") {
  const RelayProcess relay;
  relay.post("/delegate", delegation("a", "b", "x"));
  const Json message = relay.get("/poll/b?lease=30").json()["messages"][0];
  const std::string lease = message["lease"].get<std::string>();
  CHECK(message["attempt"] == 1);
  CHECK(relay.get("/poll/b").json()["count"] == 0);
  CHECK(relay.post("/extend", {{"lease", lease}, {"seconds", 60}}).status == 200);
  CHECK(relay.post("/nack", {{"lease", lease}}).status == 200);
  CHECK(relay.post("/ack", {{"lease", lease}}).status == 409);
  const Json again = relay.get("/poll/b?lease=1").json()["messages"][0];
  CHECK(again["attempt"] == 2);
  // It waits again by itself once its lease is over.
  const Json third = relay.get("/poll/b?lease=30&wait=20").json();
  REQUIRE(third["count"] == 1);
  CHECK(relay.post("/ack", {{"lease", again["lease"]}}).json()["code"] == "LEASE_STALE");
  CHECK(relay.post("/ack", {{"leases", {third["messages"][0]["lease"]}}}).json()["status"] == "acked");
  CHECK(relay.get("/poll/b").json()["count"] == 0);
}

TEST_CASE("a poll that waits is answered when something comes, and one whose client has gone takes nothing") {
  const RelayProcess relay;
  HttpConnection gone(relay.port());
  REQUIRE(gone.send(request_text("GET", "/poll/b?wait=60", {}, {})));
  HttpConnection waiting(relay.port());
  REQUIRE(waiting.send(request_text("GET", "/poll/c?wait=60", {}, {})));
  // Served after both: one connection after the other is accepted, and this answer needs the same thread.
  CHECK(relay.get("/").status == 200);
  gone.close();
  CHECK(relay.get("/").status == 200);
  relay.post("/delegate", delegation("a", "c", "now"));
  CHECK(waiting.receive()->json()["count"] == 1);
  relay.post("/delegate", delegation("a", "b", "kept"));
  CHECK(relay.get("/poll/b").json()["count"] == 1);
}

TEST_CASE("tasks are looked at, waited for, continued and cancelled") {
  const RelayProcess relay;
  const std::string id =
      relay.post("/delegate", delegation("a", "b", "x")).json()["message_id"].get<std::string>();
  const Json task = relay.get("/tasks/" + id).json();
  CHECK(task["state"] == "submitted");
  CHECK(task["events"][0]["body"]["parts"][0]["text"] == "x");
  HttpConnection waiting(relay.port());
  REQUIRE(waiting.send(request_text("GET", "/tasks/" + id + "?after=1&wait=60", {}, {})));
  CHECK(relay.get("/poll/b").json()["count"] == 1);
  CHECK(relay
            .post("/respond", {{"from_agent", "b"},
                               {"to_agent", "a"},
                               {"message_id", id},
                               {"status", "input_required"},
                               {"result", "which?"}})
            .json()["task_state"] == "input_required");
  CHECK(waiting.receive()->json()["state"] == "input_required");
  CHECK(relay.post("/tasks/" + id + "/message", {{"from_agent", "b"}, {"task", "left"}}).status == 403);
  CHECK(
      relay.post("/tasks/" + id + "/message", {{"from_agent", "a"}, {"task", "left"}}).json()["task_state"] ==
      "working");
  CHECK(relay.get("/poll/b").json()["messages"][0]["task"] == "left");
  CHECK(relay.post("/tasks/" + id + "/cancel", {{"from_agent", "b"}}).status == 403);
  CHECK(relay.post("/tasks/" + id + "/cancel", Json::object()).json()["task"]["state"] == "cancelled");
  CHECK(relay.get("/poll/b").json()["messages"][0]["type"] == "task_cancel");
  CHECK(
      relay.post("/respond", {{"from_agent", "b"}, {"to_agent", "a"}, {"message_id", id}, {"result", "late"}})
          .json()["late"] == true);
  CHECK(relay.get("/tasks?state=cancelled").json()["count"] == 1);
  CHECK(relay.get("/tasks?state=completed").json()["count"] == 0);
  relay.post("/delegate", delegation("a", "b", "second"));
  const Json newest = relay.get("/tasks?limit=1").json()["tasks"];
  REQUIRE(newest.size() == 1);
  const Json older =
      relay.get("/tasks?limit=1&after=" + newest[0]["task_id"].get<std::string>()).json()["tasks"];
  REQUIRE(older.size() == 1);
  CHECK(older[0]["message_id"] == id);
}

TEST_CASE("files change from the version that was seen, hold every byte, and keep their versions") {
  const RelayProcess relay;
  const auto put = [&](Json more, const HttpHeaders& headers = {}) {
    Json body{{"file_key", "plan"}, {"agent_id", "a"}};
    body.update(more);
    return relay.post("/files", body, headers);
  };
  CHECK(put({{"content", "one"}, {"expected_version", 0}}).json()["version"] == 1);
  const HttpAnswer conflict = put({{"content", "two"}, {"expected_version", 0}});
  CHECK(conflict.status == 409);
  CHECK(conflict.json()["current_version"] == 1);
  CHECK(put({{"content", "two"}}, {{"If-Match", "\"1\""}}).json()["version"] == 2);
  CHECK(put({{"content", "three"}}, {{"If-Match", "\"1\""}}).status == 409);
  CHECK(put({{"content", ""}}).json()["version"] == 3);
  CHECK(relay.get("/files/plan").json()["content"] == "");
  CHECK(put({{"content", "AP8="}, {"encoding", "base64"}}).json()["version"] == 4);
  CHECK(put({{"content", "???"}, {"encoding", "base64"}}).status == 400);
  const HttpAnswer binary = relay.get("/files/plan");
  CHECK(binary.json()["content"] == "AP8=");
  CHECK(binary.json()["encoding"] == "base64");
  CHECK(binary.header("ETag") == "\"4\"");
  CHECK(relay.get("/files/plan?version=1").json()["content"] == "one");
  CHECK(relay.get("/files/plan/history").json()["count"] == 4);
}

TEST_CASE(
    "a socket gets what waits first, then what comes, and what was not acknowledged by frame comes again") {
  const RelayProcess relay;
  relay.post("/delegate", delegation("a", "b", "waiting"));
  {
    HttpConnection socket(relay.port());
    open_socket(socket, "/ws/b");
    CHECK(socket_message(socket, "\"type\":\"task_delegation\"")["task"] == "waiting");
    relay.post("/delegate", delegation("a", "b", "new"));
    CHECK(socket_message(socket, "\"type\":\"task_delegation\"")["task"] == "new");
    register_as(relay, "z");
    const auto joined = socket.receive_until("\"type\":\"agent_joined\"");
    REQUIRE(joined);
    CHECK(joined->find("\"agent_id\":\"z\"") != std::string::npos);
    socket.send(client_frame(R"({"type":"delegate","to_agent":"c","task":"raw"})"));
    const Json passed = relay.get("/poll/c?wait=20").json()["messages"][0];
    CHECK(passed["type"] == "delegate");
    CHECK(passed["from_agent"] == "b");
    CHECK_FALSE(passed.contains("message_id"));
    socket.send(client_frame("no json"));
    CHECK(socket.receive_until("\"type\":\"error\""));
  }
  // Written frames were delivered.
  CHECK(relay.get("/poll/b").json()["count"] == 0);

  relay.post("/delegate", delegation("a", "b", "leased"));
  HttpConnection careful(relay.port());
  open_socket(careful, "/ws/b?ack=1");
  const auto text = careful.receive_until("\"lease_until\"");
  REQUIRE(text);
  const std::size_t at = text->find("\"lease\":\"") + 9;
  const std::string lease = text->substr(at, text->find('"', at) - at);
  careful.send(client_frame(R"({"type":"nack","lease":")" + lease + "\"}"));
  const auto again = careful.receive_until("\"lease_until\"");
  REQUIRE(again);
  const std::size_t second = again->find("\"lease\":\"") + 9;
  careful.send(client_frame(R"({"type":"ack","lease":")" +
                            again->substr(second, again->find('"', second) - second) + "\"}"));
  careful.send(client_frame(R"({"type":"ack","lease":")" + lease + "\"}"));
  CHECK(careful.receive_until("LEASE_STALE"));
  CHECK(relay.get("/poll/b").json()["count"] == 0);
}

TEST_CASE("a stream of events resumes behind the last one that was seen") {
  const RelayProcess relay;
  relay.post("/delegate", delegation("a", "b", "first"));
  std::string number;
  {
    HttpConnection stream(relay.port());
    REQUIRE(stream.send(request_text("GET", "/events/b", {}, {{"Accept", "text/event-stream"}})));
    const auto head = stream.receive_until("\r\n\r\n");
    REQUIRE(head);
    CHECK(head->find("Content-Type: text/event-stream") != std::string::npos);
    const auto event = stream.receive_until("}\n\n");
    REQUIRE(event);
    CHECK(event->find("\"task\":\"first\"") != std::string::npos);
    const std::size_t at = event->find("id: ") + 4;
    number = event->substr(at, event->find('\n', at) - at);
    relay.post("/delegate", delegation("a", "b", "second"));
    CHECK(stream.receive_until("\"task\":\"second\""));
  }
  HttpConnection again(relay.port());
  REQUIRE(again.send(request_text("GET", "/events/b", {}, {{"Last-Event-ID", number}})));
  const auto resumed = again.receive_until("}\n\n");
  REQUIRE(resumed);
  CHECK(resumed->find("\"task\":\"second\"") != std::string::npos);
  CHECK(resumed->find("\"task\":\"first\"") == std::string::npos);
}

TEST_CASE("a relay that other machines would reach wants a token and TLS") {
  const TemporaryDirectory directory;
  const auto refusal = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"clawlink", "serve", "--port", "0", "--host", "0.0.0.0"});
    HostProcess process(hostclaw_program(), words,
                        {{"PATH", "/usr/bin:/bin"},
                         {"HOME", directory.path()},
                         {"HOSTCLAW_STATE_DIR", directory.path() + "/state"}});
    const auto finished = process.wait_exit(std::chrono::seconds(30));
    REQUIRE(finished);
    CHECK(finished->status == 78);
    return finished->standard_error;
  };
  CHECK(refusal({}).find("without a token") != std::string::npos);
  const std::string no_tls = refusal({"--token", "x"});
  CHECK(no_tls.find("without TLS") != std::string::npos);
  CHECK(no_tls.find("next: ") != std::string::npos);
  CHECK(refusal({"--token", "x", "--tls-cert", "/nowhere", "--tls-key", "/nowhere"})
            .find("TLS_FILES_INVALID") != std::string::npos);
}

}  // namespace hostclaw::integration
