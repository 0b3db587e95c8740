// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/device_identity.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>

#include "base/sha256.h"
#include "base/text.h"

namespace hostclaw::gateway_proto {
namespace {

constexpr std::uint8_t kPublicKeyPrefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                             0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr std::uint8_t kPrivateKeyPrefix[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                              0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

Error invalid_identity(std::string why) {
  return make_error("IDENTITY_INVALID", "device identity: " + std::move(why));
}

// Standard base64 with padding, as PEM wants it; 48 bytes of DER fit on one 64-column line.
std::string pem(std::string_view label, const std::vector<std::uint8_t>& der) {
  std::string body((der.size() + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(body.data()), der.data(),
                                     static_cast<int>(der.size()));
  body.resize(static_cast<std::size_t>(length));
  std::string out = "-----BEGIN " + std::string(label) + "-----\n";
  for (std::size_t at = 0; at < body.size(); at += 64) out += body.substr(at, 64) + "\n";
  return out + "-----END " + std::string(label) + "-----\n";
}

template <std::size_t N>
std::vector<std::uint8_t> concatenate(const std::uint8_t (&prefix)[N],
                                      const std::array<std::uint8_t, 32>& tail) {
  std::vector<std::uint8_t> out(std::begin(prefix), std::end(prefix));
  out.insert(out.end(), tail.begin(), tail.end());
  return out;
}

// Trims and lower-cases ASCII, as the gateway normalises platform and family.
std::string normalized(std::string_view text) { return to_lower_ascii(trim(text)); }

std::string common_payload(std::string_view tag, const SignatureFields& f) {
  const std::string parts[] = {std::string(tag),
                               f.device_id,
                               f.client_id,
                               f.client_mode,
                               f.role,
                               f.scopes,
                               std::to_string(f.signed_at_ms),
                               f.token,
                               f.nonce};
  return join(parts, "|");
}

}  // namespace

Result<DeviceIdentity> DeviceIdentity::generate() {
  std::string seed(32, '\0');
  if (RAND_priv_bytes(reinterpret_cast<unsigned char*>(seed.data()), 32) != 1) {
    return invalid_identity("the system's random source failed");
  }
  return from_seed(seed);
}

Result<DeviceIdentity> DeviceIdentity::from_seed(std::string_view seed) {
  if (seed.size() != 32) return invalid_identity("a seed has 32 bytes");
  DeviceIdentity identity;
  std::copy(seed.begin(), seed.end(), identity.seed_.begin());
  EVP_PKEY* key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, identity.seed_.data(), 32);
  if (key == nullptr) return invalid_identity("not an Ed25519 key");
  identity.key_ = std::shared_ptr<void>(key, [](void* p) { EVP_PKEY_free(static_cast<EVP_PKEY*>(p)); });
  std::size_t length = identity.raw_public_.size();
  if (EVP_PKEY_get_raw_public_key(key, identity.raw_public_.data(), &length) != 1 || length != 32) {
    return invalid_identity("no public key");
  }
  identity.device_id_ = sha256_hex({reinterpret_cast<const char*>(identity.raw_public_.data()), 32});
  identity.public_key_ = to_base64url(identity.raw_public_);
  return identity;
}

Result<DeviceIdentity> DeviceIdentity::from_private_key_pem(std::string_view pem_text) {
  const std::unique_ptr<BIO, int (*)(BIO*)> bio(
      BIO_new_mem_buf(pem_text.data(), static_cast<int>(std::min<std::size_t>(pem_text.size(), 1 << 16))),
      BIO_free);
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      PEM_read_bio_PrivateKey(
          bio.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr),
      EVP_PKEY_free);
  if (!key) return invalid_identity("the private key is not readable PEM");
  if (EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519)
    return invalid_identity("the private key is not Ed25519");
  std::string seed(32, '\0');
  std::size_t length = seed.size();
  if (EVP_PKEY_get_raw_private_key(key.get(), reinterpret_cast<unsigned char*>(seed.data()), &length) != 1 ||
      length != 32) {
    return invalid_identity("the private key has no raw form");
  }
  return from_seed(seed);
}

std::string DeviceIdentity::public_key_pem() const {
  return pem("PUBLIC KEY", concatenate(kPublicKeyPrefix, raw_public_));
}

std::string DeviceIdentity::private_key_pem() const {
  return pem("PRIVATE KEY", concatenate(kPrivateKeyPrefix, seed_));
}

std::string DeviceIdentity::sign(std::string_view message) const {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::array<std::uint8_t, 64> signature{};
  std::size_t length = signature.size();
  EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, static_cast<EVP_PKEY*>(key_.get()));
  EVP_DigestSign(context.get(), signature.data(), &length,
                 reinterpret_cast<const unsigned char*>(message.data()), message.size());
  return to_base64url(signature);
}

bool is_signed_by(const std::string& public_key, std::string_view message, const std::string& signature) {
  const auto raw = from_base64url(public_key);
  const auto bytes = from_base64url(signature);
  if (!raw || raw->size() != 32 || !bytes || bytes->size() != 64) return false;
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw->data(), raw->size()), EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return key && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes->data(), bytes->size(),
                          reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
}

std::string signature_payload_v2(const SignatureFields& fields) { return common_payload("v2", fields); }

std::string signature_payload_v3(const SignatureFields& fields) {
  return common_payload("v3", fields) + "|" + normalized(fields.platform) + "|" +
         normalized(fields.device_family);
}

}  // namespace hostclaw::gateway_proto
