// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <catch2/catch.hpp>

using namespace hostclaw;

TEST_CASE("ill-formed UTF-8 is recognised") {
  CHECK(is_valid_utf8("a\xC3\xA9\xF0\x9F\x98\x80"));
  for (const char* bad : {"\x80", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\xFF"}) {
    CHECK_FALSE(is_valid_utf8(bad));
  }
}

TEST_CASE("each maximal ill-formed subsequence becomes one replacement character") {
  std::size_t replaced = 0;
  CHECK(to_valid_utf8("a\xE2\x82z\xFF\xFE", &replaced) == "a\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(replaced == 3);
}

TEST_CASE("lengths and cuts count UTF-16 units and never split a character") {
  const std::string text =
      "a\xF0\x9F\x98\x80"
      "b";
  CHECK(utf16_length(text) == 4);
  CHECK(utf16_suffix(text, 4) == text);
  CHECK(utf16_suffix(text, 2) == "b");
  CHECK(utf8_prefix(text, 3) == "a");
  CHECK(utf8_prefix(text, 5) == text.substr(0, 5));
}

TEST_CASE("a long run of ASCII hides nothing that comes before, in or after it") {
  for (std::size_t before = 0; before < 20; ++before) {
    for (std::size_t after = 0; after < 20; ++after) {
      const std::string head(before, 'a');
      const std::string tail(after, 'z');
      CHECK(is_valid_utf8(head + "\xC3\xA9" + tail));
      CHECK_FALSE(is_valid_utf8(head + "\xC3" + tail));
      CHECK(to_valid_utf8(head + "\xFF" + tail) == head + "\xEF\xBF\xBD" + tail);
      CHECK(utf16_length(head + "\xF0\x9F\x98\x80" + tail) == before + 2 + after);
      CHECK(utf16_suffix(head + "\xF0\x9F\x98\x80" + tail, after + 1) == tail);
      CHECK(utf16_suffix(head + "\xC3\xA9" + tail, after + 1) == "\xC3\xA9" + tail);
    }
  }
}

TEST_CASE("what a terminal would obey or hide is made visible, and nothing else is touched") {
  CHECK(show_unseen("plain \xC3\xA9 \xF0\x9F\x99\x82") == "plain \xC3\xA9 \xF0\x9F\x99\x82");
  CHECK(show_unseen("\x1b[2J\x7F\xC2\x9B") == "\\u{1b}[2J\\u{7f}\\u{9b}");
  CHECK(show_unseen("\xE2\x80\xAE\xE2\x81\xA6\xD8\x9C") == "\\u{202e}\\u{2066}\\u{61c}");
  CHECK(show_unseen("{\"a\":\"\xC2\x9B\xF3\xA0\x81\x81\"}\n", UnseenForm::kJson) ==
        "{\"a\":\"\\u009b\\udb40\\udc41\"}\n");
}
