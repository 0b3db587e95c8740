// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) over OpenSSL. Safe from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace hostclaw {

using Sha256Digest = std::array<std::uint8_t, 32>;

Sha256Digest sha256(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);  // 64 lower-case digits

// Incremental form for files.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(std::string_view bytes);
  std::string hex();  // finishes; call once

 private:
  void* context_;
};

}  // namespace hostclaw
