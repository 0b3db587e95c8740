// SPDX-License-Identifier: Apache-2.0
#include "approvals/platform/secret_protection.h"

#include "approvals/database/sqlite.h"
#include "approvals/store/store.h"
#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

std::string stored_text(Store& store, const std::string& sql) {
  Statement query = store.database().statement(sql);
  REQUIRE(must(query.step()));
  return query.text(0);
}

TEST_CASE("a protected secret is given back as it was", "[secrets]") {
  const std::string secret =
      GENERATE("", "token-1", "-----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY-----\n");
  CHECK(must(unprotect_secret(must(protect_secret(secret, "x")), "x")) == secret);
}

TEST_CASE("a secret from before protection is read as it is", "[secrets]") {
  CHECK(must(unprotect_secret("token-1", "x")) == "token-1");
}

TEST_CASE("a secret that another account or a later version protected is an error that names it",
          "[secrets]") {
  const std::string stored =
      GENERATE("hostclaw-dpapi-v1:AAAA", "hostclaw-dpapi-v1:!", "hostclaw-tpm-v2:AAAA");
  const auto read = unprotect_secret(stored, "the device token");
  REQUIRE(read.has_error());
  CHECK(read.error().code == "SECRET_UNREADABLE");
  CHECK(read.error().message.starts_with("the device token "));
  CHECK(read.error().message.find("AAAA") == std::string::npos);
}

TEST_CASE("a key that cannot be read stays in the database, and the public half is still known",
          "[secrets]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->insert_identity({"ab12", "PUBLIC", "PRIVATE", 42}));
  must(store->database().execute("UPDATE identity SET private_key_pem = 'hostclaw-dpapi-v1:AAAA'"));
  CHECK(code_of(store->identity()) == "SECRET_UNREADABLE");
  CHECK(code_of(store->insert_identity({"cd34", "OTHER", "OTHER", 43})) == "SECRET_UNREADABLE");
  const auto known = must(store->public_identity());
  REQUIRE(known.has_value());
  CHECK(known->device_id == "ab12");
  CHECK(known->public_key_pem == "PUBLIC");
  CHECK(known->private_key_pem.empty());
  CHECK(stored_text(*store, "SELECT private_key_pem FROM identity") == "hostclaw-dpapi-v1:AAAA");
}

TEST_CASE("a token that cannot be read is not overwritten by accident", "[secrets]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->put_device_token("ab12", "node", "token-1", std::nullopt));
  must(store->database().execute("UPDATE device_tokens SET token = 'hostclaw-dpapi-v1:AAAA'"));
  CHECK(code_of(store->device_token("ab12", "node")) == "SECRET_UNREADABLE");
  CHECK(code_of(store->put_device_token("ab12", "node", "token-2", "token-1")) == "SECRET_UNREADABLE");
  CHECK(code_of(store->put_device_token("ab12", "node", "token-2", std::nullopt)) == "SECRET_UNREADABLE");
  CHECK(stored_text(*store, "SELECT token FROM device_tokens") == "hostclaw-dpapi-v1:AAAA");
  must(store->remove_device_token("ab12", "node"));
  CHECK_FALSE(must(store->device_token("ab12", "node")).has_value());
}

}  // namespace
}  // namespace hostclaw::approvals
