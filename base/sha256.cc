// SPDX-License-Identifier: Apache-2.0
// The library's plain functions, which it calls deprecated: behind its newer interface stand its providers,
// which are 3 MB of a static program and some hundred microseconds of every start. Both have the same code
// for the digest itself.
#include "base/sha256.h"

#include <openssl/sha.h>

#include "base/text.h"

namespace hostclaw {

Sha256Digest sha256(std::string_view bytes) {
  Sha256Digest digest{};
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(digest.data(), &context);
  return digest;
}

std::string sha256_hex(std::string_view bytes) { return to_hex(sha256(bytes)); }

Sha256::Sha256() : context_(new SHA256_CTX) { SHA256_Init(static_cast<SHA256_CTX*>(context_)); }

Sha256::~Sha256() { delete static_cast<SHA256_CTX*>(context_); }

void Sha256::update(std::string_view bytes) {
  SHA256_Update(static_cast<SHA256_CTX*>(context_), bytes.data(), bytes.size());
}

std::string Sha256::hex() {
  Sha256Digest digest{};
  SHA256_Final(digest.data(), static_cast<SHA256_CTX*>(context_));
  return to_hex(digest);
}

}  // namespace hostclaw
