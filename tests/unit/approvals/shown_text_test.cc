// SPDX-License-Identifier: Apache-2.0
#include "approvals/shown/shown_text.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "base/utf8.h"

namespace hostclaw::approvals {
namespace {

using Argv = std::vector<std::string>;

}  // namespace

TEST_CASE("commands are shown with their words told apart") {
  const std::vector<std::pair<Argv, std::string>> rows = {
      {{"git", "status", "-sb"}, "git status -sb"},
      {{"echo", "a b"}, "echo \"a b\""},
      {{"echo", ""}, "echo \"\""},
      {{"echo", "$(id)"}, "echo \"$(id)\""},
      {{"echo", "a\"b\\c"}, "echo \"a\\\"b\\\\c\""},
      {{"echo", "one\ntwo\tthree\r"}, "echo \"one\\ntwo\\tthree\\r\""},
      {{"echo", "\x1b[2K"}, "echo \"\\u{1b}[2K\""},
      {{"echo", "caf\xC3\xA9"}, "echo \"caf\xC3\xA9\""},
      {{"echo", "\xFF\xC3"}, "echo \"\\xff\\xc3\""},
      {{"echo",
        "a\xE2\x80\xAE"
        "b"},
       "echo \"a\\u{202e}b\""},  // right-to-left override
      {{"echo",
        "a\xE2\x80\x8B"
        "b"},
       "echo \"a\\u{200b}b\""},  // zero-width space
      {{"echo",
        "a\xC2\xA0"
        "b"},
       "echo \"a\\u{a0}b\""},                                          // no-break space
      {{"\xD1\x81\xD1\x80"}, "\"\\u{441}\\u{440}\""},                  // Cyrillic that reads as Latin
      {{"\xD0\xB6\xD0\xB8\xD0\xB7"}, "\"\xD0\xB6\xD0\xB8\xD0\xB7\""},  // Cyrillic that does not
      {{"\xE2\x88\x95"
        "bin"},
       "\"\\u{2215}bin\""},                 // a slash that is none
      {{"\xEF\xBD\x81"}, "\"\\u{ff41}\""},  // full width
      {{"e\xCC\x81"}, "\"e\\u{301}\""},     // a combining accent
      {{}, ""},
  };
  for (const auto& [argv, shown] : rows) {
    CHECK(shown_command(argv) == shown);
  }
  CHECK(shown_command({"r\xD0\xB0w"}) == "\"r\\u{430}w\"");
}

TEST_CASE("what is shown is ASCII control free, valid UTF-8 and of bounded length") {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> byte(0, 255);
  std::uniform_int_distribution<int> length(0, 60);
  for (int i = 0; i < 3000; ++i) {
    Argv argv(static_cast<std::size_t>(1 + i % 4));
    for (std::string& word : argv) {
      word.resize(static_cast<std::size_t>(length(random)));
      for (char& c : word) c = static_cast<char>(byte(random));
    }
    const std::string shown = shown_command(argv);
    CHECK(is_valid_utf8(shown));
    for (const char c : shown) CHECK(static_cast<unsigned char>(c) >= 0x20);
  }
  CHECK(shown_command({std::string(1'000'000, 'a')}).size() < 1300);
  CHECK(shown_command(Argv(100'000, "word")).size() < 1000);
}

TEST_CASE("two different commands are never shown alike") {
  // Words over the characters that quoting is about, so that collisions would be likely.
  const std::vector<std::string> pieces = {
      "a",    " ", "\"", "\\",  "n", "\n", "u{202e}", "\xE2\x80\xAE", "x",  "ff",
      "\xFF", "[", "]",  "...", "",  "'",  "\\u",     "\xD0\xB0",     "\t", "1 bytes"};
  std::mt19937 random(11);
  std::uniform_int_distribution<std::size_t> pick(0, pieces.size() - 1);
  std::uniform_int_distribution<int> count(0, 4);
  const ShownLimits limits{8, 3};  // small, so that shortening takes part
  std::map<std::string, Argv> seen;
  for (int i = 0; i < 60'000; ++i) {
    Argv argv(static_cast<std::size_t>(1 + count(random)));
    for (std::string& word : argv) {
      const int parts = count(random);
      for (int part = 0; part < parts; ++part) word += pieces[pick(random)];
    }
    const auto [at, fresh] = seen.emplace(shown_command(argv, limits), argv);
    if (!fresh && at->second != argv) FAIL("shown alike: " << at->first);
  }
  CHECK(seen.size() > 10'000);
}

TEST_CASE("the beginning and the end of a long word stand beside its length and hash") {
  const std::string word = "begin" + std::string(5000, 'x') + "end";
  const std::string shown = shown_word(word, 100);
  CHECK(shown.starts_with("\"begin"));
  CHECK(shown.ends_with("end\""));
  CHECK(shown.find("5008 bytes, sha256 ") != std::string::npos);
  std::string other = word;
  other[2500] = 'y';
  CHECK(shown_word(other, 100) != shown);
}

TEST_CASE("the hash of an argv tells where one word ends") {
  CHECK(argv_hash({"a", "b"}) != argv_hash({"ab"}));
  CHECK(argv_hash({"a b"}) != argv_hash({"a", "b"}));
  CHECK(argv_hash({"a"}).starts_with("sha256:"));
  CHECK(argv_hash({"a"}, "key") != argv_hash({"a"}, "another"));
  CHECK(argv_hash({"a"}, "key").starts_with("keyed-sha256:"));
}

TEST_CASE("words for a record are bounded") {
  const std::vector<std::string> words = bounded_words(Argv(1000, std::string(5000, 'w')), {200, 8});
  CHECK(words.size() == 9);
  for (const std::string& word : words) CHECK(word.size() < 300);
}

}  // namespace hostclaw::approvals
