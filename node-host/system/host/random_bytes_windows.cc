// SPDX-License-Identifier: Apache-2.0
#include <windows.h>
// After windows.h.
#include <bcrypt.h>

#include <stdexcept>

#include "node-host/system/host/random_bytes.h"

namespace hostclaw::node_host {

void fill_random(std::span<std::uint8_t> bytes) {
  const auto size = static_cast<ULONG>(bytes.size());
  // Without randomness no name is secret: an invariant, not an error to go on with.
  if (::BCryptGenRandom(nullptr, bytes.data(), size, BCRYPT_USE_SYSTEM_PREFERRED_RNG) != 0)
    throw std::runtime_error("no random source");
}

}  // namespace hostclaw::node_host
