// SPDX-License-Identifier: Apache-2.0
// The link with a gateway that is a script and no network: the phases of a connection, each way in which one
// can fail, what is remembered, and a stop at every point. And the session, with a gateway that does not
// read.
#include "node-host/doors/gateway/gateway_link.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "tests/support/fake_socket.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using gateway_proto::GatewayEndpoint;
using test::FakeSocket;
using test::FakeWire;

struct Memory final : LinkMemory {
  asio::awaitable<std::string> device_token() override { co_return token; }
  asio::awaitable<void> keep_device_token(std::string fresh, std::string) override {
    token = std::move(fresh);
    co_return;
  }
  asio::awaitable<void> drop_device_token() override {
    token.clear();
    co_return;
  }
  asio::awaitable<void> keep_endpoint(GatewayEndpoint endpoint) override {
    kept.push_back(endpoint.host);
    co_return;
  }
  asio::awaitable<std::optional<OldFormMemory>> old_form() override { co_return std::nullopt; }
  asio::awaitable<void> keep_old_form(std::optional<OldFormMemory>) override { co_return; }
  asio::awaitable<void> publish(LinkStatus status) override {
    if (states.empty() || states.back() != status.state) states.push_back(status.state);
    newest = std::move(status);
    co_return;
  }
  std::string token;
  std::vector<std::string> kept;
  std::vector<LinkState> states;  // in their order, without repetitions
  LinkStatus newest;
};

struct Scene {
  // What a gateway does with a frame of the node.
  using Script = std::function<void(FakeWire&, const Json& frame)>;

  explicit Scene(std::size_t candidates = 1) {
    for (std::size_t i = 0; i < candidates; ++i) {
      GatewayEndpoint endpoint;
      endpoint.host = "gateway" + std::to_string(i) + ".example";
      settings.candidates.push_back(endpoint);
    }
    settings.shared_token = "shared";
    settings.client.commands = {"system.run"};
    settings.platform = "linux";
    settings.longest_pause = std::chrono::milliseconds(1);
    settings.connect = [this](
                           GatewayEndpoint endpoint,
                           WebSocketOptions options) -> asio::awaitable<Result<std::unique_ptr<WebSocket>>> {
      attempts.push_back(endpoint.host);
      if (connecting) {
        // Until it is given up, as a name that is looked up for ever.
        Wakeup wakeup(io.get_executor());
        while (!options.stop->stopped())
          co_await wakeup.wait([&] { return options.stop->stopped(); },
                               std::chrono::steady_clock::now() + std::chrono::milliseconds(1));
        co_return make_error("CONNECT_STOPPED", "stopped");
      }
      if (!failures.empty()) {
        Error failure = failures.front();
        failures.erase(failures.begin());
        co_return failure;
      }
      wire = std::make_shared<FakeWire>(io.get_executor());
      wire->on_frame = [this, at = std::weak_ptr(wire)](const Json& frame) {
        const auto alive = at.lock();
        frames.push_back(frame);
        script(*alive, frame);
      };
      if (challenges) wire->push_event("connect.challenge", {{"nonce", "n"}, {"ts", 1'800'000'000'000}});
      co_return std::unique_ptr<WebSocket>(std::make_unique<FakeSocket>(wire));
    };
    handlers.on_invoke = [this](std::shared_ptr<GatewaySession>, gateway_proto::InvokeRequest request) {
      invoked.push_back(request.id);
    };
    handlers.on_cancel = [this](std::string id) { cancelled.push_back(id); };
    handlers.on_closed = [this](CloseInfo info) { closed.push_back(info.code); };
    script = welcome;
  }
  ~Scene() {
    if (!link || end) return;
    link->stop();
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!end && std::chrono::steady_clock::now() < give_up) turn();
  }

  static Json hello() {
    return {{"type", "hello-ok"},
            {"protocol", 4},
            {"server", {{"version", "2026.9.6"}, {"connId", "c"}}},
            {"auth", {{"deviceToken", "device-secret"}}},
            {"policy", {{"maxPayload", 26'214'400}, {"tickIntervalMs", 30'000}}}};
  }
  // A gateway that takes the node and everything that it says.
  static void welcome(FakeWire& wire, const Json& frame) {
    if (frame.value("type", "") != "req") return;
    wire.push_answer(frame, frame.at("method") == "connect" ? hello() : Json::object());
  }

  void start() {
    link = std::make_unique<GatewayLink>(io.get_executor(), identity, settings, memory, handlers);
    asio::co_spawn(
        io, [this]() -> asio::awaitable<void> { end = co_await link->run(); }, asio::detached);
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
  void until_state(LinkState state) {
    until([&] { return memory.newest.state == state; });
  }
  void stop() {
    link->stop();
    until([&] { return end.has_value(); });
    CHECK(end->exit_status == 0);
    CHECK(memory.newest.state == LinkState::kStopped);
  }
  // The params of connect, of the newest attempt.
  Json connect_auth() const {
    for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame)
      if (frame->value("method", "") == "connect") return frame->at("params").at("auth");
    return nullptr;
  }

  asio::io_context io{1};
  gateway_proto::DeviceIdentity identity = *gateway_proto::DeviceIdentity::generate();
  LinkSettings settings;
  GatewayLink::Handlers handlers;
  Memory memory;
  Script script;
  bool challenges = true;
  bool connecting = false;  // attempts take for ever
  std::vector<Error> failures;
  std::vector<std::string> attempts;
  std::shared_ptr<FakeWire> wire;
  std::vector<Json> frames;
  std::vector<std::string> invoked, cancelled;
  std::vector<int> closed;
  std::unique_ptr<GatewayLink> link;
  std::optional<LinkEnd> end;
};

// What the look at the held commands would do needs a second connection.
struct QuietScene : Scene {
  explicit QuietScene(std::size_t candidates = 1) : Scene(candidates) {
    settings.shared_token.clear();
    settings.stored_token_usable = true;
    memory.token = "stored";
  }
};

TEST_CASE("link: connecting, connected, and what the gateway gave is kept") {
  QuietScene scene;
  scene.start();
  scene.until_state(LinkState::kConnected);
  CHECK(scene.memory.states == std::vector{LinkState::kConnecting, LinkState::kConnected});
  CHECK(scene.connect_auth().dump().find("stored") != std::string::npos);
  CHECK(scene.memory.token == "device-secret");
  CHECK(scene.memory.kept == std::vector<std::string>{"gateway0.example"});
  CHECK(scene.memory.newest.server_version == "2026.9.6");
  scene.stop();
  CHECK(scene.wire->ended);
}

TEST_CASE("link: what arrives reaches the door, and rubbish nobody") {
  QuietScene scene;
  scene.start();
  scene.until_state(LinkState::kConnected);
  scene.wire->push(Json::array());
  scene.wire->push_event("node.invoke.request", {{"command", "system.run"}});  // without an id
  scene.wire->push_event("node.invoke.request", {{"id", "one"},
                                                 {"nodeId", scene.identity.device_id()},
                                                 {"command", "system.run"},
                                                 {"paramsJSON", "{}"}});
  scene.wire->push_event("node.invoke.cancel", {{"invokeId", "one"}});
  scene.until([&] { return !scene.cancelled.empty(); });
  CHECK(scene.invoked == std::vector<std::string>{"one"});
  CHECK(scene.cancelled == std::vector<std::string>{"one"});
  scene.until([&] { return scene.memory.newest.commands == CommandsState::kHeld; });
}

TEST_CASE("link: a connection that ends is followed by another, and the door is told") {
  QuietScene scene;
  scene.start();
  scene.until_state(LinkState::kConnected);
  scene.wire->end(1012, "service restart");
  scene.until(
      [&] { return scene.attempts.size() == 2 && scene.memory.newest.state == LinkState::kConnected; });
  CHECK(scene.closed == std::vector<int>{1012});
  CHECK(scene.memory.states == std::vector{LinkState::kConnecting, LinkState::kConnected,
                                           LinkState::kReconnecting, LinkState::kConnected});
}

TEST_CASE("link: addresses are tried in turn until one of them has seen the node") {
  QuietScene scene(2);
  scene.failures = {make_error("CONNECT_FAILED", "refused"), make_error("CONNECT_TIMEOUT", "late")};
  scene.start();
  scene.until_state(LinkState::kConnected);
  CHECK(scene.attempts ==
        std::vector<std::string>{"gateway0.example", "gateway1.example", "gateway0.example"});
}

TEST_CASE("link: each way in which an attempt can fail is tried again, and said") {
  const std::string code =
      GENERATE("CONNECT_FAILED", "CONNECT_TIMEOUT", "TLS_FAILED", "TLS_PIN_MISMATCH", "UPGRADE_REJECTED");
  INFO(code);
  QuietScene scene;
  scene.failures = {make_error(code, "because of " + code)};
  scene.start();
  scene.until_state(LinkState::kReconnecting);
  CHECK(scene.memory.newest.detail.find("because of " + code) != std::string::npos);
  scene.until_state(LinkState::kConnected);
}

TEST_CASE("link: what a person must change ends it") {
  QuietScene scene;
  SECTION("the configuration") {
    scene.failures = {make_error("CONFIG_INVALID", "no")};
    scene.start();
    scene.until([&] { return scene.end.has_value(); });
    CHECK(scene.end->exit_status == 78);
  }
  SECTION("a gateway of another protocol") {
    scene.script = [](FakeWire& wire, const Json& frame) {
      Json hello = Scene::hello();
      hello["protocol"] = 9;
      wire.push_answer(frame, hello);
    };
    scene.start();
    scene.until([&] { return scene.end.has_value(); });
    CHECK(scene.end->exit_status == 78);
  }
  SECTION("a proxy that refuses every upgrade") {
    const Error refused = make_error("UPGRADE_REJECTED", "HTTP 400 proxy_attribution_required");
    scene.failures = {refused, refused, refused};
    scene.start();
    scene.until([&] { return scene.end.has_value(); });
    CHECK(scene.end->exit_status == 1);
    CHECK(scene.attempts.size() == 3);
  }
  CHECK(scene.memory.newest.state == LinkState::kStopped);
}

TEST_CASE("link: a device that is not paired waits for its operator and gets in once it is") {
  QuietScene scene;
  int asked = 0;
  scene.script = [&](FakeWire& wire, const Json& frame) {
    if (frame.at("method") == "connect" && ++asked < 3) {
      wire.push_refusal(frame, {{"code", "NOT_PAIRED"},
                                {"message", "pairing required: device is not approved"},
                                {"details", {{"code", "PAIRING_REQUIRED"}, {"requestId", "request-1"}}}});
      return;
    }
    Scene::welcome(wire, frame);
  };
  scene.start();
  scene.until_state(LinkState::kWaitingForDevicePairing);
  CHECK(scene.memory.newest.request_id == "request-1");
  CHECK(scene.memory.newest.next.find("openclaw devices approve") != std::string::npos);
  scene.until_state(LinkState::kConnected);
}

TEST_CASE("link: a device token that is no longer valid is dropped, and without another nothing is sent") {
  QuietScene scene;
  scene.script = [](FakeWire& wire, const Json& frame) {
    wire.push_refusal(frame, {{"code", "UNAUTHORIZED"},
                              {"message", "device token mismatch"},
                              {"details", {{"code", "AUTH_DEVICE_TOKEN_MISMATCH"}}}});
  };
  scene.start();
  scene.until_state(LinkState::kWaitingForCredentials);
  CHECK(scene.memory.token.empty());
  const std::size_t attempts = scene.attempts.size();
  for (int i = 0; i < 20; ++i) scene.turn();
  CHECK(scene.attempts.size() == attempts);
  // `hostclaw connect CODE` beside it stores a token: it goes on by itself.
  scene.script = Scene::welcome;
  scene.memory.token = "fresh";
  scene.until_state(LinkState::kConnected);
}

TEST_CASE("link: a stop is answered in every state") {
  QuietScene scene;
  SECTION("before it began") {
    scene.link = std::make_unique<GatewayLink>(scene.io.get_executor(), scene.identity, scene.settings,
                                               scene.memory, scene.handlers);
    scene.link->stop();
    asio::co_spawn(
        scene.io, [&]() -> asio::awaitable<void> { scene.end = co_await scene.link->run(); }, asio::detached);
  }
  SECTION("while it connects") {
    scene.connecting = true;
    scene.start();
    scene.until([&] { return !scene.attempts.empty(); });
  }
  SECTION("while it waits for the challenge") {
    scene.challenges = false;
    scene.start();
    scene.until([&] { return scene.wire != nullptr; });
    for (int i = 0; i < 3; ++i) scene.turn();
  }
  SECTION("while it waits for the answer to connect") {
    scene.script = [](FakeWire&, const Json&) {};
    scene.start();
    scene.until([&] { return !scene.frames.empty(); });
  }
  SECTION("between two attempts") {
    scene.settings.longest_pause = std::chrono::hours(1);
    scene.failures = {make_error("CONNECT_FAILED", "refused")};
    scene.start();
    scene.until_state(LinkState::kReconnecting);
    for (int i = 0; i < 3; ++i) scene.turn();
  }
  SECTION("while it serves") {
    scene.settings.longest_pause = std::chrono::hours(1);
    scene.start();
    scene.until_state(LinkState::kConnected);
  }
  const auto asked = std::chrono::steady_clock::now();
  scene.stop();
  CHECK(std::chrono::steady_clock::now() - asked < std::chrono::seconds(1));
}

// A session by itself, behind its hello.
struct Serving {
  explicit Serving(GatewaySession::Timeouts timeouts) {
    wire = std::make_shared<FakeWire>(io.get_executor());
    wire->on_frame = [this](const Json& frame) {
      ++taken;
      if (frame.at("method") == "connect") wire->push_answer(frame, Scene::hello());
    };
    wire->push_event("connect.challenge", {{"nonce", "n"}, {"ts", 1}});
    session =
        std::make_shared<GatewaySession>(io.get_executor(), std::make_unique<FakeSocket>(wire), timeouts);
    asio::co_spawn(
        io,
        [this]() -> asio::awaitable<void> {
          GatewaySession::ConnectParams params = [](const gateway_proto::Challenge&) {
            return Json::object();
          };
          const HandshakeOutcome outcome = co_await session->handshake(std::move(params));
          REQUIRE(outcome.hello.has_value());
          ready = true;
          (void)co_await session->serve({});
          over = true;
        },
        asio::detached);
    until([this] { return ready; });
  }
  ~Serving() {
    wire->end(1006, "");
    until([this] { return over; });
  }
  void call(std::size_t bytes) {
    asio::co_spawn(
        io,
        [this, bytes]() -> asio::awaitable<void> {
          const std::string params = R"({"text":")" + std::string(bytes, 'x') + "\"}";
          const std::string method = "node.event";
          const CallOutcome outcome = co_await session->call(method, params);
          ends.push_back(outcome.error.code);
        },
        asio::detached);
  }
  void until(const std::function<bool()>& holds) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds() && std::chrono::steady_clock::now() < give_up) {
      io.restart();
      io.run_one_for(std::chrono::milliseconds(10));
    }
    CHECK(holds());
  }

  asio::io_context io{1};
  std::shared_ptr<FakeWire> wire;
  std::shared_ptr<GatewaySession> session;
  int taken = 0;
  bool ready = false, over = false;
  std::vector<std::string> ends;
};

TEST_CASE("session: a gateway that does not read is given up after its time, also when it sends ticks") {
  GatewaySession::Timeouts timeouts;
  timeouts.write = std::chrono::milliseconds(50);
  Serving serving(timeouts);
  serving.wire->reads = false;
  serving.call(10);
  for (int i = 0; i < 3; ++i) serving.wire->push_event("tick", Json::object());
  serving.until([&] { return serving.over; });
  CHECK(serving.wire->aborted);
  serving.until([&] { return serving.ends == std::vector<std::string>{"CLOSED"}; });
}

TEST_CASE("session: a gateway that reads late, within its time, loses nothing") {
  Serving serving({});
  serving.wire->reads = false;
  serving.call(10);
  serving.call(10);
  for (int i = 0; i < 5; ++i) serving.io.poll();
  serving.wire->reads = true;
  serving.wire->taken.notify();
  serving.until([&] { return serving.taken == 3; });
  CHECK_FALSE(serving.wire->aborted);
}

TEST_CASE("session: what waits for a gateway that does not read is bounded") {
  Serving serving({});
  serving.wire->reads = false;
  constexpr std::size_t kAnswer = 5 << 20;
  for (int i = 0; i < 14; ++i) serving.call(kAnswer);
  serving.until([&] { return serving.over; });
  CAPTURE(serving.ends);
  CHECK(serving.wire->aborted);
  serving.until([&] { return serving.ends.size() == 14; });
  for (const std::string& code : serving.ends) CHECK(code == "CLOSED");
  CHECK(serving.taken == 1);  // connect
}

}  // namespace
}  // namespace hostclaw::node_host
