// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <chrono>

#include "policy/document/glob.h"

namespace hostclaw::policy {
namespace {

// The obvious reading of the grammar, exponential in the worst case.
bool slow_match(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.starts_with("**")) {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (slow_match(pattern.substr(2), text.substr(i))) return true;
    }
    return false;
  }
  if (pattern[0] == '*') {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (slow_match(pattern.substr(1), text.substr(i))) return true;
      if (i < text.size() && text[i] == '/') return false;
    }
    return false;
  }
  if (text.empty()) return false;
  if (pattern[0] == '?') return text[0] != '/' && slow_match(pattern.substr(1), text.substr(1));
  return pattern[0] == text[0] && slow_match(pattern.substr(1), text.substr(1));
}

std::vector<std::string> all_strings(std::string_view alphabet, std::size_t length) {
  std::vector<std::string> out = {""};
  for (std::size_t begin = 0, size = 1; size <= length; ++size) {
    const std::size_t end = out.size();
    for (; begin < end; ++begin) {
      for (const char c : alphabet) out.push_back(out[begin] + c);
    }
  }
  return out;
}

TEST_CASE("glob: agrees with the slow reading on all short patterns and subjects") {
  const std::vector<std::string> subjects = all_strings("a/", 5);
  int compared = 0;
  for (const std::string& pattern : all_strings("a/*?", 5)) {
    const Glob glob(pattern);
    for (const std::string& subject : subjects) {
      ++compared;
      if (glob.matches(subject) != slow_match(pattern, subject)) {
        FAIL("pattern " << pattern << " subject " << subject);
      }
    }
  }
  CHECK(compared > 80000);
}

TEST_CASE("glob: other characters are literal") {
  CHECK(Glob("/a/[ab]").matches("/a/[ab]"));
  CHECK_FALSE(Glob("/a/[ab]").matches("/a/a"));
  CHECK_FALSE(Glob("/a/{x,y}").matches("/a/x"));
  CHECK(Glob("/a/\\*").matches("/a/\\b"));
}

TEST_CASE("glob: a question mark is one UTF-16 code unit") {
  CHECK(Glob("/?").matches("/\xC3\xA9"));
  CHECK_FALSE(Glob("/?").matches("/\xF0\x9F\x98\x80"));
  CHECK(Glob("/??").matches("/\xF0\x9F\x98\x80"));
}

TEST_CASE("glob: repeated wildcards cannot stall it") {
  std::string pattern;
  for (int i = 0; i < 8; ++i) pattern += "**a";
  const Glob glob(pattern + "b");
  const auto begin = std::chrono::steady_clock::now();
  CHECK_FALSE(glob.matches(std::string(200, 'a')));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
}

}  // namespace
}  // namespace hostclaw::policy
