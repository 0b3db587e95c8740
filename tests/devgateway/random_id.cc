// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/random_id.h"

#include <openssl/rand.h>

#include <chrono>
#include <cstdlib>
#include <vector>

#include "base/text.h"

namespace hostclaw::devgateway {
namespace {

std::vector<std::uint8_t> random_bytes(std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  if (RAND_bytes(bytes.data(), static_cast<int>(count)) != 1) std::abort();
  return bytes;
}

}  // namespace

std::string new_uuid() {
  std::vector<std::uint8_t> bytes = random_bytes(16);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);
  std::string hex = to_hex(bytes);
  for (const std::size_t position : {20, 16, 12, 8}) hex.insert(position, 1, '-');
  return hex;
}

std::string new_token(std::size_t bytes) { return to_base64url(random_bytes(bytes)); }

std::int64_t wall_clock_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace hostclaw::devgateway
