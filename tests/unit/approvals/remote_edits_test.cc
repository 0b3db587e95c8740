// SPDX-License-Identifier: Apache-2.0
#include "approvals/policy/remote_edits.h"

#include "approvals/platform/random_id.h"
#include "policy/decide/engine.h"
#include "support.h"
#include "tests/support/corpus_file_probe.h"

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

// One list of every agent.
std::string listing(const std::string& entries) {
  return R"({"version":1,"defaults":{"security":"allowlist","ask":"off"},"agents":{"*":{"allowlist":[)" +
         entries + "]}}}";
}

TEST_CASE("entries are compared by what they let run, not by how they are written", "[remote-edits]") {
  struct Row {
    const char* before;
    const char* after;
    const char* tighten_only;
    const char* none;
  };
  const char* const refused = "REMOTE_EDIT_REFUSED";
  const Row rows[] = {
      // no arguments, then any; and the other way
      {R"({"pattern":"/bin/ls","argPattern":""})", R"({"pattern":"/bin/ls"})", refused, refused},
      {R"({"pattern":"/bin/ls"})", R"({"pattern":"/bin/ls","argPattern":""})", "ok", refused},
      // named arguments are not asked about, so they are no narrower entry
      {R"({"pattern":"/bin/find"})", R"({"pattern":"/bin/find","argPattern":"^\\. -exec id ;$"})", refused,
       refused},
      // white space, a second time, and what never matches mean nothing
      {R"({"pattern":"/bin/ls"})", R"({"pattern":" /bin/ls "})", "ok", "ok"},
      {R"({"pattern":"/bin/ls"})", R"({"pattern":"/bin/ls"},{"pattern":"/bin/ls"})", "ok", "ok"},
      {R"({"pattern":"/bin/ls"})", R"({"pattern":"/bin/ls"},{"pattern":"/bin/rm","argPattern":"x{1001}"})",
       "ok", "ok"},
      {R"({"pattern":"/bin/ls"})", R"({"pattern":"/bin/ls"},{"pattern":"*","argPattern":"x"})", "ok", "ok"},
      {R"({"pattern":"/bin/ls"})",
       R"({"pattern":"/bin/ls"},{"pattern":"/bin/rm","argPattern":"sha256:argv:00"})", "ok", "ok"},
      {R"({"pattern":"/bin/ls"})", R"({"pattern":"/bin/ls"},{"pattern":"/bin/rm","source":"allow-always"})",
       "ok", "ok"},
      // `*` with an empty argPattern is `*`
      {R"({"pattern":"*","argPattern":""})", R"({"pattern":"*"})", "ok", "ok"},
      {R"({"pattern":"/bin/ls"})", R"({"pattern":"*","argPattern":""})", refused, refused},
      // a pattern that was dead and comes alive
      {R"({"pattern":"/bin/rm","source":"allow-always"})", R"({"pattern":"/bin/rm"})", refused, refused},
  };
  for (const Row& row : rows) {
    INFO(row.before << " -> " << row.after);
    CHECK(code(RemoteEdits::kTightenOnly, listing(row.before), listing(row.after)) == row.tighten_only);
    CHECK(code(RemoteEdits::kNone, listing(row.before), listing(row.after)) == row.none);
  }
}

TEST_CASE("a document that is accepted as the same decides the same", "[remote-edits]") {
  // Entries whose spellings mean much or little, in every pair of lists of two.
  const std::vector<std::string> entries = {
      R"({"pattern":"/usr/bin/git"})",
      R"({"pattern":" /usr/bin/git"})",
      R"({"pattern":"/usr/bin/git","argPattern":""})",
      R"({"pattern":"/usr/bin/git","argPattern":"^status$"})",
      R"({"pattern":"/usr/bin/git","argPattern":"x{1001}"})",
      R"({"pattern":"/usr/bin/git","source":"allow-always"})",
      R"({"pattern":"git"})",
      R"({"pattern":"*"})",
      R"({"pattern":"*","argPattern":""})",
      R"({"pattern":"*","argPattern":"status"})",
  };
  test::CorpusFileProbe files;
  for (const char* directory : {"/", "/usr", "/usr/bin"}) files.add_directory(directory);
  for (const char* name : {"/usr/bin/git", "/usr/bin/ls"})
    files.add_file(name,
                   "\x7f"
                   "ELF",
                   true);
  policy::EngineContext context;
  context.files = &files;
  context.host_cwd = "/";
  context.host_environment = {{"PATH", "/usr/bin"}};
  const std::vector<std::vector<std::string>> commands = {
      {"git"}, {"git", "status"}, {"git", "log"}, {"git", "-c", "core.pager=x", "log"}, {"ls"}};
  const auto verdicts = [&](const policy::PolicyDocument& document) {
    std::string out;
    for (const auto& command : commands) {
      const Json params{{"command", command}, {"agentId", "main"}};
      out += std::string(to_string(policy::evaluate_run(params, document, context).decision.verdict)) + " ";
    }
    return out;
  };
  std::size_t same = 0;
  std::vector<std::pair<policy::PolicyDocument, std::string>> documents;
  for (const std::string& first : entries) {
    for (const std::string& second : entries) {
      policy::PolicyDocument document = policy::load_document(listing(first + "," + second), new_uuid);
      std::string decided = verdicts(document);
      documents.emplace_back(std::move(document), std::move(decided));
    }
  }
  for (const auto& [before, decided_before] : documents) {
    for (const auto& [after, decided_after] : documents) {
      if (!check_remote_edit(RemoteEdits::kNone, before, after, {})) continue;
      ++same;
      if (decided_before != decided_after) FAIL(decided_before << "/ " << decided_after);
    }
  }
  CHECK(same > documents.size());  // some are the same without being equal
}

TEST_CASE("replacing a malformed document is no tightening unless it denies everything", "[remote-edits]") {
  CHECK(code(RemoteEdits::kTightenOnly, "{", kBase) == "REMOTE_EDIT_REFUSED");
  CHECK(code(RemoteEdits::kTightenOnly, "{", R"({"version":1,"defaults":{"security":"deny"}})") == "ok");
}

}  // namespace
}  // namespace hostclaw::approvals
