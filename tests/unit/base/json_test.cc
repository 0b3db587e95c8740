// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include "base/json_shape.h"

#include <catch2/catch.hpp>

#include "base/utf8.h"

using namespace hostclaw;

TEST_CASE("values are counted where they stand, and not in texts") {
  CHECK(holds_more_values_than("[0,0,0]", 3));
  CHECK_FALSE(holds_more_values_than("[0,0,0]", 4));
  CHECK_FALSE(holds_more_values_than("[\",,[,{\\\",\"]", 2));
  CHECK(holds_more_values_than("{\"a\":{\"b\":[", 3));
}

TEST_CASE("JSON that is too large, too deep or malformed is refused with its own code") {
  CHECK(parse_json("[1]", {.max_bytes = 2}).error().code == "JSON_TOO_LARGE");
  CHECK(parse_json(std::string(65, '[') + std::string(65, ']')).error().code == "JSON_TOO_DEEP");
  CHECK(parse_json(std::string(100'000, '[')).error().code == "JSON_TOO_DEEP");
  CHECK(parse_json("{\"a\":").error().code == "JSON_MALFORMED");
  CHECK(parse_json("").error().code == "JSON_MALFORMED");
  CHECK(parse_json("\"\xFF\"").error().code == "JSON_MALFORMED");
  CHECK(parse_json("1e999").error().code == "JSON_MALFORMED");
}

TEST_CASE("brackets inside strings do not count as depth") {
  CHECK(parse_json("\"" + std::string(200, '[') + "\"").has_value());
  CHECK(parse_json("[\"\\\"[[[[\"]", {.max_depth = 1}).has_value());
}

TEST_CASE("an error message never quotes the input") {
  CHECK(parse_json("{\"token\": secret}").error().message.find("secret") == std::string::npos);
}

TEST_CASE("dumping text that is not UTF-8 does not throw") {
  CHECK(dump_json(Json("a\xFF")) == "\"a\xEF\xBF\xBD\"");
}

TEST_CASE("JSON is written as the library writes it") {
  std::string every_character;
  for (int c = 0; c < 0x80; ++c) every_character += static_cast<char>(c);
  for (const std::string& text :
       {std::string(), std::string("\\"), std::string("\"\""), every_character, std::string("a\0b", 3),
        std::string("\xC3\xA9\n\xF0\x9F\x98\x80\x7F\xE2\x80\xA8"), std::string(1000, '\n'),
        std::string(7, 'x') + "\xC3\xA9" + std::string(9, 'y')}) {
    CHECK(dump_json(Json(text)) == Json(text).dump());
  }
  const Json tree = Json::parse(
      R"({"b":[],"a":{},"n":[0,-1,18446744073709551615,-9223372036854775808,1.5,1e300,-0.0],"t":[true,false,null],"":{"\"":[[[]]]}})");
  CHECK(dump_json(tree) == tree.dump());
  const OrderedJson ordered = OrderedJson::parse(R"({"b":1,"a":{"z":"","c":[{}]}})");
  CHECK(dump_json(ordered) == R"({"b":1,"a":{"z":"","c":[{}]}})");
}

TEST_CASE("an object's text is written without a tree as with one, by itself and inside a string") {
  std::string every_byte;
  for (int c = 0; c < 0x80; ++c)
    every_byte += std::string(static_cast<std::size_t>(c % 11), 'x') + static_cast<char>(c);
  const std::string long_lines = [] {
    std::string text;
    for (int i = 0; i < 400; ++i) text += std::string(static_cast<std::size_t>(i % 23), 'y') + "\n\"\\";
    return text;
  }();
  for (const std::string& text : {std::string(), every_byte, long_lines, std::string("\xC3\xA9\xFF\n")}) {
    const std::string shown = to_valid_utf8(text);
    const auto built = [&](JsonPlace place) {
      JsonObjectText inner(place);
      inner.add("quoted \" name", text);
      JsonObjectText object(place);
      object.add("a", text).add("b", true).add("c", std::int64_t{-5}).add("d", std::move(inner));
      object.add("e", JsonObjectText(place)).add_json("f", "[1]");
      return object;
    };
    const Json expected{{"a", shown},          {"b", true}, {"c", -5}, {"d", {{"quoted \" name", shown}}},
                        {"e", Json::object()}, {"f", {1}}};
    CHECK(Json::parse(built(JsonPlace::kItself).take()) == expected);
    CHECK(built(JsonPlace::kInString).take_string() == json_string(built(JsonPlace::kItself).take()));
  }
  CHECK(JsonObjectText().take() == "{}");
}

TEST_CASE("whatever bytes a string holds, what is written is JSON") {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text{'a', static_cast<char>(first), static_cast<char>(second)};
      const auto again = parse_json(dump_json(Json(text)));
      REQUIRE(again.has_value());
      if (first < 0x80 && second < 0x80) REQUIRE(*again == Json(text));
    }
  }
}
