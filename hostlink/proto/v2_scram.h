// SPDX-License-Identifier: Apache-2.0
// The mutual proof of protocol 2: SCRAM-SHA-256 (RFC 5802, RFC 7677) for both ends, with tokens as passwords.
// Pure functions, safe from any thread; nonces and salts are the caller's, and must be fresh and random.
//
// A daemon keeps verifiers, never tokens; whoever steals them can neither log in nor pass for the daemon's
// client. On TLS the proof is bound to the channel by its exporter (RFC 9266), so that it cannot be relayed.
// Cost: `iterations` times two blocks of SHA-256 for make_verifier and client_keys, some microseconds for the
// rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/sha256.h"

namespace hostclaw::hostlink::v2 {

// A generated token has 256 random bits: nothing is gained by making guesses expensive.
inline constexpr std::uint32_t kGeneratedIterations = 1;
inline constexpr std::uint32_t kChosenIterations = 4096;
// A peer that asks for more wants the time of this end.
inline constexpr std::uint32_t kMaxIterations = 1'000'000;
inline constexpr std::size_t kNonceBytes = 18;
inline constexpr std::size_t kSaltBytes = 16;
inline constexpr std::size_t kMaxNonceText = 128;

// `hlt_<key id>_<43 characters of base64url>`: what `hostclaw hostlink token add` makes.
bool is_generated_token(std::string_view token);
bool is_key_id(std::string_view text);  // 1 to 32 letters, digits and -
// The key id of a generated token, `default` for every other text.
std::string token_key_id(std::string_view token);

struct Verifier {
  std::string salt;  // bytes
  std::uint32_t iterations = kChosenIterations;
  Sha256Digest stored_key{};
  Sha256Digest server_key{};
};
Verifier make_verifier(std::string_view token, std::string_view salt, std::uint32_t iterations);

// What both ends know of one exchange.
struct Exchange {
  std::string key_id;
  std::string client_nonce;
  std::string nonce;  // the client's, and the server's behind it
  std::string salt;   // bytes
  std::uint32_t iterations = kChosenIterations;
  // Bytes exported from the TLS session, label EXPORTER-Channel-Binding; empty without TLS.
  std::string channel;
};

// The text that both ends sign, as RFC 5802 puts it together.
std::string auth_message(const Exchange& exchange);

// The client's part. Nothing when what the server answered must not be used: a nonce that does not go on from
// ours (requires: is no longer than kMaxNonceText), no salt, or a number of iterations that is too high, or
// too low for a text that somebody chose.
struct ClientProof {
  Sha256Digest proof{};
  Sha256Digest server_signature{};  // what the server has to answer
};
std::optional<ClientProof> client_proof(std::string_view token, const Exchange& exchange);

// The server's part: its signature when the proof is the one of the token, in constant time.
std::optional<Sha256Digest> check_proof(const Verifier& verifier, const Exchange& exchange,
                                        std::string_view proof);

// For the tests against the RFC's vectors, and for whoever keeps other secrets with the same means.
Sha256Digest hmac_sha256(std::string_view key, std::string_view text);
Sha256Digest salted_password(std::string_view password, std::string_view salt, std::uint32_t iterations);

}  // namespace hostclaw::hostlink::v2
