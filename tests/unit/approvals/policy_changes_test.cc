// SPDX-License-Identifier: Apache-2.0
#include "approvals/policy/policy_changes.h"

#include "approvals/audit/audit_chain.h"
#include "approvals/store/settings.h"
#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

const char* const kBefore =
    R"({"version":1,"socket":{"token":"SOCKET-SECRET"},"defaults":{"security":"allowlist"},
  "agents":{"main":{"allowlist":[{"id":"6ccd780c-baba-4026-9564-5b8c656024db","pattern":"git"}]}}})";
const char* const kAfter =
    R"({"version":1,"socket":{"token":"OTHER-SECRET"},"defaults":{"security":"full","ask":"off"},
  "agents":{"main":{"ask":"always","allowlist":[{"id":"6ccd780c-baba-4026-9564-5b8c656024dc","pattern":"/usr/bin/ls",
  "argPattern":"^-l$","source":"allow-always"}]}}})";

TEST_CASE("changes of policy and entries are listed by place", "[policy-changes]") {
  const Json changes = policy_changes(kBefore, kAfter);
  CHECK(dump_json(changes["added"]) ==
        R"([{"agent":"main","argPattern":"^-l$","pattern":"/usr/bin/ls","source":"allow-always"}])");
  CHECK(dump_json(changes["removed"]) == R"([{"agent":"main","pattern":"git"}])");
  CHECK(dump_json(changes["policy"]) ==
        R"([{"after":"always","before":null,"where":"agents.main.ask"},)"
        R"({"after":"off","before":null,"where":"defaults.ask"},)"
        R"({"after":"full","before":"allowlist","where":"defaults.security"}])");
}

TEST_CASE("secrets of a document are not in its changes", "[policy-changes]") {
  CHECK(dump_json(policy_changes(kBefore, kAfter)).find("SECRET") == std::string::npos);
}

TEST_CASE("documents that mean the same have no changes", "[policy-changes]") {
  const Json changes = policy_changes(kBefore, kBefore);
  CHECK(changes["added"].empty());
  CHECK(changes["removed"].empty());
  CHECK(changes["policy"].empty());
}

TEST_CASE("a missing and a malformed document are named", "[policy-changes]") {
  CHECK(dump_json(policy_changes("", kBefore)["policy"]).find("\"before\":\"missing\"") != std::string::npos);
  CHECK(dump_json(policy_changes(kBefore, "{")["policy"]).find("\"after\":\"malformed\"") !=
        std::string::npos);
}

TEST_CASE("very long lists are cut and the rest is counted", "[policy-changes]") {
  Json list = Json::array();
  for (int i = 0; i < 130; ++i) list.push_back({{"pattern", "tool-" + std::to_string(i)}});
  const Json document = {{"version", 1}, {"agents", {{"main", {{"allowlist", list}}}}}};
  const Json changes = policy_changes("", dump_json(document));
  CHECK(changes["added"].size() == 100);
  CHECK(changes["omitted"].get<int>() == 30);
}

TEST_CASE("every policy write is in the record with who, door and changes", "[policy-changes]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->put_document(kBefore, std::nullopt, {"cli", "alice"}));
  must(store->put_document(kBefore, std::nullopt, {"cli", "alice"}));
  must(store->put_document(kAfter, std::nullopt, {"gateway", "device"}));
  CHECK(code_of(store->put_document("{}", "outdated", {"gateway", "device"})) == "STORE_CONFLICT");
  const auto rows = must(AuditChain(*store).rows({0, 0, "policy-write", 10, false}));
  REQUIRE(rows.size() == 2);
  const Json body = must(parse_json(rows[1].body));
  CHECK(body["door"].get<std::string>() == "gateway");
  CHECK(body["who"].get<std::string>() == "device");
  CHECK(body["generation"].get<int>() == 2);
  CHECK(body["hashBefore"].get<std::string>() != body["hashAfter"].get<std::string>());
  CHECK(body["changes"]["removed"].size() == 1);
  CHECK(rows[0].body.find("SECRET") == std::string::npos);
}

TEST_CASE("every change of an execution setting is in the record", "[settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(put_exec_setting(*store, "exec.securityLimit", "allowlist", {"cli", "alice"}));
  must(remove_exec_setting(*store, "exec.securityLimit", {"cli", "alice"}));
  CHECK(code_of(put_exec_setting(*store, "exec.securityLimit", "nonsense")) == "SETTING_INVALID");
  CHECK(code_of(remove_exec_setting(*store, "exec.nothing")) == "SETTING_UNKNOWN");
  CHECK(setting_text(*store, "exec.securityLimit") == "absent");
  const auto rows = must(AuditChain(*store).rows({0, 0, "setting-write", 10, false}));
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].body ==
        R"({"after":"allowlist","before":null,"door":"cli","key":"exec.securityLimit","who":"alice"})");
  CHECK(rows[1].body ==
        R"({"after":null,"before":"allowlist","door":"cli","key":"exec.securityLimit","who":"alice"})");
}

}  // namespace
}  // namespace hostclaw::approvals
