// SPDX-License-Identifier: Apache-2.0
// The device key: Ed25519, its encodings and the connect signature.
// Source: transport contract sections 2.5 and 2.6. Safe from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hostclaw::gateway_proto {

class DeviceIdentity {
 public:
  // A new key from the system's random source.
  static Result<DeviceIdentity> generate();
  // From the 32-byte seed (RFC 8032). Used by tests and by import.
  static Result<DeviceIdentity> from_seed(std::string_view seed);
  // From PKCS#8 PEM. Errors: IDENTITY_INVALID. The message never quotes the key.
  static Result<DeviceIdentity> from_private_key_pem(std::string_view pem);

  const std::string& device_id() const { return device_id_; }  // lower-case hex SHA-256 of the raw public key
  const std::string& public_key() const { return public_key_; }  // raw 32 bytes, base64url, 43 characters
  std::string public_key_pem() const;                            // SPKI, canonical layout
  std::string private_key_pem() const;                           // PKCS#8, canonical layout; a secret

  // 64-byte signature, base64url, 86 characters.
  std::string sign(std::string_view message) const;

 private:
  DeviceIdentity() = default;
  std::shared_ptr<void> key_;  // EVP_PKEY
  std::array<std::uint8_t, 32> seed_{};
  std::array<std::uint8_t, 32> raw_public_{};
  std::string device_id_;
  std::string public_key_;
};

// Whether `signature` (base64url) over `message` was made with the key whose raw public part is `public_key`.
bool is_signed_by(const std::string& public_key, std::string_view message, const std::string& signature);

struct SignatureFields {
  std::string device_id;
  std::string client_id;
  std::string client_mode;
  std::string role;
  std::string scopes;  // joined with ','
  std::int64_t signed_at_ms = 0;
  std::string token;  // the token that is sent, or empty; a password never enters
  std::string nonce;
  std::string platform;
  std::string device_family;
};

// Layout v3 (v2 without the last two fields). The text holds the token: never log it.
std::string signature_payload_v3(const SignatureFields& fields);
std::string signature_payload_v2(const SignatureFields& fields);

}  // namespace hostclaw::gateway_proto
