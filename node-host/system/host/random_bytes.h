// SPDX-License-Identifier: Apache-2.0
// Random bytes from the kernel, for names that nobody can guess. Safe from any thread.
#pragma once

#include <cstdint>
#include <span>

namespace hostclaw::node_host {

// Requires: at most 256 bytes.
void fill_random(std::span<std::uint8_t> bytes);

}  // namespace hostclaw::node_host
