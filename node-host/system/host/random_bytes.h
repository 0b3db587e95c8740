// SPDX-License-Identifier: Apache-2.0
// Random bytes from the kernel, for names that nobody can guess. Safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace hostclaw::node_host {

// Requires: at most 256 bytes.
void fill_random(std::span<std::uint8_t> bytes);

// The same as a text of `count` bytes.
inline std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  fill_random(std::span(reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()));
  return bytes;
}

}  // namespace hostclaw::node_host
