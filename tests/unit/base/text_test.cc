// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <catch2/catch.hpp>

#include "base/sha256.h"

using namespace hostclaw;

TEST_CASE("trim removes what ECMAScript calls white space and nothing else") {
  CHECK(trim("  a b\t\r\n") == "a b");
  CHECK(trim("\xC2\xA0\xE2\x80\xA8x\xEF\xBB\xBF") == "x");
  CHECK(trim("\xE2\x80\x8Bx") == "\xE2\x80\x8Bx");  // zero width space is not white space
  CHECK(trim(" \n ").empty());
  CHECK(trim("\xA0x") == "\xA0x");  // a lone byte is not U+00A0
}

TEST_CASE("hex and base64url come back as they went in") {
  const std::vector<std::uint8_t> bytes{0, 1, 0xFE, 0xFF, 0x80};
  CHECK(to_hex(bytes) == "0001feff80");
  CHECK(from_hex("0001FEff80") == bytes);
  CHECK_FALSE(from_hex("abc"));
  CHECK_FALSE(from_hex("zz"));
  CHECK(to_base64url(bytes) == "AAH-_4A");
  CHECK(from_base64url("AAH-_4A") == bytes);
  CHECK(from_base64url("AAH+/4A=") == bytes);
  CHECK_FALSE(from_base64url("A"));
  CHECK_FALSE(from_base64url("A*AA"));
}

TEST_CASE("split keeps empty parts and join is its inverse") {
  const std::vector<std::string> parts{"a", "", "b", ""};
  CHECK(split("a::b:", ':') == parts);
  CHECK(join(parts, ":") == "a::b:");
}

TEST_CASE("sha256 of the empty text is the known constant") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 incremental;
  incremental.update("ab");
  incremental.update("c");
  CHECK(incremental.hex() == sha256_hex("abc"));
}
