// SPDX-License-Identifier: Apache-2.0
#include "clawlink/a2a/card_key.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/text.h"
#include "clawlink/a2a/objects.h"
#include "tests/unit/clawlink/relay_database.h"

namespace hostclaw::clawlink {
namespace {

struct PrivateDirectory {
  ~PrivateDirectory() { approvals::remove_directory_tree(path); }
  const std::string path = testing::must(approvals::make_private_temporary_directory());
  const std::string key = path + "/clawlink-card-key.pem";
};

std::string decoded(const Json& text) {
  const auto bytes = from_base64url(text.get<std::string>());
  REQUIRE(bytes);
  return {bytes->begin(), bytes->end()};
}

Json card_with_token() {
  Agent agent;
  agent.agent_id = "worker";
  CardWish wish;
  wish.version = "1";
  wish.wants_token = true;
  return agent_card(agent, "https://relay.example", wish);
}

}  // namespace

TEST_CASE("the key is made once, is its owner's alone, and its name is that of its public half") {
  const PrivateDirectory directory;
  const CardKey made = testing::must(CardKey::open(directory.path));
  CHECK(testing::must(CardKey::open(directory.path)).key_id() == made.key_id());
  CHECK(made.key_id().size() == 43);
  const Json key = made.key_set()["keys"][0];
  CHECK(key["kid"] == made.key_id());
  CHECK(key["crv"] == "P-256");
  CHECK(decoded(key["x"]).size() == 32);
  CHECK(decoded(key["y"]).size() == 32);
  CHECK_FALSE(key.contains("d"));
  CHECK(approvals::check_private_file(directory.key).has_value());
}

TEST_CASE("a file that holds no such key is named, with what to do, and is left as it is") {
  for (const char* content :
       {"", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}) {
    CAPTURE(content);
    const PrivateDirectory directory;
    testing::must(approvals::create_private_file(directory.key, content));
    const auto key = CardKey::open(directory.path);
    REQUIRE(key.has_error());
    CHECK(key.error().code == "CARD_KEY_INVALID");
    CHECK(key.error().next.find("clawlink-card-key.pem") != std::string::npos);
    CHECK(std::filesystem::file_size(directory.key) == std::string_view(content).size());
  }
}

TEST_CASE("what the specification and the SDK sign differs in empty members alone, and both are there") {
  Json card = card_with_token();
  card["signatures"] = "not a part of what is signed";
  const std::string specification = signed_text_of_specification(card);
  const std::string sdk = signed_text_of_sdk(card);
  CHECK(specification.find(R"("securityRequirements":[{"schemes":{"bearer":{}}}])") != std::string::npos);
  CHECK(sdk.find("securityRequirements") == std::string::npos);
  CHECK(sdk.find("signatures") == std::string::npos);
  const PrivateDirectory directory;
  const CardKey key = testing::must(CardKey::open(directory.path));
  const Json result =
      testing::must(signed_card(key, card_with_token(), "https://relay.example/.well-known/jwks.json"));
  REQUIRE(result["signatures"].size() == 2);
  const Json header = Json::parse(decoded(result["signatures"][0]["protected"]));
  CHECK(header == Json{{"alg", "ES256"},
                       {"typ", "JOSE"},
                       {"kid", key.key_id()},
                       {"jku", "https://relay.example/.well-known/jwks.json"}});
  CHECK(decoded(result["signatures"][1]["signature"]).size() == 64);
  Json open = card_with_token();
  open.erase("securityRequirements");
  CHECK(testing::must(signed_card(key, open, "x"))["signatures"].size() == 1);
}

}  // namespace hostclaw::clawlink
