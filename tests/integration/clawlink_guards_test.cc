// SPDX-License-Identifier: Apache-2.0
// What a relay does not let happen, each with its twin that goes on working.
#include <sys/resource.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "base/text.h"
#include "tests/integration/relay_process.h"

namespace hostclaw::integration {
namespace {

std::string token_of(const RelayProcess& relay, const std::string& id) {
  return register_as(relay, id)["agent_token"].get<std::string>();
}

// From now on its credential alone is this agent.
void guard(const RelayProcess& relay, const std::string& id, const std::string& token) {
  REQUIRE(relay.post("/heartbeat", {{"agent_id", id}}, bearer(token)).status == 200);
}

std::string nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

// A head with the announcement of a body that never comes.
HttpAnswer head_alone(const RelayProcess& relay, const std::string& target, const std::string& fields) {
  HttpConnection connection(relay.port());
  REQUIRE(connection.send("POST " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + fields + "\r\n"));
  const auto answer = connection.receive();
  REQUIRE(answer);
  return *answer;
}

// What a program that is started meanwhile may have open, until this object goes.
class FewFiles {
 public:
  explicit FewFiles(rlim_t soft) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit fewer{soft, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &fewer) == 0);
  }
  ~FewFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewFiles(const FewFiles&) = delete;
  FewFiles& operator=(const FewFiles&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("a registration that is repeated gives no token of an agent that is guarded or has left") {
  const RelayProcess relay;
  const HttpHeaders key{{"Idempotency-Key", "join"}};
  const Json body{{"agent_id", "a"}, {"name", "a"}};
  relay.post("/register", body, key);
  const HttpAnswer again = relay.post("/register", body, key);
  REQUIRE(again.status == 200);
  guard(relay, "a", again.json()["agent_token"].get<std::string>());
  const HttpAnswer stolen = relay.post("/register", body, key);
  CHECK(stolen.status == 403);
  CHECK_FALSE(stolen.json().contains("agent_token"));

  const HttpHeaders other{{"Idempotency-Key", "other"}};
  relay.post("/register", {{"agent_id", "b"}}, other);
  CHECK(relay.post("/deregister", {{"agent_id", "b"}}).status == 200);
  CHECK(relay.post("/register", {{"agent_id", "b"}}, other).status == 404);
  CHECK(relay.post("/register", {{"agent_id", "b"}}).status == 200);
}

TEST_CASE("streams end when their agent becomes guarded, and when their credential is revoked") {
  const RelayProcess relay;
  for (const std::string& id : {std::string("by-socket"), std::string("by-events")}) {
    INFO(id);
    const std::string token = token_of(relay, id);
    const auto open = [&](HttpConnection& connection, const HttpHeaders& headers) {
      if (id == "by-socket") return open_socket(connection, "/ws/" + id, headers);
      REQUIRE(connection.send(request_text("GET", "/events/" + id, {}, headers)));
      REQUIRE(connection.receive_until("\n\n"));
    };
    HttpConnection stranger(relay.port());
    open(stranger, {});
    relay.post("/delegate", delegation("x", id, "for everybody"));
    CHECK(stranger.receive_until("for everybody"));
    guard(relay, id, token);
    relay.post("/delegate", delegation("x", id, "for one alone"));
    CHECK_FALSE(stranger.receive_until("for one alone"));
    HttpConnection own(relay.port());
    open(own, bearer(token));
    CHECK(own.receive_until("for one alone"));
    CHECK(relay.hostclaw({"clawlink", "credentials", "revoke", id}).status == 0);
    relay.post("/delegate", delegation("x", id, "for nobody"));
    CHECK_FALSE(own.receive_until("for nobody"));
  }
}

TEST_CASE("a frame says nothing for an agent that has become guarded since the socket was opened") {
  const RelayProcess relay;
  const std::string token = token_of(relay, "a");
  HttpConnection stranger(relay.port());
  open_socket(stranger, "/ws/a");
  guard(relay, "a", token);
  stranger.send(client_frame(R"({"type":"delegate","to_agent":"b","task":"forged"})"));
  CHECK_FALSE(stranger.receive_until("never"));
  CHECK(relay.get("/poll/b").json()["count"] == 0);
  HttpConnection own(relay.port());
  open_socket(own, "/ws/a", bearer(token));
  own.send(client_frame(R"({"type":"delegate","to_agent":"b","task":"mine"})"));
  const Json passed = relay.get("/poll/b?wait=20").json()["messages"];
  REQUIRE(passed.size() == 1);
  CHECK(passed[0]["sender_verified"] == true);
}

TEST_CASE("rules hold for frames of a socket, and a claimed name opens nothing that a rule keeps for it") {
  const RelayProcess relay;
  const std::string boss = token_of(relay, "boss");
  REQUIRE(relay.hostclaw({"clawlink", "rules", "add", "allow", "boss", "delegate", "prod"}).status == 0);
  CHECK(relay.post("/delegate", delegation("boss", "prod", "x")).status == 403);
  HttpConnection socket(relay.port());
  open_socket(socket, "/ws/other");
  socket.send(client_frame(R"({"type":"delegate","to_agent":"prod","task":"x"})"));
  CHECK(socket.receive_until("FORBIDDEN"));
  socket.send(client_frame(R"({"type":"delegate","to_agent":"test","task":"x"})"));
  CHECK(relay.get("/poll/test?wait=20").json()["count"] == 1);
  CHECK(relay.get("/poll/prod").json()["count"] == 0);
  CHECK(relay.post("/delegate", delegation("boss", "prod", "x"), bearer(boss)).status == 200);
}

TEST_CASE("a frame or body that is nested too deep for its reader is refused, and harms no poll") {
  const RelayProcess relay;
  HttpConnection socket(relay.port());
  open_socket(socket, "/ws/a");
  socket.send(client_frame(R"({"type":"delegate","to_agent":"b","task":)" + nested(60) + "}"));
  CHECK(socket.receive_until("BAD_REQUEST"));
  CHECK(relay.ask("POST", "/delegate", R"({"from_agent":"a","to_agent":"b","task":)" + nested(60) + "}")
            .status == 400);
  socket.send(client_frame(R"({"type":"delegate","to_agent":"b","task":)" + nested(47) + "}"));
  const HttpAnswer polled = relay.get("/poll/b?wait=20");
  CHECK(polled.json()["count"] == 1);
  CHECK(parse_json(polled.body).has_value());
}

TEST_CASE("a page that cannot even read the answer does not empty a queue; the relay's own pages may") {
  const RelayProcess relay;
  relay.post("/delegate", delegation("a", "b", "x"));
  for (const char* site : {"cross-site", "same-site", "Cross-Site"})
    CHECK(relay.get("/poll/b", {{"Sec-Fetch-Site", site}}).status == 403);
  CHECK(relay.get("/poll/b", {{"Origin", "http://127.0.0.1:3000"}}).status == 403);
  CHECK(relay.get("/poll/b", {{"Origin", "http://localhost"}}).status == 403);
  CHECK(relay.get("/", {{"Origin", "http://127.0.0.1"}, {"Sec-Fetch-Site", "same-origin"}}).status == 200);
  CHECK(relay.get("/", {{"Sec-Fetch-Site", "none"}}).status == 200);
  CHECK(relay.get("/poll/b").json()["count"] == 1);
}

TEST_CASE("whoever may not speak is told so before the body; whoever may sends it") {
  const RelayProcess relay({}, {{"CLAWLINK_TOKEN", "house-key"}});
  const std::string large = "Content-Length: 5000000\r\n";
  CHECK(head_alone(relay, "/files", large).status == 401);
  CHECK(head_alone(relay, "/files", large + "Authorization: Bearer wrong\r\n").status == 401);
  CHECK(head_alone(relay, "/files", large + "Authorization: Bearer clk_0123456789abcdef_x\r\n").status ==
        401);
  CHECK(head_alone(relay, "/delegate", "Transfer-Encoding: chunked\r\n").status == 401);
  const HttpAnswer a2a = head_alone(relay, "/a2a/agents/x", "Content-Length: 10\r\n");
  CHECK(a2a.status == 401);
  CHECK(a2a.header("WWW-Authenticate") == "Bearer");
  const Json file{{"file_key", "k"}, {"agent_id", "a"}, {"content", std::string(2'000'000, 'x')}};
  CHECK(relay.post("/files", file, bearer("house-key")).status == 200);
  const std::string own = register_as(relay, "a", bearer("house-key"))["agent_token"].get<std::string>();
  CHECK(relay.post("/files", file, bearer(own)).json()["version"] == 2);
  // A part of a body that never ends in a line keeps no memory that grows.
  HttpConnection endless(relay.port());
  endless.send(
      "POST /delegate HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer house-key\r\n"
      "Transfer-Encoding: chunked\r\n\r\n1;");
  endless.send(std::string(400'000, 'x'));
  const auto refused = endless.receive();
  CHECK((!refused || refused->status >= 400));
  CHECK(relay.get("/", bearer("house-key")).status == 200);
}

TEST_CASE("a peer that sends nonsense and never reads is let go; the relay serves on") {
  const RelayProcess relay;
  HttpConnection flood(relay.port());
  open_socket(flood, "/ws/a");
  std::string lot;
  for (int i = 0; i < 1000; ++i) lot += client_frame("x");
  int lots = 0;
  while (lots < 2000 && flood.send(lot)) ++lots;
  CHECK(lots < 2000);
  HttpConnection socket(relay.port());
  open_socket(socket, "/ws/a");
  for (int i = 0; i < 100; ++i) socket.send(client_frame("x"));
  for (int i = 0; i < 100; ++i) CHECK(socket.receive_until("BAD_REQUEST"));
}

TEST_CASE("frames before the handshake are refused, not lost") {
  const RelayProcess relay;
  HttpConnection early(relay.port());
  const HttpHeaders upgrade{{"Connection", "Upgrade"},
                            {"Upgrade", "websocket"},
                            {"Sec-WebSocket-Version", "13"},
                            {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  early.send(request_text("GET", "/ws/a", {}, upgrade) + client_frame(R"({"type":"heartbeat"})"));
  CHECK(early.receive()->status == 400);
}

TEST_CASE("what an agent says about itself and the ids it names have a bound") {
  const RelayProcess relay;
  const auto joins = [&](const std::string& id, const std::string& capability) {
    return relay.post("/register", {{"agent_id", id}, {"capabilities", {capability}}}).status;
  };
  CHECK(joins("a", std::string(17'000, 'x')) == 400);
  CHECK(joins("a", std::string(10'000, 'x')) == 200);
  for (const char* reserved : {"relay", "a2a-client"}) {
    CHECK(joins(reserved, "x") == 400);
    CHECK(relay.post("/delegate", delegation(reserved, "b", "x")).status == 403);
  }
  const auto answers = [&](std::size_t size) {
    return relay.post("/respond", {{"message_id", std::string(size, 'x')}, {"from_agent", "a"}}).status;
  };
  CHECK(answers(201) == 400);
  CHECK(answers(200) == 200);
}

TEST_CASE("the events of a task come by pages, and the client puts them together") {
  const RelayProcess relay;
  const std::string id =
      relay.post("/delegate", delegation("a", "b", "x")).json()["message_id"].get<std::string>();
  constexpr int kAnswers = 7;
  for (int i = 0; i < kAnswers; ++i) {
    relay.post("/respond", {{"from_agent", "b"},
                            {"message_id", id},
                            {"status", "in_progress"},
                            {"result", std::string(900'000, 'x')}});
    relay.get("/poll/a");
  }
  const Json page = relay.get("/tasks/" + id).json();
  REQUIRE(page.value("more", false));
  CHECK(page["events"].size() < kAnswers);
  const std::string last = page["events"].back()["seq"].dump();
  const Json rest = relay.get("/tasks/" + id + "?after=" + last).json();
  CHECK_FALSE(rest.contains("more"));
  CHECK(page["events"].size() + rest["events"].size() == kAnswers + 1);
  CHECK(relay.get("/tasks").body.size() < 20'000);
  const Finished whole = relay.client("any", {"task", id, "--json"});
  CHECK(Json::parse(whole.standard_output)["events"].size() == kAnswers + 1);
}

TEST_CASE("a relay that is told to end does so, however busily its clients ask on") {
  RelayProcess relay;
  std::atomic<bool> over = false;
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      HttpConnection connection(relay.port());
      while (!over && connection.send(request_text("GET", "/", {}, {})) && connection.receive()) {
      }
    });
  }
  HttpConnection idle(relay.port());
  idle.send(request_text("GET", "/", {}, {}));
  CHECK(idle.receive()->status == 200);
  const auto told = std::chrono::steady_clock::now();
  const Finished ended = relay.end();
  over = true;
  for (std::thread& client : clients) client.join();
  CHECK(ended.status == 0);
  CHECK(std::chrono::steady_clock::now() - told < std::chrono::seconds(10));
}

TEST_CASE("the owner takes a file away that an agent has put there") {
  const RelayProcess relay;
  relay.post("/files", {{"file_key", "a/b"}, {"content", "x"}, {"agent_id", "a"}});
  relay.post("/files", {{"file_key", "c"}, {"content", "x"}, {"agent_id", "a"}});
  CHECK(relay.hostclaw({"clawlink", "files", "list"}).standard_output.find("a/b") != std::string::npos);
  CHECK(relay.hostclaw({"clawlink", "files", "remove", "a/b"}).status == 0);
  CHECK(relay.hostclaw({"clawlink", "files", "remove", "a/b", "--json"}).status == 1);
  CHECK(relay.get("/files/a%2Fb").status == 404);
  CHECK(relay.get("/files/c").status == 200);
  CHECK(relay.hostclaw({"clawlink", "audit", "verify"}).status == 0);
}

TEST_CASE("a relay makes room for more agents that wait than it was given open files at its start") {
  constexpr int kAgents = 200;
  auto few = std::make_unique<FewFiles>(100);
  const RelayProcess relay;
  few.reset();
  std::vector<std::unique_ptr<HttpConnection>> waiting;
  for (int i = 0; i < kAgents; ++i) {
    const std::string id = "agent-" + std::to_string(i);
    register_as(relay, id);
    waiting.push_back(std::make_unique<HttpConnection>(relay.port()));
    REQUIRE(waiting.back()->send(request_text("GET", "/poll/" + id + "?wait=60", {}, {})));
  }
  const HttpAnswer told = relay.post("/broadcast", {{"from_agent", "boss"}, {"content", "all of you"}});
  CHECK(told.json()["recipients"] == kAgents);
  for (const auto& connection : waiting) {
    const auto answer = connection->receive();
    REQUIRE(answer);
    CHECK(answer->json()["count"] == 1);
  }
}

}  // namespace hostclaw::integration
