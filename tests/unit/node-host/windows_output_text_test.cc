// SPDX-License-Identifier: Apache-2.0
// What programs of Windows write.
#include <windows.h>

#include <catch2/catch.hpp>

#include "node-host/system/text/code_page_windows.h"
#include "node-host/system/text/output_text.h"

namespace hostclaw::node_host {
namespace {

using std::string_literals::operator""s;

std::string decoded(const std::string& bytes, bool cut = false) {
  return text_of_other_encoding(bytes, cut).value_or("as it is");
}

TEST_CASE("UTF-8 stays as it is, also when the end was cut off") {
  CHECK(decoded("plain") == "as it is");
  CHECK(decoded("") == "as it is");
  CHECK(decoded("\xC3\xA9\xE2\x82\xAC") == "as it is");
  CHECK(decoded("a\xE2\x82", true) == "as it is");
  CHECK(decoded("name one\0name two\0"s) == "as it is");
  CHECK(decoded("\0a\0b"s) == "as it is");
  CHECK(decoded("a\0"s) == "as it is");
}

TEST_CASE("UTF-16 with a byte order mark is read in both orders") {
  CHECK(decoded("\xFF\xFEh\0\xE9\0\r\0\n\0"s) == "h\xC3\xA9\r\n");
  CHECK(decoded("\xFE\xFF\0h\0\xE9"s) == "h\xC3\xA9");
  CHECK(decoded("\xFF\xFE\x3D\xD8\x3E\xDC"s) == "\xF0\x9F\x90\xBE");
  // A cut between the two bytes of a unit, or between the two units of a character.
  CHECK(decoded("\xFF\xFEh\0\xE9"s, true) == "h");
  CHECK(decoded("\xFF\xFEh\0\x3D\xD8"s, true) == "h");
}

TEST_CASE("UTF-16 without a mark is known by its many ASCII characters") {
  CHECK(decoded("h\0\xE9\0l\0l\0o\0"s) == "h\xC3\xA9llo");
}

TEST_CASE("UTF-16 that is all ASCII and has no mark arrives without NULs") {
  CHECK(decoded("N\0A\0M\0E\0\r\0\n\0"s) == "NAME\r\n");
  CHECK(decoded("N\0A\0M"s, true) == "NA");
  // Some characters beyond ASCII: two bytes of UTF-8 by accident.
  CHECK(decoded("N\0A\0M\0E\0\x30\x04"s) == "NAME\xD0\xB0");
}

TEST_CASE("other bytes are text of the system's code page, whatever the console's is") {
  CHECK(text_from_code_page(850, "f\x81r", false) == "f\xC3\xBCr");
  CHECK(text_from_code_page(437, "\xE1", false) == "\xC3\x9F");
  CHECK(text_from_code_page(CP_UTF8, "\x81", false) == std::nullopt);
  // Cut through a character of two bytes, and one that is no character.
  CHECK(text_from_code_page(932, "a\x82\xA0\x82", true) == "a\xE3\x81\x82");
  CHECK(text_from_code_page(932, "a\x82", false) == std::nullopt);
  const unsigned int page = system_oem_code_page();
  CHECK(::IsValidCodePage(page) != 0);
  const auto expected = text_from_code_page(page, "a\x81 b", false);
  REQUIRE(expected);
  const UINT before = ::GetConsoleOutputCP();
  ::SetConsoleOutputCP(CP_UTF8);
  CHECK(decoded("a\x81 b") == *expected);
  if (before != 0) ::SetConsoleOutputCP(before);
}

}  // namespace
}  // namespace hostclaw::node_host
