// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/connect.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

namespace hostclaw::gateway_proto {
namespace {

std::string text_at(const Json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

bool flag_at(const Json& object, const char* name, bool fallback) {
  if (!object.is_object()) return fallback;
  const auto it = object.find(name);
  return it != object.end() && it->is_boolean() ? it->get<bool>() : fallback;
}

std::optional<std::int64_t> integer_at(const Json& object, const char* name) {
  if (!object.is_object()) return std::nullopt;
  const auto it = object.find(name);
  if (it == object.end() || !it->is_number()) return std::nullopt;
  const double value = it->get<double>();
  if (!(value >= 0 && value < 9.0e15)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

// The first token in the order the gateway checks; a password never enters the signature.
const std::string& signed_token(const Credentials& c) {
  if (!c.token.empty()) return c.token;
  if (!c.device_token.empty()) return c.device_token;
  return c.bootstrap_token;
}

Json auth_object(const Credentials& c) {
  Json auth = Json::object();
  if (!c.token.empty()) auth["token"] = c.token;
  if (!c.device_token.empty()) auth["deviceToken"] = c.device_token;
  if (!c.bootstrap_token.empty()) auth["bootstrapToken"] = c.bootstrap_token;
  if (!c.password.empty()) auth["password"] = c.password;
  return auth;
}

ConnectRefusal pairing_refusal(ConnectRefusal refusal) {
  refusal.advice = ConnectAdvice::kRetrySlowly;
  refusal.next =
      refusal.request_id.empty() ? "openclaw devices list" : "openclaw devices approve " + refusal.request_id;
  return refusal;
}

ConnectRefusal fatal(ConnectRefusal refusal, std::string next) {
  refusal.advice = ConnectAdvice::kFatal;
  refusal.next = std::move(next);
  return refusal;
}

}  // namespace

Result<Challenge> challenge_from(const Json& payload) {
  Challenge challenge;
  challenge.nonce = std::string(trim(text_at(payload, "nonce")));
  if (challenge.nonce.empty()) return make_error("FRAME_INVALID", "connect challenge missing nonce");
  const auto ts = integer_at(payload, "ts");
  if (!ts) return make_error("FRAME_INVALID", "connect challenge without a usable `ts`");
  challenge.ts_ms = *ts;
  return challenge;
}

void describe_system(ClientDescription& client, std::string_view platform, SystemForm form) {
  struct Names {
    std::string_view old_platform, platform, family;
  };
  static constexpr Names kSystems[] = {
      {"linux", "linux", "Linux"}, {"win32", "windows", "Windows"}, {"darwin", "macos", "Mac"}};
  client.platform = platform;
  client.device_family.clear();
  if (form == SystemForm::kOld) return;
  for (const Names& names : kSystems) {
    if (names.old_platform != platform) continue;
    client.platform = names.platform;
    client.device_family = names.family;
  }
}

Json connect_params(const ClientDescription& client, const Credentials& credentials,
                    const DeviceIdentity& identity, const Challenge& challenge) {
  Json description{
      {"id", "node-host"}, {"version", client.version}, {"platform", client.platform}, {"mode", "node"}};
  if (!client.device_family.empty()) description["deviceFamily"] = client.device_family;
  if (!client.display_name.empty()) description["displayName"] = client.display_name;
  if (!client.instance_id.empty()) description["instanceId"] = client.instance_id;

  SignatureFields fields;
  fields.device_id = identity.device_id();
  fields.client_id = "node-host";
  fields.client_mode = "node";
  fields.role = "node";
  fields.signed_at_ms = challenge.ts_ms;
  fields.token = signed_token(credentials);
  fields.nonce = challenge.nonce;
  fields.platform = client.platform;
  fields.device_family = client.device_family;

  Json params{{"minProtocol", 3},
              {"maxProtocol", 4},
              {"client", std::move(description)},
              {"caps", client.caps},
              {"commands", client.commands},
              {"role", "node"},
              {"scopes", Json::array()},
              {"device",
               {{"id", identity.device_id()},
                {"publicKey", identity.public_key()},
                {"signature", identity.sign(signature_payload_v3(fields))},
                {"signedAt", challenge.ts_ms},
                {"nonce", challenge.nonce}}}};
  if (!client.path_env.empty()) params["pathEnv"] = client.path_env;
  if (!credentials.empty()) params["auth"] = auth_object(credentials);
  return params;
}

Result<HelloOk> hello_ok_from(const Json& payload) {
  if (!payload.is_object() || text_at(payload, "type") != "hello-ok") {
    return make_error("FRAME_INVALID", "the answer to connect is not a hello-ok");
  }
  const auto protocol = integer_at(payload, "protocol");
  if (!protocol) return make_error("FRAME_INVALID", "hello-ok without a protocol number");
  if (*protocol != 3 && *protocol != 4) {
    return make_error("PROTOCOL_UNSUPPORTED", "the gateway speaks protocol " + std::to_string(*protocol) +
                                                  "; this node speaks 3 and 4");
  }
  HelloOk hello;
  hello.protocol = static_cast<int>(*protocol);
  if (const auto it = payload.find("server"); it != payload.end()) {
    hello.server_version = text_at(*it, "version");
    hello.connection_id = text_at(*it, "connId");
  }
  if (const auto it = payload.find("auth"); it != payload.end()) {
    hello.auth_method = text_at(*it, "method");
    hello.device_token = text_at(*it, "deviceToken");
  }
  if (const auto it = payload.find("policy"); it != payload.end()) {
    if (const auto value = integer_at(*it, "maxPayload"); value && *value >= 4096) {
      hello.max_payload = static_cast<std::uint64_t>(*value);
    }
    if (const auto value = integer_at(*it, "tickIntervalMs"); value && *value >= 100)
      hello.tick_interval_ms = *value;
  }
  if (const auto it = payload.find("features"); it != payload.end() && it->is_object()) {
    const auto methods = it->find("methods");
    hello.takes_tools =
        methods != it->end() && methods->is_array() &&
        std::find(methods->begin(), methods->end(), "node.pluginTools.update") != methods->end();
  }
  return hello;
}

bool is_release_before(std::string_view server_version, int year, int month, int patch) {
  std::array<int, 3> parts{};
  const char* at = server_version.data();
  const char* const end = at + server_version.size();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0 && (at == end || *at++ != '.')) return false;
    const auto [next, failed] = std::from_chars(at, end, parts[i]);
    if (failed != std::errc() || parts[i] < 0) return false;
    at = next;
  }
  return parts < std::array<int, 3>{year, month, patch};
}

ConnectRefusal classify_connect_error(const PeerError& error, const CredentialState& state) {
  ConnectRefusal refusal;
  refusal.detail_code = text_at(error.details, "code");
  refusal.reason = text_at(error.details, "reason");
  refusal.request_id = text_at(error.details, "requestId");
  if (refusal.detail_code.empty()) refusal.detail_code = error.code;
  refusal.message = error.message;
  refusal.retry_after_ms = error.retry_after_ms.value_or(0);
  const std::string& code = refusal.detail_code;

  if (refusal.reason == "startup-sidecars") {
    refusal.advice = ConnectAdvice::kRetrySoon;
    refusal.retry_after_ms = std::clamp<std::int64_t>(error.retry_after_ms.value_or(500), 100, 2000);
    return refusal;
  }

  const bool may_retry_with_device_token =
      state.used_shared && !state.used_device_token && state.have_device_token && state.endpoint_trusted &&
      !state.retry_already_used &&
      (code == "AUTH_TOKEN_MISMATCH" || flag_at(error.details, "canRetryWithDeviceToken", false) ||
       text_at(error.details, "recommendedNextStep") == "retry_with_device_token");
  if (may_retry_with_device_token) {
    refusal.advice = ConnectAdvice::kRetryWithDeviceToken;
    return refusal;
  }

  if (refusal.reason == "metadata-upgrade" && state.may_try_old_form) {
    refusal.advice = ConnectAdvice::kRetryWithOldForm;
    return refusal;
  }
  if (code == "PAIRING_REQUIRED") return pairing_refusal(std::move(refusal));
  if (code == "AUTH_RATE_LIMITED") {
    refusal.advice = ConnectAdvice::kRetrySlowly;
    refusal.next = "wait; the gateway counts failed logins per address";
    return refusal;
  }
  if (code == "AUTH_DEVICE_TOKEN_MISMATCH") {
    // Dropping the token helps only when something else is left to try.
    if (state.used_device_token) {
      refusal.advice = ConnectAdvice::kDropDeviceToken;
      if (!state.used_shared) {
        refusal.next =
            "on the gateway: openclaw devices join-code (or set OPENCLAW_GATEWAY_TOKEN), then: hostclaw "
            "connect CODE";
      }
      return refusal;
    }
    return fatal(std::move(refusal), "set OPENCLAW_GATEWAY_TOKEN to the gateway's token");
  }
  if (code == "AUTH_TOKEN_MISSING" || code == "AUTH_TOKEN_MISMATCH") {
    return fatal(std::move(refusal),
                 "set OPENCLAW_GATEWAY_TOKEN to the gateway's token (gateway.auth.token)");
  }
  if (code == "AUTH_PASSWORD_MISSING" || code == "AUTH_PASSWORD_MISMATCH") {
    return fatal(std::move(refusal), "set OPENCLAW_GATEWAY_PASSWORD to the gateway's password");
  }
  if (code == "AUTH_BOOTSTRAP_TOKEN_INVALID") {
    return fatal(std::move(refusal), "get a new setup code: it works once and for ten minutes");
  }
  if (code == "CLIENT_VERSION_MISMATCH") {
    return fatal(
        std::move(refusal),
        "give this node its own identity: a state directory that is not the gateway's (HOSTCLAW_STATE_DIR)");
  }
  if (code == "AUTH_IDENTITY_HEADER_REQUIRED" || code == "AUTH_SCOPE_MISMATCH" ||
      code == "AUTH_VERIFIED_USER_REQUIRED" || code == "CONTROL_UI_BUILD_MISMATCH" ||
      code == "CONTROL_UI_ORIGIN_NOT_ALLOWED" || code == "DEVICE_IDENTITY_REQUIRED" ||
      code == "CONTROL_UI_DEVICE_IDENTITY_REQUIRED") {
    return fatal(std::move(refusal),
                 "the gateway does not accept headless nodes this way; see its gateway.auth settings");
  }
  const auto expected = integer_at(error.details, "expectedProtocol");
  if (code == "PROTOCOL_MISMATCH" || expected) {
    return fatal(std::move(refusal),
                 "install a hostclaw that speaks protocol " +
                     (expected ? std::to_string(*expected) : std::string("of this gateway")));
  }
  return refusal;
}

}  // namespace hostclaw::gateway_proto
