// SPDX-License-Identifier: Apache-2.0
// Standard base64 with padding (RFC 4648 section 4), as protocol 1 carries files. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hostclaw::hostlink {

std::string to_base64(std::string_view bytes);
inline std::size_t base64_size(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

// Nothing when the length is no multiple of four, a character is outside of the alphabet, or padding is
// elsewhere than at the end. Bits behind the last byte are not looked at: peers differ there.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace hostclaw::hostlink
