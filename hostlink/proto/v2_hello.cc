// SPDX-License-Identifier: Apache-2.0
#include "hostlink/proto/v2_hello.h"

#include <utility>

#include "base/json.h"
#include "hostlink/proto/base64.h"
#include "hostlink/proto/frame.h"
#include "hostlink/proto/members.h"
#include "hostlink/proto/v2_scram.h"

namespace hostclaw::hostlink::v2 {
namespace {

JsonObjectText begin_welcome(const ReplyHead& head) {
  JsonObjectText out;
  out.add("version", std::int64_t{2});
  out.add("id", head.id);
  out.add("node", head.node);
  out.add("status", reply_status_name(head.status));
  out.add("protocol", std::int64_t{2});
  return out;
}

}  // namespace

std::string build_hello(const Hello& hello) {
  JsonObjectText out;
  out.add("version", std::int64_t{2});
  out.add("type", "hello");
  out.add("id", hello.id).add("key", hello.key_id).add("nonce", hello.nonce);
  return out.take();
}

std::string build_challenge(const Challenge& challenge) {
  std::string features = "[";
  for (const std::string& feature : challenge.features) {
    if (features.size() > 1) features += ',';
    features += json_string(feature);
  }
  return begin_welcome(challenge.head)
      .add("nonce", challenge.nonce)
      .add("salt", to_base64(challenge.salt))
      .add("iterations", static_cast<std::int64_t>(challenge.iterations))
      .add_json("features", features + "]")
      .take();
}

Result<std::optional<Challenge>> challenge_from(const Reply& reply) {
  if (reply.head.status != ReplyStatus::kOk || integer_member(reply.object, "protocol") != 2)
    return std::optional<Challenge>();
  Challenge challenge;
  challenge.head = reply.head;
  challenge.nonce = text_member(reply.object, "nonce");
  const auto salt = from_base64(text_member(reply.object, "salt"));
  const auto iterations = integer_member(reply.object, "iterations").value_or(0);
  if (challenge.nonce.empty() || challenge.nonce.size() > kMaxNonceText || !salt || salt->empty() ||
      iterations < 1 || iterations > kMaxIterations)
    return make_error("REPLY_INVALID",
                      "the daemon's challenge lacks a nonce, a salt or a number of iterations");
  challenge.salt = *salt;
  challenge.iterations = static_cast<std::uint32_t>(iterations);
  const auto features = reply.object.find("features");
  if (features != reply.object.end() && features->is_array()) {
    for (const Json& feature : *features)
      if (feature.is_string()) challenge.features.push_back(feature.get<std::string>());
  }
  return std::optional<Challenge>(std::move(challenge));
}

std::string unknown_key_salt(std::string_view secret, std::string_view key_id) {
  const Sha256Digest digest = hmac_sha256(secret, key_id);
  return {reinterpret_cast<const char*>(digest.data()), kSaltBytes};
}

std::string build_proof(std::string_view id, std::string_view proof) {
  JsonObjectText out;
  out.add("version", std::int64_t{2});
  out.add("type", "proof").add("id", id).add("proof", to_base64(proof));
  return out.take();
}

Result<std::string> parse_proof(std::string_view payload) {
  const Result<Json> object = parse_json(payload, {.max_bytes = kMaxUnauthenticatedPayload, .max_depth = 16});
  if (!object) return object.error();
  if (!object->is_object() || text_member(*object, "type") != "proof")
    return make_error("REQUEST_INVALID", "a proof was expected");
  auto proof = from_base64(text_member(*object, "proof"));
  if (!proof) return make_error("REQUEST_INVALID", "the proof is no base64");
  return std::move(*proof);
}

std::string build_welcome(const ReplyHead& head, std::string_view signature) {
  return begin_welcome(head).add("signature", to_base64(signature)).take();
}

std::optional<std::string> signature_from(const Reply& reply) {
  if (reply.head.status != ReplyStatus::kOk || integer_member(reply.object, "protocol") != 2)
    return std::nullopt;
  return from_base64(text_member(reply.object, "signature"));
}

}  // namespace hostclaw::hostlink::v2
