// SPDX-License-Identifier: Apache-2.0
// The gateway's door with a gateway that is a list, a clock that stands still and a runner that runs nothing:
// what is answered and how often, what is refused, bounds, cancel at each point, gateways that leave.
#include "node-host/doors/gateway/dispatcher.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "node-host/doors/gateway/exec_approvals.h"
#include "node-host/doors/gateway/gateway_origin.h"
#include "test_support.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_peer.h"
#include "tests/support/fake_runner.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using gateway_proto::InvokeRequest;

constexpr const char* kDevice = "this-device";

struct Door {
  explicit Door(Dispatcher::Settings settings = {}, Admission::Limits runs = {}) : person(open()) {
    thread = std::make_unique<StoreThread>(io.get_executor(), open());
    Corridor::Settings corridor_settings;
    corridor_settings.host.environment = {{"PATH", "/usr/bin:/bin"}};
    corridor_settings.host.cwd = corridor_settings.host.home = directory.path();
    corridor_settings.admission = runs;
    corridor =
        std::make_unique<Corridor>(io.get_executor(), *thread, runner, std::move(corridor_settings), clock);
    settings.device_id = kDevice;
    settings.commands = {"system.run", "system.run.prepare", "system.which", "system.execApprovals.get",
                         "system.execApprovals.set"};
    settings.gateway = [] {
      Origin origin;
      origin.door = kGatewayDoor;
      origin.principal.name = "ws://gateway";
      origin.may_carry_approval = true;
      return origin;
    };
    dispatcher =
        std::make_unique<Dispatcher>(io.get_executor(), *thread, *corridor, clock, std::move(settings));
    approvals::PolicyCache cache;
    REQUIRE(add_to_allowlist(*person, cache, "main", "/usr/bin/true", std::nullopt, {"cli", ""}).has_value());
    runner.answers.exit_code = 0;
  }
  ~Door() {
    bool finished = false;
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
          co_await dispatcher->finish();
          finished = true;
        },
        asio::detached);
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!finished && std::chrono::steady_clock::now() < give_up) turn();
    thread->join();
  }

  std::unique_ptr<approvals::Store> open() {
    auto opened = approvals::Store::open(directory / "state", approvals::OpenMode::kReadWrite, {});
    REQUIRE(opened.has_value());
    return std::move(*opened);
  }

  // Sends an invocation; it is not looked at before until().
  void send(const std::string& id, const std::string& command, const std::string& params) {
    InvokeRequest request;
    request.id = id;
    request.node_id = kDevice;
    request.command = command;
    request.params_json = params;
    dispatcher->invoke(peer, std::move(request));
  }
  void send_run(const std::string& id, const std::string& program = "/usr/bin/true") {
    send(id, "system.run",
         Json{{"command", {program}},
              {"agentId", "main"},
              {"sessionKey", "agent:main:main"},
              {"runId", "run-" + id}}
             .dump());
  }
  void turn() {
    io.restart();
    io.run_one_for(std::chrono::milliseconds(10));
  }
  void until(const std::function<bool()>& holds) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      REQUIRE(std::chrono::steady_clock::now() < give_up);
      turn();
    }
  }
  void until_idle() {
    until([this] { return dispatcher->in_flight() == 0; });
  }
  // The only answer to it.
  Json answer(const std::string& id) {
    until([&] { return !peer->results(id).empty() && dispatcher->in_flight() == 0; });
    REQUIRE(peer->results(id).size() == 1);
    return peer->results(id).front();
  }
  std::string refusal(const std::string& id) {
    const Json said = answer(id);
    REQUIRE(said.at("ok") == false);
    return said.at("error").at("code").get<std::string>() + ": " +
           said.at("error").at("message").get<std::string>();
  }
  std::vector<approvals::RunRow> rows() {
    auto rows = person->runs({100, "", ""});
    REQUIRE(rows.has_value());
    return std::move(*rows);
  }

  TemporaryDirectory directory;
  asio::io_context io{1};
  test::FakeClock clock;
  test::FakeRunner runner;
  std::unique_ptr<approvals::Store> person;
  std::unique_ptr<StoreThread> thread;
  std::unique_ptr<Corridor> corridor;
  std::shared_ptr<test::FakePeer> peer = std::make_shared<test::FakePeer>();
  std::unique_ptr<Dispatcher> dispatcher;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The methods beside system.run, each with params that it takes.
const std::vector<std::pair<std::string, std::string>>& methods() {
  static const std::vector<std::pair<std::string, std::string>> all = {
      {"system.run.prepare", R"({"command":["/usr/bin/true"],"agentId":"main"})"},
      {"system.which", R"({"bins":["true"]})"},
      {"system.execApprovals.get", "{}"},
      {"system.execApprovals.set", R"({"file":{"version":1}})"}};
  return all;
}

// Answered by the method itself, also where it does not like the params (a document without its hash).
bool served(const Door& door, const std::string& id) {
  const std::vector<Json> said = door.peer->results(id);
  return said.size() == 1 && !contains(said.front().dump(), "ADMISSION_FULL");
}

TEST_CASE("door: a run is told as an event, then answered, then known to be delivered") {
  Door door;
  door.send_run("one");
  const Json said = door.answer("one");
  CHECK(said.at("ok") == true);
  CHECK(said.at("nodeId") == kDevice);
  REQUIRE(door.peer->calls.size() == 2);
  CHECK(door.peer->calls[0].method == "node.event");
  CHECK(door.peer->calls[0].params.at("event") == "exec.finished");
  CHECK(door.peer->calls[1].method == "node.invoke.result");
  door.until([&] { return door.rows().front().delivered; });
  CHECK(door.runner.spawned == std::vector<std::string>{"/usr/bin/true"});
}

TEST_CASE("door: of a long command a row keeps beginning, end, length and hash; of others all") {
  Door door;
  const std::string text = "begin" + std::string(200'000, 'x') + "end";
  door.send("long", "system.run", Json{{"command", {"/usr/bin/true", text}}, {"agentId", "main"}}.dump());
  door.send("short", "system.run",
            Json{{"command", {"/usr/bin/true", "begin end"}}, {"agentId", "main"}}.dump());
  door.until_idle();
  for (const approvals::RunRow& row : door.rows()) {
    CHECK(row.command_text.size() < 70'000);
    CHECK(row.argv_json.size() < 70'000);
    CHECK(contains(row.command_text, "begin"));
    CHECK(contains(row.command_text, "end"));
    const bool is_long = contains(row.command_text, "bytes");
    CHECK(Json::parse(row.argv_json).size() == (is_long ? 0 : 2));
  }
  CHECK(door.rows().size() == 2);
}

TEST_CASE("door: what is not for this node, not offered or not readable is refused and runs nothing") {
  Door door;
  InvokeRequest elsewhere;
  elsewhere.id = "elsewhere";
  elsewhere.node_id = "another-device";
  elsewhere.command = "system.run";
  elsewhere.params_json = R"({"command":["/usr/bin/true"]})";
  door.dispatcher->invoke(door.peer, elsewhere);
  CHECK(contains(door.refusal("elsewhere"), "addressed to another node"));
  door.send("known", "system.notify", "{}");
  CHECK(door.refusal("known") == "UNAVAILABLE: command not advertised by this node");
  door.send("unknown", "camera.snap", "{}");
  CHECK(door.refusal("unknown") == "UNAVAILABLE: command not supported");
  for (const std::string command : {"system.run", "system.which"}) {
    door.send("empty " + command, command, "");
    CHECK(contains(door.refusal("empty " + command), "paramsJSON required"));
    door.send("broken " + command, command, "{");
    CHECK(contains(door.refusal("broken " + command), "paramsJSON malformed"));
  }
  CHECK(door.runner.spawned.empty());
}

TEST_CASE("door: an id that is under way is ignored, and one that has ended is refused: neither runs twice") {
  Door door;
  door.runner.holds = true;
  door.send_run("one");
  door.until([&] { return door.runner.running() == 1; });
  door.send_run("one");
  door.runner.release();
  CHECK(door.answer("one").at("ok") == true);
  CHECK(door.runner.spawned.size() == 1);

  door.send_run("one");
  door.until([&] { return door.peer->results("one").size() == 2; });
  CHECK(door.peer->results("one").back().at("ok") == false);
  CHECK(door.runner.spawned.size() == 1);
  // The allow twin: the same command with an id of its own.
  door.runner.holds = false;
  door.send_run("two");
  CHECK(door.answer("two").at("ok") == true);
  CHECK(door.runner.spawned.size() == 2);
}

TEST_CASE("door: so many ids that have ended are remembered and no more") {
  Dispatcher::Settings settings;
  settings.remembered_ids = 2;
  Door door(std::move(settings));
  for (const std::string id : {"one", "two", "three"}) {
    door.send_run(id);
    door.answer(id);
  }
  door.send_run("three");
  door.until([&] { return door.peer->results("three").size() == 2; });
  CHECK(door.runner.spawned.size() == 3);
  door.send_run("one");  // forgotten
  door.until([&] { return door.peer->results("one").size() == 2; });
  CHECK(door.runner.spawned.size() == 4);
}

TEST_CASE("door: each method beside runs is admitted, waits for its turn and is refused when too many wait") {
  for (const auto& [command, params] : methods()) {
    INFO(command);
    Dispatcher::Settings settings;
    settings.methods = {.max_running = 1, .max_waiting = 1, .own_places = 0};
    Door door(std::move(settings));
    // All are here before the store can have answered the first.
    for (const std::string id : {"first", "second", "third"}) door.send(id, command, params);
    door.until_idle();
    CHECK(served(door, "first"));
    CHECK(served(door, "second"));
    CHECK(contains(door.refusal("third"), "ADMISSION_FULL"));
    door.peer->calls.clear();
    door.send("later", command, params);
    door.until_idle();
    CHECK(served(door, "later"));
  }
}

TEST_CASE("door: methods hold no place of a run, and commands that take long do not keep them out") {
  Door door({}, {.max_running = 1, .max_waiting = 1, .own_places = 0});
  door.runner.holds = true;
  door.send_run("long");
  door.until([&] { return door.runner.running() == 1; });
  for (const auto& [command, params] : methods()) {
    INFO(command);
    door.send(command, command, params);
    door.until([&door, &name = command] { return !door.peer->results(name).empty(); });
    CHECK(served(door, command));
  }
  door.runner.release();
  CHECK(door.answer("long").at("ok") == true);
}

TEST_CASE("door: a peer that takes no answers holds no place of a method") {
  Dispatcher::Settings settings;
  settings.methods = {.max_running = 1, .max_waiting = 1, .own_places = 0};
  Door door(std::move(settings));
  door.peer->holds = true;
  for (int i = 0; i < 5; ++i) {
    const std::string id = std::to_string(i);
    door.send(id, "system.which", R"({"bins":["true"]})");
    door.until([&] { return !door.peer->results(id).empty(); });
    CHECK(door.peer->results(id).front().at("ok") == true);
  }
  door.peer->holds = false;
  door.until_idle();
}

TEST_CASE("door: who is cancelled is told nothing, wherever it is") {
  Dispatcher::Settings settings;
  settings.methods = {.max_running = 1, .max_waiting = 8, .own_places = 0};
  Door door(std::move(settings), {.max_running = 1, .max_waiting = 8, .own_places = 0});
  SECTION("before anything was looked at") {
    door.send_run("one");
    door.dispatcher->cancel("one");
    door.until_idle();
    CHECK(door.runner.spawned.empty());
    CHECK(door.rows().empty());
  }
  SECTION("while it waits for its turn") {
    door.runner.holds = true;
    door.send_run("first");
    door.until([&] { return door.runner.running() == 1; });
    door.send_run("one");
    door.until([&] { return door.corridor->admission().waiting() == 1; });
    door.dispatcher->cancel("one");
    door.until([&] { return door.dispatcher->in_flight() == 1; });
    CHECK(door.rows().size() == 1);
    door.runner.release();
    CHECK(door.answer("first").at("ok") == true);
  }
  SECTION("while it runs") {
    door.runner.holds = true;
    door.send_run("one");
    door.until([&] { return door.runner.running() == 1; });
    door.dispatcher->cancel("one");
    door.until_idle();
    CHECK(door.rows().front().state == "cancelled");
  }
  SECTION("a method, while it waits for its turn") {
    door.send("first", "system.which", R"({"bins":["true"]})");
    door.send("one", "system.which", R"({"bins":["true"]})");
    door.dispatcher->cancel("one");
    CHECK(door.answer("first").at("ok") == true);
  }
  SECTION("when its time is up") {
    door.runner.holds = true;
    InvokeRequest request;
    request.id = "one";
    request.node_id = kDevice;
    request.command = "system.run";
    request.params_json = R"({"command":["/usr/bin/true"],"agentId":"main"})";
    request.timeout_ms = 30;
    door.dispatcher->invoke(door.peer, request);
    door.until_idle();
    CHECK(door.rows().front().state == "cancelled");
  }
  CHECK(door.peer->results("one").empty());
}

TEST_CASE("door: a run outlives its connection, is recorded and counts as not delivered") {
  Door door;
  door.runner.holds = true;
  door.send_run("one");
  door.until([&] { return door.runner.running() == 1; });
  door.peer->is_open = false;
  SECTION("closed") {}
  SECTION("and gone") { door.peer = std::make_shared<test::FakePeer>(); }
  door.runner.release();
  door.until_idle();
  CHECK(door.rows().front().state == "finished");
  CHECK_FALSE(door.rows().front().delivered);
  CHECK(door.peer->calls.empty());
}

TEST_CASE("door: an answer that the gateway did not take, or that is too large for it, is not delivered") {
  Door door;
  std::string code = "INTERNAL";
  door.peer->answer = [&](const test::FakePeer::Call& call) {
    CallOutcome outcome;
    outcome.ok = call.method != "node.invoke.result" || call.params.at("ok") == false;
    if (!outcome.ok) outcome.error.code = code;
    return outcome;
  };
  door.send_run("refused");
  door.answer("refused");
  code = "PAYLOAD_TOO_LARGE";
  door.send_run("large");
  door.until_idle();
  const auto said = door.peer->results("large");
  REQUIRE(said.size() == 2);
  CHECK(contains(said.back().at("error").dump(), "result too large"));
  for (const approvals::RunRow& row : door.rows()) CHECK_FALSE(row.delivered);
}

TEST_CASE("door: a node that stops refuses what comes and lets what runs end") {
  Door door;
  door.runner.holds = true;
  door.send_run("one");
  door.until([&] { return door.runner.running() == 1; });
  door.dispatcher->refuse_new();
  door.send_run("two");
  door.until([&] { return !door.peer->results("two").empty(); });
  CHECK(contains(door.peer->results("two").front().dump(), "this node is stopping"));
  bool idle = false;
  asio::co_spawn(
      door.io,
      [&]() -> asio::awaitable<void> {
        co_await door.dispatcher->wait_idle(std::chrono::seconds(20));
        idle = true;
      },
      asio::detached);
  door.runner.release();
  door.until([&] { return idle; });
  CHECK(door.answer("one").at("ok") == true);
}

}  // namespace
}  // namespace hostclaw::node_host
