// SPDX-License-Identifier: Apache-2.0
// Identifiers and secrets of the development gateway. Safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace hostclaw::devgateway {

std::string new_uuid();
std::string new_token(std::size_t bytes = 32);  // base64url: 32 bytes are 43 characters, 16 are 22
std::int64_t wall_clock_ms();

}  // namespace hostclaw::devgateway
