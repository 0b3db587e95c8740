// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/frame.h"

#include <catch2/catch.hpp>

using namespace hostclaw;
using namespace hostclaw::gateway_proto;

TEST_CASE("a response is matched by id and carries its error") {
  const auto frame = decode_frame(
      R"({"type":"res","id":"7","ok":false,"error":{"code":"UNAVAILABLE","message":"m","retryable":true,"retryAfterMs":250,"details":{"code":"PAIRING_CHANGED"}},"later":1})");
  REQUIRE(frame.has_value());
  const auto& response = std::get<ResponseFrame>(*frame);
  CHECK(response.id == "7");
  CHECK_FALSE(response.ok);
  REQUIRE(response.error);
  CHECK(response.error->retryable);
  CHECK(response.error->retry_after_ms == 250);
  CHECK(response.error->details["code"] == "PAIRING_CHANGED");
}

TEST_CASE("an event may come without a payload") {
  const auto frame = decode_frame(R"({"type":"event","event":"tick","seq":4})");
  REQUIRE(frame.has_value());
  CHECK(std::get<EventFrame>(*frame).event == "tick");
  CHECK(std::get<EventFrame>(*frame).payload.is_null());
}

TEST_CASE("requests and frame types of newer peers are ignored") {
  CHECK(std::holds_alternative<IgnoredFrame>(*decode_frame(R"({"type":"req","id":"1","method":"x"})")));
  CHECK(std::holds_alternative<IgnoredFrame>(*decode_frame(R"({"type":"stream","data":1})")));
}

TEST_CASE("frames of a wrong shape are refused, each with its reason") {
  struct Row {
    const char* text;
    const char* code;
  };
  for (const Row& row :
       {Row{"", "JSON_MALFORMED"}, Row{"hello", "JSON_MALFORMED"}, Row{"[]", "FRAME_INVALID"},
        Row{"{}", "FRAME_INVALID"}, Row{R"({"type":1})", "FRAME_INVALID"},
        Row{R"({"type":"event"})", "FRAME_INVALID"}, Row{R"({"type":"event","event":{}})", "FRAME_INVALID"},
        Row{R"({"type":"res","id":1,"ok":true})", "FRAME_INVALID"},
        Row{R"({"type":"res","id":"1"})", "FRAME_INVALID"},
        Row{R"({"type":"res","id":"1","ok":"yes"})", "FRAME_INVALID"},
        Row{"{\"type\":\"event\",\"event\":\"\xFF\"}", "JSON_MALFORMED"}}) {
    CAPTURE(row.text);
    const auto frame = decode_frame(row.text);
    REQUIRE_FALSE(frame.has_value());
    CHECK(frame.error().code == row.code);
  }
  CHECK(decode_frame(R"({"type":"event","event":"x","payload":)" + std::string(80, '[') +
                     std::string(80, ']') + "}")
            .error()
            .code == "JSON_TOO_DEEP");
}

TEST_CASE("an error without a body is still an error") {
  const auto frame = decode_frame(R"({"type":"res","id":"1","ok":false,"error":"broken"})");
  REQUIRE(frame.has_value());
  CHECK(std::get<ResponseFrame>(*frame).error->code == "UNAVAILABLE");
}

TEST_CASE("a request omits params that are not there") {
  CHECK(encode_request("1", "health", "") == R"({"id":"1","method":"health","type":"req"})");
  CHECK(encode_request("1", "a\"b", R"({"c":[]})") ==
        R"({"id":"1","method":"a\"b","type":"req","params":{"c":[]}})");
}
