// SPDX-License-Identifier: Apache-2.0
#include "approvals/remote_edits.h"

#include "approvals/random_id.h"
#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

const char* const kBase = R"({"version":1,"defaults":{"security":"allowlist","ask":"on-miss"},"agents":{
  "*":{"allowlist":[{"pattern":"git"}]},
  "main":{"ask":"always","allowlist":[{"pattern":"/usr/bin/ls","argPattern":"^-l$"},{"pattern":"/usr/bin/wc"}]},
  "ops":{"security":"full"}}})";

std::string code(RemoteEdits allowed, const std::string& before, const std::string& after) {
  return code_of(check_remote_edit(allowed, policy::load_document(before, new_uuid),
                                   policy::load_document(after, new_uuid), {}));
}

TEST_CASE("what leaves every agent with at most what it had is tightening", "[remote-edits]") {
  const char* after = GENERATE(
      // an entry less, stricter scalars, another agent restricted
      R"({"version":1,"defaults":{"security":"allowlist","ask":"on-miss"},"agents":{"*":{"allowlist":[{"pattern":"git"}]},
          "main":{"ask":"always","allowlist":[{"pattern":"/usr/bin/wc"}]},"ops":{"security":"full"}}})",
      R"({"version":1,"defaults":{"security":"deny","ask":"always"},"agents":{"*":{"allowlist":[{"pattern":"git"}]},
          "main":{"ask":"always","allowlist":[{"pattern":"/usr/bin/wc"}]},"ops":{"security":"deny"}}})",
      R"({"version":1,"defaults":{"security":"allowlist","ask":"on-miss"},"agents":{"*":{"allowlist":[{"pattern":"git"}]},
          "main":{"ask":"always"},"ops":{"security":"full"},"new":{"security":"deny"}}})",
      // an entry for every agent that stays for one of them only
      R"({"version":1,"defaults":{"security":"allowlist","ask":"on-miss"},"agents":{
          "main":{"ask":"always","allowlist":[{"pattern":"git"}]},"ops":{"security":"full"}}})",
      R"({"version":1,"defaults":{"security":"deny","ask":"always"},"agents":{}})");
  CHECK(code(RemoteEdits::kTightenOnly, kBase, after) == "ok");
  CHECK(code(RemoteEdits::kNone, kBase, after) == "REMOTE_EDIT_REFUSED");
}

TEST_CASE("what gives any agent more is not tightening", "[remote-edits]") {
  const char* after = GENERATE(
      // a further entry
      R"({"version":1,"defaults":{"security":"allowlist","ask":"on-miss"},"agents":{"*":{"allowlist":[{"pattern":"git"},{"pattern":"rm"}]}}})",
      // the same pattern without its argument pattern
      R"({"version":1,"defaults":{"security":"deny","ask":"always"},"agents":{"main":{"allowlist":[{"pattern":"/usr/bin/ls"}]}}})",
      // an entry of one agent for all
      R"({"version":1,"defaults":{"security":"allowlist","ask":"always"},"agents":{"*":{"allowlist":[{"pattern":"/usr/bin/wc"}]}}})",
      // looser defaults
      R"({"version":1,"defaults":{"security":"full","ask":"on-miss"},"agents":{}})",
      R"({"version":1,"defaults":{"security":"allowlist","ask":"off"},"agents":{}})",
      R"({"version":1,"defaults":{"security":"allowlist","ask":"always","askFallback":"full"},"agents":{}})",
      R"({"version":1,"defaults":{"security":"allowlist","ask":"always","autoAllowSkills":true},"agents":{}})",
      // the stricter setting of one agent is lost
      R"({"version":1,"defaults":{"security":"allowlist","ask":"on-miss"},"agents":{"main":{},"ops":{"security":"full"}}})",
      // a new agent with more than it had without being named
      R"({"version":1,"defaults":{"security":"allowlist","ask":"always"},"agents":{"new":{"security":"full"}}})");
  CHECK(code(RemoteEdits::kTightenOnly, kBase, after) == "REMOTE_EDIT_REFUSED");
  CHECK(code(RemoteEdits::kAllow, kBase, after) == "ok");
}

TEST_CASE("a removed scalar falls back to the owner's setting, not to less", "[remote-edits]") {
  const char* silent = R"({"version":1,"agents":{}})";
  CHECK(code(RemoteEdits::kTightenOnly, R"({"version":1,"defaults":{"security":"deny"}})", silent) ==
        "REMOTE_EDIT_REFUSED");
  CHECK(code(RemoteEdits::kTightenOnly, R"({"version":1,"defaults":{"security":"full"}})", silent) == "ok");
}

TEST_CASE("a document that means the same is accepted under every switch", "[remote-edits]") {
  CHECK(code(RemoteEdits::kNone, kBase, kBase) == "ok");
}

TEST_CASE("replacing a malformed document is no tightening unless it denies everything", "[remote-edits]") {
  CHECK(code(RemoteEdits::kTightenOnly, "{", kBase) == "REMOTE_EDIT_REFUSED");
  CHECK(code(RemoteEdits::kTightenOnly, "{", R"({"version":1,"defaults":{"security":"deny"}})") == "ok");
}

}  // namespace
}  // namespace hostclaw::approvals
