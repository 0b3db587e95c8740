// Small text helpers shared by every room. Pure functions, safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hostclaw {

// Removes leading and trailing white space as ECMAScript String.prototype.trim does (Unicode Zs, BOM and
// line terminators included). The peers compare trimmed strings, so the set of characters matters.
std::string_view trim(std::string_view text);

// Lower-cases ASCII A-Z only; every other byte is kept.
std::string to_lower_ascii(std::string_view text);
std::string to_upper_ascii(std::string_view text);

// Lower-case hexadecimal.
std::string to_hex(std::span<const std::uint8_t> bytes);
std::optional<std::vector<std::uint8_t>> from_hex(std::string_view text);

// RFC 4648 section 5, no padding. Decoding accepts optional padding and both alphabets.
std::string to_base64url(std::span<const std::uint8_t> bytes);
std::optional<std::vector<std::uint8_t>> from_base64url(std::string_view text);

std::vector<std::string> split(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);

// Compares without leaking the position of the first difference through time.
bool equal_constant_time(std::string_view left, std::string_view right);

}  // namespace hostclaw
