// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/host/random_bytes.h"

#include <sys/random.h>

#include <cerrno>

namespace hostclaw::node_host {

void fill_random(std::span<std::uint8_t> bytes) {
  // Blocks only before the kernel's generator is seeded; a shorter read cannot happen up to 256 bytes.
  while (::getrandom(bytes.data(), bytes.size(), 0) < 0 && errno == EINTR) {
  }
}

}  // namespace hostclaw::node_host
