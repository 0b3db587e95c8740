#include "base/json.h"

#include <catch2/catch.hpp>

using namespace hostclaw;

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
