// SPDX-License-Identifier: Apache-2.0
#include "approvals/shown/shown_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

#include "base/sha256.h"
#include "base/utf8.h"

namespace hostclaw::approvals {
namespace {

constexpr std::size_t kHashDigits = 32;

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

template <std::size_t N>
bool is_in(std::uint32_t code, const std::array<Range, N>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const Range& range) { return code >= range.first && code <= range.last; });
}

// Never shown as they are: they hide, reorder, combine with what stands before, or look like ASCII.
constexpr std::array kAlwaysEscaped = {
    Range{0x0000, 0x001F}, Range{0x007F, 0x00A0}, Range{0x00AD, 0x00AD},   Range{0x00B4, 0x00B8},
    Range{0x0131, 0x0131}, Range{0x01C0, 0x01C3}, Range{0x0237, 0x0237},   Range{0x0250, 0x036F},
    Range{0x037E, 0x037E}, Range{0x0483, 0x0489}, Range{0x0559, 0x055F},   Range{0x0589, 0x058A},
    Range{0x05BE, 0x05C7}, Range{0x05F3, 0x05F4}, Range{0x0600, 0x061C},   Range{0x064B, 0x065F},
    Range{0x06D4, 0x06ED}, Range{0x115F, 0x1160}, Range{0x13A0, 0x13FD},   Range{0x1680, 0x1680},
    Range{0x1780, 0x17FF}, Range{0x180B, 0x180F}, Range{0x1AB0, 0x1AFF},   Range{0x1D00, 0x1DFF},
    Range{0x2000, 0x20FF}, Range{0x2100, 0x218F}, Range{0x2190, 0x2BFF},   Range{0x2C60, 0x2C7F},
    Range{0x2C80, 0x2CFF}, Range{0x2E00, 0x2E7F}, Range{0x3000, 0x3004},   Range{0x3008, 0x3020},
    Range{0x3030, 0x303F}, Range{0x3164, 0x3164}, Range{0xA4D0, 0xA4FF},   Range{0xA640, 0xA69F},
    Range{0xA700, 0xA7FF}, Range{0xAB30, 0xAB6F}, Range{0xD800, 0xF8FF},   Range{0xFB00, 0xFB1C},
    Range{0xFE00, 0xFE6F}, Range{0xFEFF, 0xFFFF}, Range{0x10000, 0x1FFFF}, Range{0xE0000, 0x10FFFF}};

// Cyrillic, Greek and Armenian letters that look like Latin ones: escaped where the word could be read as
// Latin.
constexpr std::array<std::uint32_t, 73> kLatinLookalikes = {
    0x0391, 0x0392, 0x0395, 0x0396, 0x0397, 0x0399, 0x039A, 0x039C, 0x039D, 0x039F, 0x03A1, 0x03A4, 0x03A5,
    0x03A7, 0x03B1, 0x03B3, 0x03B9, 0x03BA, 0x03BD, 0x03BF, 0x03C1, 0x03C4, 0x03C5, 0x03C7, 0x03F2, 0x03F3,
    0x0405, 0x0406, 0x0408, 0x0410, 0x0412, 0x0415, 0x041A, 0x041C, 0x041D, 0x041E, 0x0420, 0x0421, 0x0422,
    0x0423, 0x0425, 0x0430, 0x0433, 0x0435, 0x0437, 0x043A, 0x043E, 0x0440, 0x0441, 0x0443, 0x0445, 0x0455,
    0x0456, 0x0458, 0x0475, 0x04AE, 0x04AF, 0x04BB, 0x04C0, 0x04CF, 0x0501, 0x050D, 0x051A, 0x051B, 0x051C,
    0x051D, 0x054D, 0x0555, 0x0570, 0x0578, 0x057D, 0x0581, 0x0585};

bool is_lookalike(std::uint32_t code) {
  return std::binary_search(kLatinLookalikes.begin(), kLatinLookalikes.end(), code);
}

struct Character {
  std::uint32_t code = 0;
  std::size_t begin = 0;
  std::size_t length = 1;
  bool valid = true;
};

// The characters of bytes that may not be UTF-8; each wrong byte is one of its own.
std::vector<Character> characters_of(std::string_view bytes) {
  std::vector<Character> out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const auto first = static_cast<unsigned char>(bytes[at]);
    const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    Character character{first, at, 1, first < 0x80};
    if (first >= 0x80 && at + length <= bytes.size() && is_valid_utf8(bytes.substr(at, length))) {
      character.code = first & (0xFFU >> (length + 1));
      for (std::size_t i = 1; i < length; ++i)
        character.code = character.code << 6 | (static_cast<unsigned char>(bytes[at + i]) & 0x3FU);
      character.length = length;
      character.valid = true;
    }
    out.push_back(character);
    at += character.length;
  }
  return out;
}

bool is_bare(std::string_view word) {
  constexpr std::string_view kPlain = "@%+=:,./_-";
  return !word.empty() && std::all_of(word.begin(), word.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kPlain.find(c) != std::string_view::npos;
  });
}

std::string hex_of(std::uint32_t value) {
  char text[12];
  std::snprintf(text, sizeof text, "%02x", value);
  return text;
}

std::string quoted(std::string_view word) {
  const std::vector<Character> characters = characters_of(word);
  bool latin = false;
  bool others = false;  // letters that cannot be taken for Latin ones
  for (const Character& character : characters) {
    const std::uint32_t code = character.code;
    latin = latin || (code < 0x80 && ((code | 0x20) >= 'a' && (code | 0x20) <= 'z'));
    others = others || (character.valid && code >= 0x80 && !is_lookalike(code));
  }
  std::string out = "\"";
  for (const Character& character : characters) {
    const std::uint32_t code = character.code;
    if (!character.valid) {
      out += "\\x" + hex_of(code);
    } else if (code == '"' || code == '\\') {
      out += '\\';
      out += static_cast<char>(code);
    } else if (code == '\n' || code == '\r' || code == '\t') {
      out += code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t";
    } else if (is_in(code, kAlwaysEscaped) || (is_lookalike(code) && (latin || !others))) {
      out += "\\u{" + hex_of(code) + "}";
    } else {
      out.append(word, character.begin, character.length);
    }
  }
  return out + "\"";
}

std::string bytes_and_hash(std::string_view bytes) {
  return std::to_string(bytes.size()) + " bytes, sha256 " + sha256_hex(bytes).substr(0, kHashDigits);
}

std::string_view tail_of(std::string_view text, std::size_t bytes) {
  std::size_t begin = text.size() - bytes;
  while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80) ++begin;
  return text.substr(begin);
}

std::string preimage_of(const std::vector<std::string>& argv) {
  std::string out = "hostclaw-argv-v1\n";
  for (const std::string& word : argv) {
    out += std::to_string(word.size());
    out += ':';
    out += word;
  }
  return out;
}

}  // namespace

std::string shown_word(std::string_view word, std::size_t limit) {
  if (word.size() <= limit) return is_bare(word) ? std::string(word) : quoted(word);
  // Brackets are never bare, so nothing else can look like this.
  return quoted(utf8_prefix(word, limit * 3 / 4)) + "...[" + bytes_and_hash(word) + "]..." +
         quoted(tail_of(word, limit / 4));
}

std::string shown_command(const std::vector<std::string>& argv, const ShownLimits& limits) {
  std::string out;
  const bool all = argv.size() <= limits.words;
  const std::size_t head = all ? argv.size() : limits.words * 3 / 4;
  const std::size_t tail = all ? argv.size() : argv.size() - (limits.words - head);
  for (std::size_t i = 0; i < argv.size(); ++i) {
    if (i > 0) out += ' ';
    if (i == head && !all) {
      out += "[" + std::to_string(argv.size()) + " words, sha256 " +
             sha256_hex(preimage_of(argv)).substr(0, kHashDigits) + "] ";
      i = tail;
    }
    out += shown_word(argv[i], limits.word_bytes);
  }
  return out;
}

std::vector<std::string> bounded_words(const std::vector<std::string>& argv, const ShownLimits& limits) {
  std::vector<std::string> out;
  const bool all = argv.size() <= limits.words;
  const std::size_t head = all ? argv.size() : limits.words * 3 / 4;
  const std::size_t tail = all ? argv.size() : argv.size() - (limits.words - head);
  for (std::size_t i = 0; i < argv.size(); ++i) {
    if (i == head && !all) {
      out.push_back("...[" + std::to_string(tail - head) + " words left out]...");
      i = tail;
    }
    const std::string& word = argv[i];
    if (word.size() <= limits.word_bytes) {
      out.push_back(word);
    } else {
      out.push_back(std::string(utf8_prefix(word, limits.word_bytes * 3 / 4)) + "...[" +
                    bytes_and_hash(word) + "]..." + std::string(tail_of(word, limits.word_bytes / 4)));
    }
  }
  return out;
}

std::string argv_hash(const std::vector<std::string>& argv, std::string_view key) {
  const std::string preimage = preimage_of(argv);
  if (key.empty()) return "sha256:" + sha256_hex(preimage);
  const std::string inner = sha256_hex(std::string(key) + "inner" + preimage);
  return "keyed-sha256:" + sha256_hex(std::string(key) + "outer" + inner);
}

}  // namespace hostclaw::approvals
