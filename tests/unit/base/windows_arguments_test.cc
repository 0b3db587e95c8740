// SPDX-License-Identifier: Apache-2.0
// Our quoting against models of the readers: the C runtime of Windows by its documented rules and by what
// other projects record about it, and the library of MSYS2 and Cygwin. The models are written from those
// descriptions, not from our quoting; on Windows itself `hostclaw selftest` asks the real ones.
#include "base/windows_arguments.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hostclaw {
namespace {

using Words = std::vector<std::string>;

bool is_gap(char c) { return c == ' ' || c == '\t'; }

// The C runtime (2008 and later): 2n backslashes before a quote are n of them, one more makes the quote
// itself, and two quotes inside of quotes are one.
Words read_as_runtime(const std::string& line) {
  Words words;
  for (std::size_t i = 0;;) {
    while (i < line.size() && is_gap(line[i])) ++i;
    if (i >= line.size()) return words;
    std::string word;
    bool quoted = false;
    while (i < line.size() && (quoted || !is_gap(line[i]))) {
      std::size_t backslashes = 0;
      while (i < line.size() && line[i] == '\\') ++backslashes, ++i;
      if (i >= line.size() || line[i] != '"') {
        word.append(backslashes, '\\');
        if (i < line.size() && (quoted || !is_gap(line[i]))) word += line[i++];
        continue;
      }
      word.append(backslashes / 2, '\\');
      if (backslashes % 2 != 0) {
        word += '"';
      } else if (quoted && i + 1 < line.size() && line[i + 1] == '"') {
        word += '"';
        ++i;
      } else {
        quoted = !quoted;
      }
      ++i;
    }
    words.push_back(word);
  }
}

// MSYS2 and Cygwin, started by a program of Windows: a word goes on through quotes of both kinds; then, where
// it has any of ? * [ " ' ( ) { } or begins with ~, what stands outside of quotes is a pattern and what
// stands inside is itself, with `\\` and a backslash before the quote as one. A word that begins with @
// outside of quotes is a file with arguments. Nothing where a pattern or a file would decide what arrives.
std::optional<Words> read_as_msys(const std::string& line) {
  Words words;
  for (std::size_t i = 0;;) {
    while (i < line.size() && (is_gap(line[i]) || line[i] == '\n' || line[i] == '\r')) ++i;
    if (i >= line.size()) return words;
    std::string word;
    if (line[i] == '@' || line[i] == '~') return std::nullopt;
    while (i < line.size() && !is_gap(line[i]) && line[i] != '\n' && line[i] != '\r') {
      const char c = line[i];
      if (c != '"' && c != '\'') {
        if (std::string_view("?*[](){}").find(c) != std::string_view::npos) return std::nullopt;
        word += c;
        ++i;
        continue;
      }
      for (++i; i < line.size() && line[i] != c; ++i) {
        if (line[i] == '\\' && i + 1 < line.size() && (line[i + 1] == c || line[i + 1] == '\\')) ++i;
        word += line[i];
      }
      if (i >= line.size()) return std::nullopt;
      ++i;
    }
    words.push_back(word);
  }
}

std::string line_of(const Words& words, std::string (*quote)(std::string_view)) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + quote(word);
  return line;
}

TEST_CASE("the model of the C runtime reads the public examples as they are published") {
  // Microsoft's table of how the arguments of a C program are parsed.
  CHECK(read_as_runtime(R"("abc" d e)") == Words{"abc", "d", "e"});
  CHECK(read_as_runtime(R"(a\\b d"e f"g h)") == Words{R"(a\\b)", "de fg", "h"});
  CHECK(read_as_runtime(R"(a\\\"b c d)") == Words{R"(a\"b)", "c", "d"});
  CHECK(read_as_runtime(R"(a\\\\"b c" d e)") == Words{R"(a\\b c)", "d", "e"});
  CHECK(read_as_runtime(R"(a"b"" c d)") == Words{R"(ab" c d)"});
  // Corners that tests of other languages' runtimes and of Wine look at.
  CHECK(read_as_runtime(R"("" "" x)") == Words{"", "", "x"});
  CHECK(read_as_runtime(R"("a\\" b)") == Words{R"(a\)", "b"});
  CHECK(read_as_runtime("a\tb") == Words{"a", "b"});
  CHECK(read_as_runtime(R"(\\server\share "c:\dir name\\")") ==
        Words{R"(\\server\share)", R"(c:\dir name\)"});
}

TEST_CASE("the model of MSYS2 does with quotes and patterns what its tools do") {
  CHECK(read_as_msys(R"(plain "two words")") == Words{"plain", "two words"});
  CHECK(read_as_msys(R"(it's' x)") == Words{"its", "x"});
  CHECK(read_as_msys(R"("a\\\\b" "q\"q")") == Words{R"(a\\b)", R"(q"q)"});
  CHECK(read_as_msys(R"("a\b")") == Words{R"(a\b)"});
  CHECK_FALSE(read_as_msys("*.txt"));
  CHECK_FALSE(read_as_msys("@file"));
  CHECK_FALSE(read_as_msys("~"));
  CHECK_FALSE(read_as_msys("{a,b}"));
  CHECK(read_as_msys(R"("*.txt" "@file" "~" "{a,b}")") == Words{"*.txt", "@file", "~", "{a,b}"});
}

TEST_CASE("what the usual spelling would do to a tool of MSYS2 is why it has its own") {
  CHECK(read_as_msys(quoted_windows_argument("it's")) != Words{"it's"});
  CHECK(read_as_msys(quoted_windows_argument("*.txt")) != Words{"*.txt"});
  CHECK(read_as_msys(quoted_windows_argument("a\\\\b c")) != Words{"a\\\\b c"});
}

TEST_CASE("made-up arguments arrive byte for byte, whoever reads the line") {
  std::uint32_t state = 4711;
  const auto random = [&state](std::uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  // Mostly what has a meaning for one of the readers.
  const std::string alphabet = "\\\\\\\"\"'' \t\n*?[]{}()~@!^&|<>%$ab,\xC3\xBC";
  for (int round = 0; round < 50'000; ++round) {
    Words words;
    for (std::uint32_t count = 1 + random(4); count > 0; --count) {
      std::string word;
      for (std::uint32_t length = random(10); length > 0; --length)
        word += alphabet[random(static_cast<std::uint32_t>(alphabet.size()))];
      words.push_back(std::move(word));
    }
    REQUIRE(read_as_runtime(line_of(words, quoted_windows_argument)) == words);
    REQUIRE(read_as_msys(line_of(words, quoted_msys_argument)) == words);
  }
}

}  // namespace
}  // namespace hostclaw
