// SPDX-License-Identifier: Apache-2.0
// UTF-8 without surprises. Pure functions, safe from any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hostclaw {

// True when the whole text is well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF).
bool is_valid_utf8(std::string_view text);
bool is_ascii(std::string_view text);

// Replaces each maximal ill-formed subsequence by U+FFFD, as the WHATWG decoder does.
// `replaced`, when given, receives the number of replacements.
std::string to_valid_utf8(std::string_view bytes, std::size_t* replaced = nullptr);

// Number of UTF-16 code units the text would have; ill-formed bytes count as one each.
std::size_t utf16_length(std::string_view text);

// The last `max_units` UTF-16 code units of a well-formed text, never splitting a character.
std::string_view utf16_suffix(std::string_view text, std::size_t max_units);

// The longest prefix of at most `max_bytes` bytes that does not end inside a character.
std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes);

// How many bytes at the end begin a character without finishing it: a prefix that could still become one.
std::size_t incomplete_utf8_tail(std::string_view bytes);

// What a terminal would obey, hide or draw elsewhere, made visible: control characters (C0, DEL, C1),
// bidirectional and zero-width ones, fillers that look like nothing. Requires: well-formed UTF-8.
enum class UnseenForm {
  kText,  // as \u{9b}
  kJson,  // of a JSON text: as \u009b, which means the same there; what JSON escapes itself is left alone
};
std::string show_unseen(std::string_view text, UnseenForm form = UnseenForm::kText);

}  // namespace hostclaw
