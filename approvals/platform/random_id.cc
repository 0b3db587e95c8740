// SPDX-License-Identifier: Apache-2.0
#include "approvals/platform/random_id.h"

#include <openssl/rand.h>

#include <array>
#include <cstdint>
#include <cstdlib>

#include "base/text.h"

namespace hostclaw::approvals {

std::string new_uuid() {
  std::array<std::uint8_t, 16> bytes{};
  // Without randomness no id would be safe to hand out, and nothing else in this process would work either.
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) std::abort();
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);
  std::string text = to_hex(bytes);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  return text;
}

}  // namespace hostclaw::approvals
