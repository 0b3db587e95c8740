// SPDX-License-Identifier: Apache-2.0
// The library's HMAC and PBKDF2 are built on its providers, which are 3 MB of a static client and a
// millisecond of its start; its plain SHA-256 is neither, and HMAC is a few lines above it.
#include "hostlink/proto/v2_scram.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "hostlink/proto/base64.h"

namespace hostclaw::hostlink::v2 {
namespace {

constexpr std::size_t kBlock = 64;
constexpr std::string_view kTokenPrefix = "hlt_";
constexpr std::size_t kTokenSecretSize = 43;
constexpr std::size_t kMaxKeyIdSize = 32;

std::string_view view_of(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

bool is_token_letter(char c) { return is_ascii_letter(c) || is_ascii_digit(c) || c == '-'; }

// HMAC with a key that is used often: both of its first blocks are hashed once.
class KeyedHash {
 public:
  explicit KeyedHash(std::string_view key) {
    std::array<std::uint8_t, kBlock> block{};
    if (key.size() > kBlock) {
      const Sha256Digest digest = sha256(key);
      std::copy(digest.begin(), digest.end(), block.begin());
    } else {
      std::copy(key.begin(), key.end(), block.begin());
    }
    for (std::uint8_t& byte : block) byte ^= 0x36U;
    begin(inner_, block);
    for (std::uint8_t& byte : block) byte ^= 0x36U ^ 0x5CU;
    begin(outer_, block);
  }

  Sha256Digest operator()(std::string_view text) const {
    Sha256Digest digest{};
    SHA256_CTX context = inner_;
    SHA256_Update(&context, text.data(), text.size());
    SHA256_Final(digest.data(), &context);
    context = outer_;
    SHA256_Update(&context, digest.data(), digest.size());
    SHA256_Final(digest.data(), &context);
    return digest;
  }

 private:
  static void begin(SHA256_CTX& context, const std::array<std::uint8_t, kBlock>& block) {
    SHA256_Init(&context);
    SHA256_Update(&context, block.data(), block.size());
  }

  SHA256_CTX inner_{};
  SHA256_CTX outer_{};
};

Sha256Digest exclusive_or(const Sha256Digest& left, const Sha256Digest& right) {
  Sha256Digest out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = left[i] ^ right[i];
  return out;
}

bool may_be_used(std::string_view token, const Exchange& exchange) {
  const bool goes_on = exchange.nonce.size() > exchange.client_nonce.size() &&
                       exchange.nonce.size() <= kMaxNonceText &&
                       exchange.nonce.starts_with(exchange.client_nonce);
  const std::uint32_t least = is_generated_token(token) ? kGeneratedIterations : kChosenIterations;
  return goes_on && !exchange.client_nonce.empty() && !exchange.salt.empty() &&
         exchange.iterations >= least && exchange.iterations <= kMaxIterations;
}

}  // namespace

bool is_key_id(std::string_view text) {
  if (text.empty() || text.size() > kMaxKeyIdSize) return false;
  return std::all_of(text.begin(), text.end(), is_token_letter);
}

bool is_generated_token(std::string_view token) {
  if (!token.starts_with(kTokenPrefix) || token.size() < kTokenPrefix.size() + 2 + kTokenSecretSize)
    return false;
  const std::size_t end = token.size() - kTokenSecretSize - 1;
  const std::string_view secret = token.substr(end + 1);
  return token[end] == '_' && is_key_id(token.substr(kTokenPrefix.size(), end - kTokenPrefix.size())) &&
         std::all_of(secret.begin(), secret.end(), [](char c) { return is_token_letter(c) || c == '_'; });
}

std::string token_key_id(std::string_view token) {
  if (!is_generated_token(token)) return "default";
  return std::string(
      token.substr(kTokenPrefix.size(), token.size() - kTokenSecretSize - 1 - kTokenPrefix.size()));
}

Sha256Digest hmac_sha256(std::string_view key, std::string_view text) { return KeyedHash(key)(text); }

Sha256Digest salted_password(std::string_view password, std::string_view salt, std::uint32_t iterations) {
  const KeyedHash hash(password);
  Sha256Digest last = hash(std::string(salt) + std::string("\0\0\0\1", 4));
  Sha256Digest out = last;
  for (std::uint32_t i = 1; i < iterations; ++i) {
    last = hash(view_of(last));
    out = exclusive_or(out, last);
  }
  return out;
}

Verifier make_verifier(std::string_view token, std::string_view salt, std::uint32_t iterations) {
  const KeyedHash salted(view_of(salted_password(token, salt, iterations)));
  return {std::string(salt), iterations, sha256(view_of(salted("Client Key"))), salted("Server Key")};
}

std::string auth_message(const Exchange& exchange) {
  const std::string header = exchange.channel.empty() ? "n,," : "p=tls-exporter,,";
  return "n=" + exchange.key_id + ",r=" + exchange.client_nonce + ",r=" + exchange.nonce +
         ",s=" + to_base64(exchange.salt) + ",i=" + std::to_string(exchange.iterations) +
         ",c=" + to_base64(header + exchange.channel) + ",r=" + exchange.nonce;
}

std::optional<ClientProof> client_proof(std::string_view token, const Exchange& exchange) {
  if (!may_be_used(token, exchange)) return std::nullopt;
  const KeyedHash salted(view_of(salted_password(token, exchange.salt, exchange.iterations)));
  const std::string message = auth_message(exchange);
  const Sha256Digest client_key = salted("Client Key");
  const Sha256Digest signature = hmac_sha256(view_of(sha256(view_of(client_key))), message);
  return ClientProof{exclusive_or(client_key, signature),
                     hmac_sha256(view_of(salted("Server Key")), message)};
}

std::optional<Sha256Digest> check_proof(const Verifier& verifier, const Exchange& exchange,
                                        std::string_view proof) {
  Sha256Digest given{};
  if (proof.size() != given.size()) return std::nullopt;
  std::copy(proof.begin(), proof.end(), given.begin());
  const std::string message = auth_message(exchange);
  const Sha256Digest client_key = exclusive_or(given, hmac_sha256(view_of(verifier.stored_key), message));
  const Sha256Digest stored_key = sha256(view_of(client_key));
  if (!equal_constant_time(view_of(stored_key), view_of(verifier.stored_key))) return std::nullopt;
  return hmac_sha256(view_of(verifier.server_key), message);
}

}  // namespace hostclaw::hostlink::v2
