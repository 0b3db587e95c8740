// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <cstdint>
#include <cstdio>

#include <cstdint>
#include <cstring>

namespace hostclaw {
namespace {

struct Step {
  std::size_t length;  // bytes consumed, at least 1
  bool valid;
  bool astral;
};

// Reads one character or one maximal ill-formed subsequence (Unicode 15, table 3-7).
Step step(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0x100U;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return {1, true, false};
  unsigned low = 0x80;
  unsigned high = 0xBF;
  std::size_t extra = 0;
  if (first >= 0xC2 && first <= 0xDF) {
    extra = 1;
  } else if (first >= 0xE0 && first <= 0xEF) {
    extra = 2;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    extra = 3;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return {1, false, false};
  }
  for (std::size_t i = 1; i <= extra; ++i) {
    const unsigned next = byte(i);
    if (next < low || next > high) return {i, false, false};
    low = 0x80;
    high = 0xBF;
  }
  return {extra + 1, true, extra == 3};
}

constexpr std::size_t kStride = 8;

// Whether the eight bytes from here are ASCII.
bool ascii_stride(const char* eight) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, eight, sizeof bytes);
  return (bytes & 0x8080808080808080U) == 0;
}

// Where the run of ASCII that begins at `at` ends; eight bytes at a time, because output is mostly that.
std::size_t ascii_end(std::string_view text, std::size_t at) {
  while (at + kStride <= text.size() && ascii_stride(text.data() + at)) at += kStride;
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

bool is_ascii(std::string_view text) { return ascii_end(text, 0) == text.size(); }

bool is_valid_utf8(std::string_view text) {
  for (std::size_t at = 0; (at = ascii_end(text, at)) < text.size();) {
    const Step s = step(text, at);
    if (!s.valid) return false;
    at += s.length;
  }
  return true;
}

std::string to_valid_utf8(std::string_view bytes, std::size_t* replaced) {
  std::string out;
  out.reserve(bytes.size());
  std::size_t count = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t ascii = ascii_end(bytes, at) - at;
    out.append(bytes, at, ascii);
    at += ascii;
    if (at == bytes.size()) break;
    const Step s = step(bytes, at);
    if (s.valid) {
      out.append(bytes.substr(at, s.length));
    } else {
      out.append("\xEF\xBF\xBD");
      ++count;
    }
    at += s.length;
  }
  if (replaced != nullptr) *replaced = count;
  return out;
}

std::size_t utf16_length(std::string_view text) {
  std::size_t units = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t ascii = ascii_end(text, at) - at;
    units += ascii;
    at += ascii;
    if (at == text.size()) break;
    const Step s = step(text, at);
    units += s.astral ? 2 : 1;
    at += s.length;
  }
  return units;
}

std::string_view utf16_suffix(std::string_view text, std::size_t max_units) {
  // Backwards, so that the cost is that of what is kept.
  std::size_t begin = text.size();
  std::size_t units = 0;
  while (begin > 0) {
    // Eight ASCII bytes at once while there is room for all of them.
    if (begin >= kStride && units + kStride <= max_units && ascii_stride(text.data() + begin - kStride)) {
      begin -= kStride;
      units += kStride;
      continue;
    }
    std::size_t at = begin - 1;
    for (int back = 0; back < 3 && at > 0 && continues(text[at]); ++back) --at;
    units += begin - at == 4 ? 2 : 1;
    if (units > max_units) break;
    begin = at;
  }
  return text.substr(begin);
}

std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  std::size_t end = max_bytes;
  for (int back = 0; back < 3 && end > 0 && continues(text[end]); ++back) --end;
  return text.substr(0, end);
}

namespace {

bool is_control(std::uint32_t code) { return code < 0x20 || (code >= 0x7F && code < 0xA0); }

bool is_hidden(std::uint32_t code) {
  return code == 0xAD || code == 0x61C || (code >= 0x115F && code <= 0x1160) || code == 0x180E ||
         (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x206F) || code == 0x3164 || code == 0xFEFF || code == 0xFFA0 ||
         (code >= 0xFFF9 && code <= 0xFFFB) || (code >= 0xE0000 && code <= 0xE007F);
}

void append_json_escape(std::string& out, std::uint32_t unit) {
  char escaped[16];
  std::snprintf(escaped, sizeof escaped, "\\u%04x", unit);
  out += escaped;
}

void append_unseen(std::string& out, std::uint32_t code, UnseenForm form) {
  if (form == UnseenForm::kText) {
    char escaped[16];
    std::snprintf(escaped, sizeof escaped, "\\u{%x}", code);
    out += escaped;
  } else if (code < 0x10000) {
    append_json_escape(out, code);
  } else {
    append_json_escape(out, 0xD800 + ((code - 0x10000) >> 10));
    append_json_escape(out, 0xDC00 + ((code - 0x10000) & 0x3FF));
  }
}

}  // namespace

std::size_t incomplete_utf8_tail(std::string_view bytes) {
  const std::size_t longest = std::min<std::size_t>(bytes.size(), 3);
  for (std::size_t back = 1; back <= longest; ++back) {
    if (continues(bytes[bytes.size() - back])) continue;
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1;
    if (byte > 0xF4 || length <= back) return 0;
    std::size_t replaced = 0;
    to_valid_utf8(bytes.substr(bytes.size() - back), &replaced);
    return replaced == 1 ? back : 0;
  }
  return 0;
}

std::string show_unseen(std::string_view text, UnseenForm form) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    std::uint32_t code = length == 1 ? first : first & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length && at + i < text.size(); ++i)
      code = code << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
    // The line breaks of a JSON text are its own; inside its strings they are escaped already.
    const bool leave = form == UnseenForm::kJson && code < 0x20;
    if (!leave && (is_control(code) || is_hidden(code))) {
      append_unseen(out, code, form);
    } else {
      out.append(text, at, length);
    }
    at += length;
  }
  return out;
}

}  // namespace hostclaw
