// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/setup_code.h"

#include <catch2/catch.hpp>

#include "base/text.h"

using namespace hostclaw;
using namespace hostclaw::gateway_proto;

namespace {

std::string encode(const Json& object) {
  const std::string text = dump_json(object);
  return to_base64url({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

const Json kSample{
    {"url", "ws://192.0.2.10:18789"}, {"bootstrapToken", "secret-token"}, {"expiresAtMs", 2000}};

}  // namespace

TEST_CASE("a setup code is read with and without its prefix") {
  for (const std::string prefix : {"", "oc-pair://", "OC-PAIR://", "  "}) {
    const auto code = parse_setup_code(prefix + encode(kSample) + "\n", 1000);
    REQUIRE(code.has_value());
    CHECK(code->bootstrap_token == "secret-token");
    CHECK(code->candidates.size() == 1);
    CHECK(code->candidates[0].url() == "ws://192.0.2.10:18789");
  }
}

TEST_CASE("an expired setup code says that it has expired") {
  CHECK(parse_setup_code(encode(kSample), 2000).error().code == "SETUP_CODE_EXPIRED");
}

TEST_CASE("candidates keep their order and the pin belongs to the first only") {
  Json object = kSample;
  object["url"] = "wss://a.example";
  object["urls"] = {"wss://a.example:443", "wss://b.example"};
  object["tlsFingerprint"] = "sha256:" + std::string(64, 'A');
  const auto code = parse_setup_object(dump_json(object), 0);
  REQUIRE(code.has_value());
  REQUIRE(code->candidates.size() == 2);
  CHECK(code->candidates[0].tls_fingerprint == std::string(64, 'a'));
  CHECK(code->candidates[1].host == "b.example");
  CHECK(code->candidates[1].tls_fingerprint.empty());
}

TEST_CASE("broken setup codes are refused and never quoted") {
  Json no_token = kSample;
  no_token.erase("bootstrapToken");
  Json bad_url = kSample;
  bad_url["url"] = "http://user:secret@x";
  Json bad_list = kSample;
  bad_list["urls"] = Json::array({1});
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("A"), encode(Json::array()), encode(no_token),
        encode(bad_url), encode(bad_list), std::string(40'000, 'A')}) {
    const auto code = parse_setup_code(bad, 0);
    REQUIRE_FALSE(code.has_value());
    CHECK(code.error().code == "SETUP_CODE_INVALID");
    CHECK(code.error().message.find("secret") == std::string::npos);
  }
}

TEST_CASE("join URLs are https, loopback http excepted, and end in a code") {
  const std::string code(22, 'x');
  const auto join = parse_join_url("https://gw.example/base/j/" + code);
  REQUIRE(join.has_value());
  CHECK(join->target == "/base/j/" + code);
  CHECK(join->endpoint.port == 443);
  CHECK(parse_join_url("http://127.0.0.1:18789/j/" + code).has_value());
  for (const std::string& bad : {"http://gw.example/j/" + code, std::string("https://gw.example/j/short"),
                                 "https://gw.example/" + code, "https://gw.example/j/" + code + "?x=1",
                                 std::string("oc-pair://abc")}) {
    CHECK(parse_join_url(bad).error().code == "SETUP_CODE_INVALID");
  }
}
