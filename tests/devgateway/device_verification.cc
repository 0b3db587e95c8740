// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/device_verification.h"

#include <openssl/evp.h>

#include <memory>

#include "base/sha256.h"
#include "base/text.h"
#include "tests/devgateway/json_members.h"

namespace hostclaw::devgateway {
namespace {

constexpr std::int64_t kMaxClockDifferenceMs = 120'000;

std::string normalized(const std::string& text) { return to_lower_ascii(trim(text)); }

bool signature_covers(const std::string& public_key, const std::vector<std::uint8_t>& signature,
                      const std::string& payload) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr,
                                  reinterpret_cast<const unsigned char*>(public_key.data()),
                                  public_key.size()),
      EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!key || !context) return false;
  if (EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1) return false;
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                          reinterpret_cast<const unsigned char*>(payload.data()), payload.size()) == 1;
}

std::string common_fields(const Json& params, const Json& device) {
  std::string scopes;
  for (const Json& scope : params.value("scopes", Json::array())) {
    if (!scopes.empty()) scopes += ',';
    scopes += scope.get<std::string>();
  }
  const Json& client = params.at("client");
  return string_at(device, "id") + '|' + string_at(client, "id") + '|' + string_at(client, "mode") + '|' +
         params.value("role", std::string("operator")) + '|' + scopes + '|' +
         std::to_string(device.at("signedAt").get<std::int64_t>()) + '|' + signed_token_of(params) + '|' +
         string_at(device, "nonce");
}

}  // namespace

std::string signed_token_of(const Json& params) {
  const Json auth = params.value("auth", Json::object());
  for (const char* name : {"token", "deviceToken", "bootstrapToken"}) {
    if (std::string value = string_at(auth, name); !value.empty()) return value;
  }
  return {};
}

std::optional<DeviceRefusal> verify_device(const Json& params, const std::string& expected_nonce,
                                           std::int64_t now_ms, VerifiedDevice& verified) {
  const Json& device = params.at("device");
  const auto raw_key = from_base64url(string_at(device, "publicKey"));
  if (!raw_key || raw_key->size() != 32) {
    return DeviceRefusal{"device public key invalid", "DEVICE_AUTH_PUBLIC_KEY_INVALID", "device-public-key"};
  }
  const std::string key(raw_key->begin(), raw_key->end());
  if (sha256_hex(key) != string_at(device, "id")) {
    return DeviceRefusal{"device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch"};
  }
  const std::int64_t signed_at = device.at("signedAt").get<std::int64_t>();
  if (signed_at < now_ms - kMaxClockDifferenceMs || signed_at > now_ms + kMaxClockDifferenceMs) {
    return DeviceRefusal{"device signature expired", "DEVICE_AUTH_SIGNATURE_EXPIRED",
                         "device-signature-stale"};
  }
  const std::string nonce(trim(string_at(device, "nonce")));
  if (nonce.empty()) {
    return DeviceRefusal{"device nonce required", "DEVICE_AUTH_NONCE_REQUIRED", "device-nonce-missing"};
  }
  if (nonce != expected_nonce) {
    return DeviceRefusal{"device nonce mismatch", "DEVICE_AUTH_NONCE_MISMATCH", "device-nonce-mismatch"};
  }
  const DeviceRefusal bad_signature{"device signature invalid", "DEVICE_AUTH_SIGNATURE_INVALID",
                                    "device-signature"};
  const auto signature = from_base64url(string_at(device, "signature"));
  if (!signature || signature->size() != 64) return bad_signature;

  const std::string fields = common_fields(params, device);
  const Json& client = params.at("client");
  const std::string platform_fields =
      '|' + normalized(string_at(client, "platform")) + '|' + normalized(string_at(client, "deviceFamily"));
  verified.device_id = string_at(device, "id");
  verified.public_key = to_base64url(*raw_key);
  if (signature_covers(key, *signature, "v3|" + fields + platform_fields)) {
    verified.layout = 3;
  } else if (signature_covers(key, *signature, "v2|" + fields)) {
    verified.layout = 2;
  } else {
    return bad_signature;
  }
  return std::nullopt;
}

}  // namespace hostclaw::devgateway
