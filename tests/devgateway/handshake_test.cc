// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/devgateway/json_members.h"
#include "tests/devgateway/node_peer.h"

namespace hostclaw::devgateway {
namespace {

constexpr std::chrono::seconds kSoon(5);

GatewaySettings with_token() {
  GatewaySettings settings;
  settings.shared_token = "shared-token";
  return settings;
}

PeerOptions with_shared() {
  PeerOptions options;
  options.auth = {{"token", "shared-token"}};
  return options;
}

std::unique_ptr<DevGateway> started(const GatewaySettings& settings = with_token()) {
  return *DevGateway::start(settings);
}

std::string detail_code(const Json& response) {
  return string_at(response["error"].value("details", Json::object()), "code");
}

}  // namespace

TEST_CASE("a node with the shared token is paired silently over loopback and waits for its surface") {
  const auto gateway = started();
  const auto node = NodePeer::connect(*gateway, with_shared());
  const Json payload = node->hello()["payload"];
  CHECK(payload["protocol"] == 4);
  CHECK(payload["auth"]["method"] == "token");
  CHECK(string_at(payload["auth"], "deviceToken").size() == 43);
  CHECK(payload["policy"]["maxPayload"] == 26'214'400);

  const Json stats = {{"cpuCount", 2}, {"memoryTotalBytes", 10}, {"memoryFreeBytes", 5}};
  const Json refused =
      node->request("node.event", {{"event", "node.host.stats"}, {"payloadJSON", dump_json(stats)}});
  CHECK(detail_code(refused) == "PAIRING_CHANGED");

  const Json pending = gateway->call("node.pair.list").payload["pending"];
  REQUIRE(pending.size() == 1);
  CHECK(gateway->call("node.pair.approve", {{"requestId", pending[0]["requestId"]}}).ok);
  CHECK(node->next_event("node.pair.resolved")["decision"] == "approved");
  const Json accepted =
      node->request("node.event", {{"event", "node.host.stats"}, {"payloadJSON", dump_json(stats)}});
  CHECK(accepted["payload"]["reason"] == "updated");
}

TEST_CASE("both signature layouts are accepted and a wrong signature is not") {
  const auto gateway = started();
  PeerOptions options = with_shared();
  options.signature_layout = 2;
  CHECK(NodePeer::connect(*gateway, options)->hello()["ok"] == true);
  options.signature_layout = 3;
  CHECK(NodePeer::connect(*gateway, options)->hello()["ok"] == true);
  options.change = [](Json& params) { params["auth"]["token"] = "another"; };
  CHECK(detail_code(NodePeer::connect(*gateway, options)->hello()) == "DEVICE_AUTH_SIGNATURE_INVALID");
}

TEST_CASE("device checks name what is wrong") {
  const auto gateway = started();
  PeerOptions options = with_shared();
  SECTION("another id") {
    options.change = [](Json& params) { params["device"]["id"] = std::string(64, 'a'); };
    CHECK(detail_code(NodePeer::connect(*gateway, options)->hello()) == "DEVICE_AUTH_DEVICE_ID_MISMATCH");
  }
  SECTION("an old signature") {
    options.change = [](Json& params) {
      params["device"]["signedAt"] = params["device"]["signedAt"].get<std::int64_t>() - 130'000;
    };
    CHECK(detail_code(NodePeer::connect(*gateway, options)->hello()) == "DEVICE_AUTH_SIGNATURE_EXPIRED");
  }
  SECTION("another nonce") {
    options.change = [](Json& params) { params["device"]["nonce"] = "other"; };
    CHECK(detail_code(NodePeer::connect(*gateway, options)->hello()) == "DEVICE_AUTH_NONCE_MISMATCH");
  }
  SECTION("no device") {
    options.change = [](Json& params) { params.erase("device"); };
    CHECK(detail_code(NodePeer::connect(*gateway, options)->hello()) == "DEVICE_IDENTITY_REQUIRED");
  }
}

TEST_CASE("connect params are a closed schema") {
  const auto gateway = started();
  PeerOptions options = with_shared();
  SECTION("an unknown member") {
    options.change = [](Json& params) { params["client"]["shoeSize"] = 9; };
  }
  SECTION("a null") {
    options.change = [](Json& params) { params["pathEnv"] = Json(); };
  }
  SECTION("an empty string") {
    options.change = [](Json& params) { params["client"]["instanceId"] = ""; };
  }
  SECTION("an unknown client id") {
    options.change = [](Json& params) { params["client"]["id"] = "hostclaw"; };
  }
  const auto node = NodePeer::connect(*gateway, options);
  CHECK(string_at(node->hello()["error"], "message").starts_with("invalid connect params: at /"));
  CHECK(node->socket().wait_closed(kSoon)->code == 1008);
}

TEST_CASE("the first frame decides how an unusable client is dismissed") {
  const auto gateway = started();
  const auto node = NodePeer::open(*gateway, with_shared());
  std::uint16_t code = 0;
  SECTION("not JSON") {
    node->socket().send("hello");
    code = 1000;
  }
  SECTION("not a request") {
    node->socket().send("{}");
    code = 1008;
  }
  SECTION("another method") {
    node->send_request("1", "health", Json::object());
    code = 1008;
  }
  SECTION("too large") {
    node->socket().send(std::string(70'000, ' '));
    code = 1009;
  }
  CHECK(node->socket().wait_closed(kSoon)->code == code);
}

TEST_CASE("credentials are told apart") {
  const auto gateway = started();
  PeerOptions options;
  SECTION("nothing sent") {
    CHECK(detail_code(NodePeer::connect(*gateway, options)->hello()) == "AUTH_TOKEN_MISSING");
  }
  SECTION("a wrong shared token") {
    options.auth = {{"token", "wrong"}};
    const Json answer = NodePeer::connect(*gateway, options)->hello();
    CHECK(detail_code(answer) == "AUTH_TOKEN_MISMATCH");
    CHECK(answer["error"]["details"]["canRetryWithDeviceToken"] == true);
  }
  SECTION("a wrong device token") {
    options.auth = {{"deviceToken", "wrong"}};
    CHECK(detail_code(NodePeer::connect(*gateway, options)->hello()) == "AUTH_DEVICE_TOKEN_MISMATCH");
  }
  SECTION("a wrong bootstrap token") {
    options.auth = {{"bootstrapToken", "wrong"}};
    CHECK(detail_code(NodePeer::connect(*gateway, options)->hello()) == "AUTH_BOOTSTRAP_TOKEN_INVALID");
  }
  SECTION("the device token of an earlier hello") {
    const Json hello = NodePeer::connect(*gateway, with_shared())->hello();
    options.auth = {{"deviceToken", hello["payload"]["auth"]["deviceToken"]}};
    CHECK(NodePeer::connect(*gateway, options)->hello()["payload"]["auth"]["method"] == "device-token");
  }
}

TEST_CASE("ten wrong tokens from a remote address lock even the right one out") {
  GatewaySettings settings = with_token();
  settings.loopback_is_remote = true;
  const auto gateway = started(settings);
  PeerOptions wrong;
  wrong.auth = {{"token", "wrong"}};
  for (int i = 0; i < 10; ++i) {
    CHECK(detail_code(NodePeer::connect(*gateway, wrong)->hello()) == "AUTH_TOKEN_MISMATCH");
  }
  const Json answer = NodePeer::connect(*gateway, with_shared())->hello();
  CHECK(detail_code(answer) == "AUTH_RATE_LIMITED");
  CHECK(answer["error"]["retryAfterMs"].get<std::int64_t>() > 290'000);
}

TEST_CASE("a remote device waits for approval under one request id") {
  GatewaySettings settings = with_token();
  settings.loopback_is_remote = true;
  const auto gateway = started(settings);
  const Json first = NodePeer::connect(*gateway, with_shared())->hello();
  CHECK(detail_code(first) == "PAIRING_REQUIRED");
  CHECK(first["error"]["details"]["reason"] == "not-paired");
  const Json second = NodePeer::connect(*gateway, with_shared())->hello();
  const std::string request_id = string_at(first["error"]["details"], "requestId");
  CHECK(second["error"]["details"]["requestId"] == request_id);
  CHECK(gateway->call("device.pair.approve", {{"requestId", request_id}}).ok);
  CHECK(NodePeer::connect(*gateway, with_shared())->hello()["ok"] == true);
}

TEST_CASE("a pending device request expires") {
  GatewaySettings settings = with_token();
  settings.loopback_is_remote = true;
  settings.pairing_expiry = std::chrono::milliseconds(1);
  const auto gateway = started(settings);
  const Json answer = NodePeer::connect(*gateway, with_shared())->hello();
  const Json request_id = answer["error"]["details"]["requestId"];
  // The next attempt is later than one millisecond after the refusal was written and read.
  const auto retry = NodePeer::open(*gateway, with_shared());
  CHECK_FALSE(gateway->call("device.pair.approve", {{"requestId", request_id}}).ok);
}

TEST_CASE("rotation, revocation and removal each close with 4001 and lead to their own next error") {
  const auto gateway = started();
  const auto node = NodePeer::connect(*gateway, with_shared());
  const Json device = {{"deviceId", node->device_id()}, {"role", "node"}};
  PeerOptions old_token;
  old_token.auth = {{"deviceToken", node->hello()["payload"]["auth"]["deviceToken"]}};

  SECTION("rotation") {
    CHECK(gateway->call("device.token.rotate", device).ok);
    CHECK(node->socket().wait_closed(kSoon)->code == 4001);
    CHECK(detail_code(NodePeer::connect(*gateway, old_token)->hello()) == "AUTH_DEVICE_TOKEN_MISMATCH");
    const Json again = NodePeer::connect(*gateway, with_shared())->hello();
    CHECK(again["payload"]["auth"]["deviceToken"] != old_token.auth["deviceToken"]);
  }
  SECTION("revocation") {
    CHECK(gateway->call("device.token.revoke", device).ok);
    CHECK(node->socket().wait_closed(kSoon)->code == 4001);
    const Json answer = NodePeer::connect(*gateway, with_shared())->hello();
    CHECK(answer["error"]["details"]["reason"] == "role-upgrade");
  }
  SECTION("removal") {
    CHECK(gateway->call("device.pair.remove", device).ok);
    CHECK(node->socket().wait_closed(kSoon)->code == 4001);
    CHECK(NodePeer::connect(*gateway, with_shared())->hello()["ok"] == true);
    CHECK(gateway->call("node.pair.list").payload["pending"].size() == 1);
  }
}

TEST_CASE("a setup code works once and approves device and surface") {
  GatewaySettings settings = with_token();
  settings.loopback_is_remote = true;
  const auto gateway = started(settings);
  const Json setup = gateway->call("device.pair.setupCode", {{"joinUrl", true}}).payload;
  const ClientEndpoint endpoint = *parse_client_url(gateway->url());
  const std::string join_url = string_at(setup, "joinUrl");
  const std::string target = join_url.substr(join_url.find("/j/"));

  const HttpAnswer joined = *http_get(endpoint, target);
  REQUIRE(joined.status == 200);
  CHECK(http_get(endpoint, target)->status == 404);
  CHECK(http_get(endpoint, "/j/AAAAAAAAAAAAAAAAAAAAAA")->body == R"({"error":"not_found"})");

  PeerOptions options;
  options.auth = {{"bootstrapToken", (*parse_json(joined.body))["bootstrapToken"]}};
  const auto node = NodePeer::connect(*gateway, options);
  CHECK(node->hello()["payload"]["auth"]["method"] == "bootstrap-token");
  CHECK(gateway->call("node.list").payload["nodes"][0]["paired"] == true);
  options.seed = 2;
  CHECK(detail_code(NodePeer::connect(*gateway, options)->hello()) == "AUTH_BOOTSTRAP_TOKEN_INVALID");
}

TEST_CASE("a changed platform needs a new approval even on loopback") {
  const auto gateway = started();
  CHECK(NodePeer::connect(*gateway, with_shared())->hello()["ok"] == true);
  PeerOptions options = with_shared();
  options.device_family = "Linux";
  CHECK(NodePeer::connect(*gateway, options)->hello()["ok"] == true);
  options.platform = "win32";
  options.device_family.clear();
  CHECK(NodePeer::connect(*gateway, options)->hello()["error"]["details"]["reason"] == "metadata-upgrade");
}

TEST_CASE("protocol ranges are answered as the two generations do") {
  GatewaySettings settings = with_token();
  PeerOptions options = with_shared();
  SECTION("4 takes a headless node that only knows 3") {
    const auto gateway = started(settings);
    options.min_protocol = options.max_protocol = 3;
    CHECK(NodePeer::connect(*gateway, options)->hello()["payload"]["protocol"] == 4);
  }
  SECTION("4 refuses 5") {
    const auto gateway = started(settings);
    options.min_protocol = options.max_protocol = 5;
    const auto node = NodePeer::connect(*gateway, options);
    CHECK(detail_code(node->hello()) == "PROTOCOL_MISMATCH");
    CHECK(node->socket().wait_closed(kSoon)->code == 1002);
  }
  SECTION("3 takes 3 to 4 and lets commands through before the surface is approved") {
    settings.protocol = 3;
    const auto gateway = started(settings);
    const auto node = NodePeer::connect(*gateway, options);
    CHECK(node->hello()["payload"]["protocol"] == 3);
    CHECK(gateway->call("node.list").payload["nodes"][0]["commands"].size() == 3);
    CHECK(node->request("node.skills.update", {{"skills", Json::array()}})["error"]["message"] ==
          "unauthorized role: node");
  }
}

TEST_CASE("a peer that does not answer pings is dropped without a close frame") {
  GatewaySettings settings = with_token();
  settings.ping_interval = std::chrono::milliseconds(50);
  const auto gateway = started(settings);
  const auto node = NodePeer::connect(*gateway, with_shared());
  CHECK(gateway->journal().wait("pong", kSoon).has_value());
  node->socket().stop_reading();
  // One more message, so that the pending read ends and no other follows.
  gateway->call("dev.fault", {{"kind", "event"}, {"nodeId", node->device_id()}, {"event", "tick"}});
  const auto closed = gateway->journal().wait("closed", kSoon);
  REQUIRE(closed.has_value());
  CHECK((*closed)["silent"] == true);
}

TEST_CASE("methods outside the node role are counted and end the connection") {
  const auto gateway = started();
  const auto node = NodePeer::connect(*gateway, with_shared());
  for (int i = 0; i < 11; ++i) node->send_request("x", "config.get", Json::object());
  const auto closed = node->socket().wait_closed(kSoon);
  REQUIRE(closed.has_value());
  CHECK(closed->code == 1008);
  CHECK(closed->reason == "repeated unauthorized calls");
}

TEST_CASE("forwarded headers and an origin are refused") {
  const auto gateway = started();
  PeerOptions options = with_shared();
  options.headers = {{"X-Forwarded-For", "192.0.2.1"}};
  CHECK(NodePeer::open(*gateway, options) == nullptr);
  options.headers = {{"Origin", "http://example.com"}};
  CHECK(detail_code(NodePeer::connect(*gateway, options)->hello()) == "CONTROL_UI_ORIGIN_NOT_ALLOWED");
}

TEST_CASE("startup refusals and planned restarts are announced as the real gateway does") {
  const auto gateway = started();
  gateway->call("dev.fault", {{"kind", "refuse-connects"}, {"as", "startup-sidecars"}, {"count", 1}});
  const auto refused = NodePeer::connect(*gateway, with_shared());
  CHECK(refused->hello()["error"]["details"]["reason"] == "startup-sidecars");
  CHECK(refused->socket().wait_closed(kSoon)->code == 1013);

  const auto node = NodePeer::connect(*gateway, with_shared());
  gateway->call("dev.shutdown", {{"downMs", 50}});
  CHECK(node->next_event("shutdown")["restartExpectedMs"] == 1500);
  const auto closed = node->socket().wait_closed(kSoon);
  CHECK(closed->code == 1012);
  CHECK(closed->reason == "service restart");
}

}  // namespace hostclaw::devgateway
