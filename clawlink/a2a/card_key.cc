// SPDX-License-Identifier: Apache-2.0
#include "clawlink/a2a/card_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <span>
#include <utility>

#include "approvals/platform/private_files.h"
#include "base/sha256.h"
#include "base/text.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::size_t kCoordinateBytes = 32;

struct FreeOpenSsl {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(BIO* memory) const { BIO_free(memory); }
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};
template <class T>
using OpenSsl = std::unique_ptr<T, FreeOpenSsl>;

std::string base64url(std::string_view bytes) {
  return to_base64url({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

std::string fixed_size(const BIGNUM* number) {
  std::array<unsigned char, kCoordinateBytes> bytes{};
  if (number == nullptr || BN_bn2binpad(number, bytes.data(), kCoordinateBytes) != kCoordinateBytes)
    return {};
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string coordinate(const EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) return {};
  const OpenSsl<BIGNUM> owned(number);
  return fixed_size(number);
}

std::string new_key_text() {
  std::string curve = "P-256";
  const OpenSsl<EVP_PKEY> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve.data()));
  const OpenSsl<BIO> memory(BIO_new(BIO_s_mem()));
  if (!key || !memory ||
      PEM_write_bio_PrivateKey(memory.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

int no_pass_phrase(char*, int, int, void*) { return 0; }

Error invalid_key(const std::string& path) {
  return make_error("CARD_KEY_INVALID", path + " holds no key of P-256 by which cards are signed",
                    approvals::command_to_rename(path, path + ".old") + " (the relay makes a new one)");
}

// Members that are empty, and what is empty without them, go.
bool drop_empty(Json& value) {
  if (value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty())) return true;
  if (!value.is_structured()) return false;
  for (auto member = value.begin(); member != value.end();) {
    if (drop_empty(*member)) {
      member = value.erase(member);
    } else {
      ++member;
    }
  }
  return value.empty();
}

Result<Json> signature_of(const CardKey& key, const std::string& text, const std::string& key_set_url) {
  const std::string header = base64url(
      dump_json(Json{{"alg", "ES256"}, {"typ", "JOSE"}, {"kid", key.key_id()}, {"jku", key_set_url}}));
  const Result<std::string> signature = key.sign(header + "." + base64url(text));
  if (!signature) return signature.error();
  return Json{{"protected", header}, {"signature", base64url(*signature)}};
}

}  // namespace

Result<CardKey> CardKey::open(const std::string& directory) {
  const std::string path = directory + "/clawlink-card-key.pem";
  if (!approvals::file_exists(path)) {
    const std::string text = new_key_text();
    if (text.empty()) return make_error("CARD_KEY_INVALID", "no key could be made by which cards are signed");
    if (Result<void> made = approvals::create_private_file(path, text); !made) return made.error();
  }
  if (Result<void> ours = approvals::check_private_file(path); !ours) return ours.error();
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const OpenSsl<BIO> memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  CardKey key;
  key.key_ = std::shared_ptr<void>(PEM_read_bio_PrivateKey(memory.get(), nullptr, no_pass_phrase, nullptr),
                                   [](void* p) { EVP_PKEY_free(static_cast<EVP_PKEY*>(p)); });
  const auto* const native = static_cast<const EVP_PKEY*>(key.key_.get());
  std::array<char, 64> curve{};
  std::size_t length = 0;
  if (native == nullptr || EVP_PKEY_is_a(native, "EC") != 1 ||
      EVP_PKEY_get_group_name(native, curve.data(), curve.size(), &length) != 1 ||
      std::string_view(curve.data(), length) != "prime256v1")
    return invalid_key(path);
  const std::string x = coordinate(native, OSSL_PKEY_PARAM_EC_PUB_X);
  const std::string y = coordinate(native, OSSL_PKEY_PARAM_EC_PUB_Y);
  if (x.empty() || y.empty()) return invalid_key(path);
  key.public_key_ = {{"crv", "P-256"}, {"kty", "EC"}, {"x", base64url(x)}, {"y", base64url(y)}};
  key.key_id_ = to_base64url(sha256(dump_json(key.public_key_)));
  return key;
}

Json CardKey::key_set() const {
  Json key = public_key_;
  key["kid"] = key_id_;
  key["alg"] = "ES256";
  key["use"] = "sig";
  return {{"keys", Json::array({std::move(key)})}};
}

Result<std::string> CardKey::sign(std::string_view bytes) const {
  const OpenSsl<EVP_MD_CTX> context(EVP_MD_CTX_new());
  std::array<unsigned char, 80> der{};  // ASN.1 of two numbers of 32 bytes
  std::size_t size = der.size();
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, static_cast<EVP_PKEY*>(key_.get())) !=
          1 ||
      EVP_DigestSign(context.get(), der.data(), &size, reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size()) != 1)
    return make_error("CARD_KEY_INVALID", "a card could not be signed");
  const unsigned char* at = der.data();
  const OpenSsl<ECDSA_SIG> signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  if (!signature) return make_error("CARD_KEY_INVALID", "a card could not be signed");
  return fixed_size(ECDSA_SIG_get0_r(signature.get())) + fixed_size(ECDSA_SIG_get0_s(signature.get()));
}

std::string signed_text_of_specification(Json card) {
  card.erase("signatures");
  // Of all that a card of this relay has, only a list of scopes is empty and may go.
  if (const auto requirements = card.find("securityRequirements"); requirements != card.end()) {
    for (Json& requirement : *requirements) {
      for (Json& scheme : requirement["schemes"]) {
        if (scheme.contains("list") && scheme["list"].empty()) scheme.erase("list");
      }
    }
  }
  return dump_json(card);
}

std::string signed_text_of_sdk(Json card) {
  card.erase("signatures");
  drop_empty(card);
  return dump_json(card);
}

Result<Json> signed_card(const CardKey& key, Json card, const std::string& key_set_url) {
  const std::string text = signed_text_of_specification(card);
  const std::string other = signed_text_of_sdk(card);
  Json signatures = Json::array();
  for (const std::string& one : {text, other}) {
    if (!signatures.empty() && other == text) break;
    Result<Json> signature = signature_of(key, one, key_set_url);
    if (!signature) return signature.error();
    signatures.push_back(std::move(*signature));
  }
  card["signatures"] = std::move(signatures);
  return card;
}

}  // namespace hostclaw::clawlink
