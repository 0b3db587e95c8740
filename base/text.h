// SPDX-License-Identifier: Apache-2.0
// Small text helpers shared by every room. Pure functions, safe from any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
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
inline bool is_blank(char c) { return c == ' ' || c == '\t'; }
inline bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_ascii_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

// Whether the text is one of these words, byte for byte.
inline bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}
inline bool is_one_of(std::string_view text, std::span<const std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// Lower-case hexadecimal.
std::string to_hex(std::span<const std::uint8_t> bytes);
inline std::string to_hex(std::string_view bytes) {
  return to_hex(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}
std::optional<std::vector<std::uint8_t>> from_hex(std::string_view text);

// RFC 4648 section 5, no padding. Decoding accepts optional padding and both alphabets.
std::string to_base64url(std::span<const std::uint8_t> bytes);
std::optional<std::vector<std::uint8_t>> from_base64url(std::string_view text);

std::vector<std::string> split(std::string_view text, char separator);
// The words of a list such as "a, b,,c": without white space around them, none empty.
std::vector<std::string> comma_list(std::string_view text);
std::string join(std::span<const std::string> parts, std::string_view separator);

// Compares without leaking the position of the first difference through time.
bool equal_constant_time(std::string_view left, std::string_view right);

}  // namespace hostclaw
