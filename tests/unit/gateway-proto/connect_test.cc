// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/connect.h"

#include <catch2/catch.hpp>

using namespace hostclaw;
using namespace hostclaw::gateway_proto;

namespace {

ClientDescription sample_client() {
  ClientDescription client;
  client.display_name = "build-box";
  client.version = "hostclaw-test";
  client.platform = "linux";
  client.instance_id = "b3c0f2e1-d2e0-48ab-890a-50fbb121d387";
  client.caps = {"system"};
  client.commands = {"system.run", "system.which"};
  return client;
}

void check_no_null_or_empty(const Json& value) {
  CHECK_FALSE(value.is_null());
  if (value.is_string()) CHECK_FALSE(value.get<std::string>().empty());
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      CAPTURE(key);
      if (key != "scopes") check_no_null_or_empty(member);
    }
  }
}

PeerError refusal(const char* code, Json details) {
  PeerError error;
  error.code = code;
  error.message = "text";
  error.details = std::move(details);
  return error;
}

}  // namespace

TEST_CASE("connect holds no null and no empty optional member in any credential form") {
  const auto identity = DeviceIdentity::generate();
  REQUIRE(identity.has_value());
  const Challenge challenge{"nonce-1", 1795226520318};
  Credentials none;
  Credentials token;
  token.token = "t";
  Credentials password;
  password.password = "p";
  Credentials device;
  device.device_token = "d";
  Credentials bootstrap;
  bootstrap.bootstrap_token = "b";
  for (const Credentials& credentials : {none, token, password, device, bootstrap}) {
    ClientDescription client = sample_client();
    if (credentials.empty()) client.display_name.clear();
    const Json params = connect_params(client, credentials, *identity, challenge);
    check_no_null_or_empty(params);
    CHECK(params["minProtocol"] == 3);
    CHECK(params["maxProtocol"] == 4);
    CHECK(params["device"]["signedAt"] == challenge.ts_ms);
    CHECK(params.contains("auth") == !credentials.empty());
    CHECK_FALSE(params["client"].contains("deviceFamily"));
  }
}

TEST_CASE("the system is named as each generation of hosts names it") {
  struct Row {
    const char* platform;
    SystemForm form;
    const char* sent_platform;
    const char* family;
  };
  const Row rows[] = {{"linux", SystemForm::kCurrent, "linux", "Linux"},
                      {"win32", SystemForm::kCurrent, "windows", "Windows"},
                      {"darwin", SystemForm::kCurrent, "macos", "Mac"},
                      {"linux", SystemForm::kOld, "linux", ""},
                      {"win32", SystemForm::kOld, "win32", ""},
                      {"darwin", SystemForm::kOld, "darwin", ""},
                      {"freebsd", SystemForm::kCurrent, "freebsd", ""}};
  ClientDescription client = sample_client();
  for (const Row& row : rows) {
    describe_system(client, row.platform, row.form);
    CAPTURE(row.platform);
    CHECK(client.platform == row.sent_platform);
    CHECK(client.device_family == row.family);
  }
}

TEST_CASE("the device family is sent and signed") {
  const auto identity = DeviceIdentity::generate();
  ClientDescription client = sample_client();
  describe_system(client, "linux", SystemForm::kCurrent);
  const Json params = connect_params(client, {}, *identity, {"n", 5});
  CHECK(params["client"]["platform"] == "linux");
  CHECK(params["client"]["deviceFamily"] == "Linux");
  SignatureFields fields{
      identity->device_id(), "node-host", "node", "node", "", 5, "", "n", "linux", "Linux"};
  CHECK(params["device"]["signature"] == identity->sign(signature_payload_v3(fields)));
}

TEST_CASE("a stored device token travels alone and is what is signed") {
  const auto identity = DeviceIdentity::generate();
  Credentials device;
  device.device_token = "stored";
  const Json params = connect_params(sample_client(), device, *identity, {"n", 5});
  CHECK(params["auth"] == Json{{"deviceToken", "stored"}});
  SignatureFields fields{
      identity->device_id(), "node-host", "node", "node", "", 5, "stored", "n", "linux", ""};
  CHECK(params["device"]["signature"] == identity->sign(signature_payload_v3(fields)));
}

TEST_CASE("a password is sent but never signed") {
  const auto identity = DeviceIdentity::generate();
  Credentials password;
  password.password = "p";
  const Json params = connect_params(sample_client(), password, *identity, {"n", 5});
  SignatureFields fields{identity->device_id(), "node-host", "node", "node", "", 5, "", "n", "linux", ""};
  CHECK(params["device"]["signature"] == identity->sign(signature_payload_v3(fields)));
}

TEST_CASE("challenges without a nonce or a time are refused") {
  CHECK(challenge_from(Json{{"nonce", " abc "}, {"ts", 12}})->nonce == "abc");
  CHECK_FALSE(challenge_from(Json{{"nonce", "  "}, {"ts", 12}}).has_value());
  CHECK_FALSE(challenge_from(Json{{"nonce", "a"}}).has_value());
  CHECK_FALSE(challenge_from(Json{{"nonce", "a"}, {"ts", "12"}}).has_value());
  CHECK_FALSE(challenge_from(Json{{"nonce", "a"}, {"ts", -1}}).has_value());
  CHECK_FALSE(challenge_from(Json()).has_value());
}

TEST_CASE("hello-ok is read for both generations and refused for others") {
  const auto hello = hello_ok_from(Json::parse(
      R"({"type":"hello-ok","protocol":4,"server":{"version":"2026.9.6","connId":"c"},"auth":{"deviceToken":"t","method":"token"},"policy":{"maxPayload":1000000,"tickIntervalMs":30000},"new":{}})"));
  REQUIRE(hello.has_value());
  CHECK(hello->server_version == "2026.9.6");
  CHECK(hello->max_payload == 1'000'000);
  CHECK(hello_ok_from(Json::parse(R"({"type":"hello-ok","protocol":3})"))->protocol == 3);
  CHECK(hello_ok_from(Json::parse(R"({"type":"hello-ok","protocol":5})")).error().code ==
        "PROTOCOL_UNSUPPORTED");
  CHECK(hello_ok_from(Json::parse(R"({"protocol":4})")).error().code == "FRAME_INVALID");
}

TEST_CASE("a gateway takes tools when it names the method, and not otherwise") {
  const auto takes = [](const char* features) {
    Json payload = {{"type", "hello-ok"}, {"protocol", 4}};
    payload["features"] = Json::parse(features);
    return hello_ok_from(payload)->takes_tools;
  };
  CHECK(takes(R"({"methods":["health","node.pluginTools.update"]})"));
  for (const char* features :
       {R"({"methods":["node.pluginSurface.refresh"]})", R"({"methods":"node.pluginTools.update"})", R"({})",
        R"([])", R"("node.pluginTools.update")", "null"})
    CHECK_FALSE(takes(features));
  CHECK_FALSE(hello_ok_from(Json::parse(R"({"type":"hello-ok","protocol":3})"))->takes_tools);
}

TEST_CASE("releases are compared as numbers") {
  CHECK(is_release_before("2026.4.20", 2026, 8, 2));
  CHECK(is_release_before("2026.7.35", 2026, 8, 2));
  CHECK(is_release_before("2026.8.1-beta.2", 2026, 8, 2));
  for (const char* text : {"2026.8.2", "2026.10.1", "2027.1.1", "2026.9.6", "", "native", "2026", "2026.4",
                           "2026.4.x", "v2026.4.20", "-1.2.3", "99999999999.1.1"})
    CHECK_FALSE(is_release_before(text, 2026, 8, 2));
}

TEST_CASE("each refused connect leads to the right next step") {
  const CredentialState shared{.used_shared = true, .have_device_token = true, .endpoint_trusted = true};
  const CredentialState stored{.used_device_token = true, .have_device_token = true};

  const auto pairing = classify_connect_error(
      refusal("NOT_PAIRED", {{"code", "PAIRING_REQUIRED"}, {"reason", "not-paired"}, {"requestId", "r-1"}}),
      shared);
  CHECK(pairing.advice == ConnectAdvice::kRetrySlowly);
  CHECK(pairing.next == "openclaw devices approve r-1");

  CHECK(
      classify_connect_error(refusal("INVALID_REQUEST", {{"code", "AUTH_TOKEN_MISMATCH"}}), shared).advice ==
      ConnectAdvice::kRetryWithDeviceToken);
  CredentialState spent = shared;
  spent.retry_already_used = true;
  CHECK(classify_connect_error(refusal("INVALID_REQUEST", {{"code", "AUTH_TOKEN_MISMATCH"}}), spent).advice ==
        ConnectAdvice::kFatal);
  CredentialState untrusted = shared;
  untrusted.endpoint_trusted = false;
  CHECK(classify_connect_error(refusal("INVALID_REQUEST", {{"code", "AUTH_TOKEN_MISMATCH"}}), untrusted)
            .advice == ConnectAdvice::kFatal);

  CHECK(classify_connect_error(refusal("INVALID_REQUEST", {{"code", "AUTH_DEVICE_TOKEN_MISMATCH"}}), stored)
            .advice == ConnectAdvice::kDropDeviceToken);
  for (const char* code : {"AUTH_TOKEN_MISSING", "AUTH_PASSWORD_MISMATCH", "AUTH_BOOTSTRAP_TOKEN_INVALID",
                           "CLIENT_VERSION_MISMATCH", "DEVICE_IDENTITY_REQUIRED"}) {
    const auto fatal = classify_connect_error(refusal("INVALID_REQUEST", {{"code", code}}), {});
    CHECK(fatal.advice == ConnectAdvice::kFatal);
    CHECK_FALSE(fatal.next.empty());
  }

  const PeerError renamed = refusal(
      "NOT_PAIRED", {{"code", "PAIRING_REQUIRED"}, {"reason", "metadata-upgrade"}, {"requestId", "r-2"}});
  CredentialState untried = shared;
  untried.may_try_old_form = true;
  CHECK(classify_connect_error(renamed, untried).advice == ConnectAdvice::kRetryWithOldForm);
  CHECK(classify_connect_error(renamed, shared).advice == ConnectAdvice::kRetrySlowly);

  PeerError limited = refusal("INVALID_REQUEST", {{"code", "AUTH_RATE_LIMITED"}});
  limited.retry_after_ms = 299'600;
  CHECK(classify_connect_error(limited, shared).advice == ConnectAdvice::kRetrySlowly);
  CHECK(classify_connect_error(limited, shared).retry_after_ms == 299'600);

  PeerError starting = refusal("UNAVAILABLE", {{"reason", "startup-sidecars"}});
  starting.retry_after_ms = 5;
  CHECK(classify_connect_error(starting, shared).advice == ConnectAdvice::kRetrySoon);
  CHECK(classify_connect_error(starting, shared).retry_after_ms == 100);

  CHECK(classify_connect_error(refusal("NOT_PAIRED", nullptr), shared).advice == ConnectAdvice::kRetry);
  CHECK(classify_connect_error(refusal("INVALID_REQUEST", {{"expectedProtocol", 9}}), {}).advice ==
        ConnectAdvice::kFatal);
}
