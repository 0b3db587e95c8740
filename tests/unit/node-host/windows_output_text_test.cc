// SPDX-License-Identifier: Apache-2.0
// What programs of Windows write.
#include <windows.h>

#include <catch2/catch.hpp>

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
  CHECK(decoded("a\0b\0"s) == "as it is");
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

TEST_CASE("other bytes are text of the console's code page") {
  UINT page = ::GetConsoleOutputCP();
  if (page == 0) page = ::GetOEMCP();
  wchar_t unit[2] = {};
  REQUIRE(::MultiByteToWideChar(page, MB_ERR_INVALID_CHARS, "\x81", 1, unit, 2) == 1);
  char expected[8] = {};
  const int size = ::WideCharToMultiByte(CP_UTF8, 0, unit, 1, expected, 8, nullptr, nullptr);
  REQUIRE(size > 0);
  CHECK(decoded("a\x81 b") == "a" + std::string(expected, static_cast<std::size_t>(size)) + " b");
}

}  // namespace
}  // namespace hostclaw::node_host
