// SPDX-License-Identifier: Apache-2.0
// The key by which a relay signs the cards of its agents, so that a card can be told from one that somebody
// on the way has changed: ES256 (P-256), `clawlink-card-key.pem` in the state directory, 0600. Thread rule:
// any.
//
// Source: a2a contract, section 2, "Signatures"; RFC 7515 (JWS), RFC 7517 (JWK), RFC 7638 (the key's name),
// RFC 8785 (the text that is signed).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace hostclaw::clawlink {

class CardKey {
 public:
  // The one in `directory`, which is made when there is none. CARD_KEY_INVALID, STORE_*.
  static Result<CardKey> open(const std::string& directory);

  const std::string& key_id() const { return key_id_; }
  // {"keys": [...]}: what whoever checks a signature asks for.
  Json key_set() const;
  // Raw r and s, 64 bytes. One signature costs about 30 µs. CARD_KEY_INVALID.
  Result<std::string> sign(std::string_view bytes) const;

 private:
  std::shared_ptr<void> key_;  // EVP_PKEY
  Json public_key_;
  std::string key_id_;
};

// The card with its signatures in it. Two, where the specification and the official SDK do not agree about
// what is signed: the SDK leaves out every empty member, the specification only those that its schema lets
// go. Who checks by either finds one. `key_set_url`: where key_set() is served. CARD_KEY_INVALID.
Result<Json> signed_card(const CardKey& key, Json card, const std::string& key_set_url);

// The texts that are signed, without `signatures`; for tests.
std::string signed_text_of_specification(Json card);
std::string signed_text_of_sdk(Json card);

}  // namespace hostclaw::clawlink
