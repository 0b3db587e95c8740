// SPDX-License-Identifier: Apache-2.0
#include "approvals/policy/policy_cache.h"

#include "approvals/database/sqlite.h"
#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;
using policy::GrantToStore;

std::string document_with(const std::string& security) {
  return R"({"version":1,"defaults":{"security":")" + security + R"("},"agents":{}})";
}

TEST_CASE("without a document the fresh one is stored and in force", "[policy-cache]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  PolicyCache cache;
  const auto document = cache.current(*store);
  CHECK_FALSE(document->malformed);
  CHECK(document->defaults.security == policy::Security::kAllowlist);
  CHECK(document->defaults.ask == policy::Ask::kOnMiss);
  const StoredDocument stored = must(store->document());
  CHECK(stored.exists);
  CHECK(stored.raw_text == policy::serialize_document(policy::fresh_document()));
  CHECK(must(store->document_history(5))[0].actor.door == "node");
}

TEST_CASE("a reading store gets the fresh document without storing it", "[policy-cache]") {
  TemporaryDirectory base;
  auto writer = open_store(base.path());
  auto reader = open_store(base.path(), OpenMode::kReadOnly);
  PolicyCache cache;
  CHECK(cache.current(*reader)->defaults.security == policy::Security::kAllowlist);
  CHECK_FALSE(must(writer->document()).exists);
  must(writer->put_document(document_with("deny"), std::nullopt, kCli));
  CHECK(cache.current(*reader)->defaults.security == policy::Security::kDeny);
}

TEST_CASE("the document is read again only when it changed, by whoever", "[policy-cache]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  auto other = open_store(base.path());
  PolicyCache cache;
  const auto first = cache.current(*store);
  CHECK(cache.current(*store) == first);
  must(other->record_usage({{"main", "x", "", 1, "", "", 0}}));
  CHECK(cache.current(*store) == first);
  must(other->put_document(document_with("full"), std::nullopt, kCli));
  const auto second = cache.current(*store);
  CHECK(second != first);
  CHECK(second->defaults.security == policy::Security::kFull);
}

TEST_CASE("a snapshot carries the hash of exactly the document that it holds", "[policy-cache]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  PolicyCache cache;
  must(store->put_document(document_with("full"), std::nullopt, kCli));
  const PolicySnapshot snapshot = cache.snapshot(*store);
  CHECK(snapshot.exists);
  CHECK(snapshot.generation == 1);
  CHECK(snapshot.hash == policy::document_hash(document_with("full")));
}

TEST_CASE("a stored text that is no policy denies everything", "[policy-cache]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const std::string text = GENERATE("", "{", "[]", R"({"version":1,"agents":[]})");
  must(store->put_document(text, std::nullopt, kCli));
  PolicyCache cache;
  const auto document = cache.current(*store);
  CHECK(document->malformed);
  CHECK(document->defaults.security == policy::Security::kDeny);
  CHECK_FALSE(document->malformed_reason.empty());
}

TEST_CASE("a text changed behind the store's back denies everything", "[policy-cache]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->put_document(document_with("allowlist"), std::nullopt, kCli));
  must(
      store->database().execute("UPDATE policy_document SET raw_text = replace(raw_text, 'allowlist', "
                                "'full'), generation = generation + 1"));
  PolicyCache cache;
  CHECK(cache.current(*store)->malformed);
}

TEST_CASE("a policy that cannot be read denies everything", "[policy-cache]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  PolicyCache cache;
  CHECK_FALSE(cache.current(*store)->malformed);
  must(store->database().execute("ALTER TABLE policy_document RENAME TO elsewhere"));
  CHECK(cache.current(*store)->malformed);
  must(store->database().execute("ALTER TABLE elsewhere RENAME TO policy_document"));
  CHECK_FALSE(cache.current(*store)->malformed);
}

const GrantToStore kHashed{"/usr/bin/uname", "sha256:cwd-argv:v1:" + std::string(64, 'a')};
const GrantToStore kMarker{"=node-command:0123456789abcdef", std::nullopt};

TEST_CASE("grants become allow-always entries of the agent", "[policy-cache]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  PolicyCache cache;
  must(store_grants(*store, "main", {kHashed, kMarker}));
  const auto document = cache.current(*store);
  REQUIRE(document->agents.count("main") == 1);
  const auto& list = document->agents.at("main").allowlist;
  REQUIRE(list.size() == 2);
  CHECK(list[0].pattern == kHashed.pattern);
  CHECK(list[0].arg_pattern == kHashed.arg_pattern);
  CHECK(list[0].allow_always);
  CHECK(list[0].id.size() == 36);
  CHECK(list[1].pattern == kMarker.pattern);
  CHECK(list[1].allow_always);
  CHECK(document->defaults.security == policy::Security::kAllowlist);
}

TEST_CASE("a grant that is there already changes nothing", "[policy-cache]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store_grants(*store, "main", {kHashed, kMarker}));
  const StoredDocument before = must(store->document());
  must(store_grants(*store, "main", {kHashed, kMarker}));
  CHECK(must(store->document()).hash == before.hash);
  CHECK(must(store->document_generation()) == before.generation);
}

TEST_CASE("a bound grant replaces older unbound grants of its pattern, and no manual entry",
          "[policy-cache]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->put_document(R"({"version":1,"agents":{"main":{"allowlist":[
      {"id":"6ccd780c-baba-4026-9564-5b8c656024db","pattern":"/usr/bin/uname","source":"allow-always"},
      {"id":"6ccd780c-baba-4026-9564-5b8c656024dc","pattern":"/usr/bin/uname"},
      {"id":"6ccd780c-baba-4026-9564-5b8c656024dd","pattern":"/usr/bin/git","source":"allow-always"}]}}})",
                           std::nullopt, kCli));
  must(store_grants(*store, "main", {kHashed}));
  PolicyCache cache;
  const auto document = cache.current(*store);
  const auto& list = document->agents.at("main").allowlist;
  REQUIRE(list.size() == 3);
  CHECK(list[0].id.back() == 'c');
  CHECK(list[1].id.back() == 'd');
  CHECK(list[2].arg_pattern == kHashed.arg_pattern);
}

TEST_CASE("a grant without an agent or for a malformed document is refused", "[policy-cache]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  CHECK(code_of(store_grants(*store, "", {kHashed})) == "GRANT_REFUSED");
  must(store->put_document("{", std::nullopt, kCli));
  CHECK(code_of(store_grants(*store, "main", {kHashed})) == "GRANT_REFUSED");
  CHECK(must(store->document()).raw_text == "{");
}

TEST_CASE("usage does not change the document and hides what a hashed entry hides", "[policy-cache]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  PolicyCache cache;
  const PolicySnapshot before = cache.snapshot(*store);
  must(record_usage(*store,
                    {{"*", "git", std::nullopt, "/usr/bin/git"},
                     {"main", kHashed.pattern, kHashed.arg_pattern, "/usr/bin/uname"}},
                    "git status", 77));
  CHECK(cache.snapshot(*store).hash == before.hash);
  const auto usage = must(store->usage());
  REQUIRE(usage.size() == 2);
  CHECK(usage[0].last_used_command == "git status");
  CHECK(usage[0].last_resolved_path == "/usr/bin/git");
  CHECK(usage[0].last_used_at_ms == 77);
  CHECK(usage[1].last_used_command.empty());
}

}  // namespace
}  // namespace hostclaw::approvals
