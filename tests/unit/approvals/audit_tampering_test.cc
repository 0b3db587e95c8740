// SPDX-License-Identifier: Apache-2.0
// Verification, exhaustively: a chain with a row of each kind, and every way of one step to falsify it.
#include <set>

#include "approvals/audit/audit_chain.h"
#include "approvals/audit/audit_settings.h"
#include "approvals/database/sqlite.h"
#include "approvals/policy/rule_store.h"
#include "approvals/questions/questions.h"
#include "approvals/store/settings.h"
#include "base/sha256.h"
#include "base/text.h"
#include "support.h"
#include "workload.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

std::string stand_in_signature(std::string_view statement) {
  return sha256_hex("a key\n" + std::string(statement));
}

struct EveryKind {
  TemporaryDirectory base;
  std::unique_ptr<Store> store = open_store(base.path());
  AuditVerifyOptions options;
  std::vector<AuditRow> rows;

  EveryKind() {
    options.check_signature = [](const std::string& key, std::string_view statement,
                                 const std::string& signature) {
      // decide() signs with a word of its own.
      return (key == "device" && signature == stand_in_signature(statement)) ||
             (key == "key" && signature == "signed");
    };
    AuditOptions signing;
    signing.signer = AuditSigner{"device", [](std::string_view statement) -> Result<std::string> {
                                   return stand_in_signature(statement);
                                 }};
    AuditChain chain(*store, signing);
    must(chain.append("start", {{"pid", 1}}));
    must(store->insert_identity({"id", "p", "s", 1}));
    must(store->put_document("{\"version\":1}", std::nullopt, kHuman));
    must(put_exec_setting(*store, "exec.askVia", "local", kHuman));
    must(switch_starter_rules(*store, true, kHuman));
    Questions questions(*store);
    const auto first = must(questions.ask(question_with("a"), 1000));
    must(questions.answer(first.question.id, allow_once(), 2000));
    const auto row = must(decide(*store, "a", "run-a"));
    must(end_run(*store, row, "run-a"));
    const auto second = must(questions.ask(question_with("b"), 3000));
    must(questions.withdraw(second.question.id, 3500));
    must(questions.ask(question_with("c", 4000), 3600));
    must(questions.expire(5000));
    const auto third = must(questions.ask(question_with("d"), 6000));
    const Answer always{Answer::Decision::kAllowAlways, GrantScope::kExact, {}, 0, false, kHuman};
    const auto answered = must(questions.answer(third.question.id, always, 6500));
    must(questions.revoke(answered.grant_ids.front(), kHuman, 7000));
    must(chain.checkpoint());
    must(chain.append("stop", {{"why", "asked to"}}));
    rows = all();
  }

  std::vector<AuditRow> all() { return must(AuditChain(*store).rows({0, 0, {}, 1000, false})); }
  AuditVerification verify() { return must(AuditChain(*store).verify(options)); }

  // What somebody with access to the file does, verified and undone.
  AuditVerification tampered(const std::string& sql) {
    AuditVerification result;
    const auto undone = store->transaction([&]() -> Result<void> {
      must(
          store->database().execute("DROP TRIGGER audit_rows_are_never_changed; DROP TRIGGER "
                                    "audit_rows_are_only_removed_by_retention"));
      must(store->database().execute(sql.c_str()));
      result = verify();
      return make_error("UNDO", "");
    });
    CHECK(code_of(undone) == "UNDO");
    return result;
  }
  void found_at(const std::string& sql, std::int64_t row) {
    const AuditVerification result = tampered(sql);
    INFO(sql << "\n" << result.problem);
    CHECK_FALSE(result.valid);
    CHECK(result.first_bad_row == row);
    CHECK(result.problem.find("row " + std::to_string(row)) != std::string::npos);
  }
};

std::string number(std::int64_t value) { return std::to_string(value); }

}  // namespace

TEST_CASE("the chain of these tests is sound and holds each kind of row", "[audit]") {
  EveryKind f;
  CHECK(f.verify().problem == "");
  std::set<std::string> kinds;
  for (const AuditRow& row : f.rows) kinds.insert(row.kind);
  for (const char* kind :
       {"chain", "start", "pairing", "policy-write", "setting-write", "question", "grant", "answer",
        "decision", "end", "question-withdrawn", "question-expired", "grant-revoked", "checkpoint", "stop"}) {
    INFO(kind);
    CHECK(kinds.count(kind) == 1);
  }
}

TEST_CASE("a change of any column of any row is found and the row is named", "[audit]") {
  EveryKind f;
  for (const AuditRow& row : f.rows) {
    const std::string where = " WHERE sequence = " + number(row.sequence);
    for (const char* change :
         {"at_ms = at_ms + 1", "at_ms = 0", "kind = kind || ' '", "kind = 'decision2'", "kind = ''",
          "body = body || ' '", "body = '{}'", "body = ''", "body = replace(body, ':', ': ')",
          "previous = zeroblob(31)", "previous = x''", "previous = randomblob(32)", "hash = zeroblob(32)",
          "hash = x''", "hash = previous", "hash = substr(hash, 1, 31)"})
      f.found_at("UPDATE audit SET " + std::string(change) + where, row.sequence);
    // A number is a place: whoever changes it leaves a gap behind.
    f.found_at("UPDATE audit SET sequence = 1000000" + where, row.sequence);
    f.found_at("UPDATE audit SET sequence = -5" + where, 1);
  }
}

TEST_CASE("a change of any bit of any row is found and the row is named", "[audit]") {
  EveryKind f;
  // Each row on its own, after the hash of the one before it.
  const auto first_bad = [&](const AuditRow& row, const AuditRow* before) {
    AuditAnchor anchor;
    if (before != nullptr) {
      const auto hash = from_hex(before->hash);
      anchor.sequence = before->sequence;
      anchor.hash.assign(hash->begin(), hash->end());
      anchor.assumed = true;
    }
    AuditVerifier verifier(f.options, anchor);
    verifier.feed(row);
    return verifier.finish().first_bad_row;
  };
  std::size_t tried = 0;
  for (std::size_t i = 0; i < f.rows.size(); ++i) {
    const AuditRow* before = i == 0 ? nullptr : &f.rows[i - 1];
    AuditRow row = f.rows[i];
    const std::int64_t sequence = row.sequence;
    REQUIRE(first_bad(row, before) == 0);
    std::vector<std::int64_t> missed;
    for (std::string* text : {&row.kind, &row.body}) {
      for (char& byte : *text) {
        for (int bit = 0; bit < 8; ++bit) {
          byte = static_cast<char>(byte ^ (1 << bit));
          if (first_bad(row, before) != sequence) missed.push_back(sequence);
          byte = static_cast<char>(byte ^ (1 << bit));
          ++tried;
        }
      }
    }
    for (std::string* hex : {&row.previous_hash, &row.hash}) {
      for (char& digit : *hex) {
        const char original = digit;
        digit = digit == '0' ? '1' : '0';
        if (first_bad(row, before) != sequence) missed.push_back(sequence);
        digit = original;
        ++tried;
      }
    }
    for (int bit = 0; bit < 63; ++bit) {
      row.at_ms ^= std::int64_t{1} << bit;
      if (first_bad(row, before) != sequence) missed.push_back(sequence);
      row.at_ms ^= std::int64_t{1} << bit;
      ++tried;
    }
    INFO(row.kind);
    CHECK(missed.empty());
  }
  CHECK(tried > 10'000);
}

TEST_CASE("any row that was removed, doubled or exchanged with any other is found and named", "[audit]") {
  EveryKind f;
  const std::int64_t last = f.rows.back().sequence;
  for (std::int64_t at = 1; at < last; ++at) {
    const std::string here = number(at);
    f.found_at("DELETE FROM audit WHERE sequence = " + here, at);
    const std::string up = "UPDATE audit SET sequence = -sequence WHERE sequence > " + here +
                           "; UPDATE audit SET sequence = -sequence ";
    // Removed, and the rest moved up.
    f.found_at("DELETE FROM audit WHERE sequence = " + here + "; " + up + "- 1 WHERE sequence < 0", at);
    // A copy, or a row of one's own, in between.
    f.found_at(up + "+ 1 WHERE sequence < 0; INSERT INTO audit SELECT " + number(at + 1) +
                   ", at_ms, kind, body, previous, hash FROM audit WHERE sequence = " + here,
               at + 1);
    f.found_at(up + "+ 1 WHERE sequence < 0; INSERT INTO audit SELECT " + number(at + 1) +
                   ", at_ms, 'decision', '{}', hash, randomblob(32) FROM audit WHERE sequence = " + here,
               at + 1);
    for (std::int64_t other = at + 1; other <= last; ++other) {
      f.found_at("UPDATE audit SET sequence = -1 WHERE sequence = " + here +
                     "; UPDATE audit SET sequence = " + here + " WHERE sequence = " + number(other) +
                     "; UPDATE audit SET sequence = " + number(other) + " WHERE sequence = -1",
                 at);
    }
  }
}

TEST_CASE("a tail that was cut off anywhere is found against a checkpoint that was kept, and named",
          "[audit]") {
  EveryKind f;
  AuditOptions signing;
  signing.signer = AuditSigner{"device", [](std::string_view statement) -> Result<std::string> {
                                 return stand_in_signature(statement);
                               }};
  f.options.exported = must(AuditChain(*f.store, signing).checkpoint());
  REQUIRE(f.verify().valid);
  for (std::int64_t kept = 1; kept < f.options.exported->sequence; ++kept)
    f.found_at("DELETE FROM audit WHERE sequence > " + number(kept), kept + 1);
  // What the checkpoint does not cover may go unnoticed, and nothing else.
  const std::string behind = "DELETE FROM audit WHERE sequence > " + number(f.options.exported->sequence);
  CHECK_FALSE(f.tampered(behind).valid);  // the database names the checkpoint that went with it
  CHECK(f.tampered(behind +
                   "; UPDATE audit_state SET checkpoint_row = (SELECT max(sequence) FROM audit WHERE "
                   "kind IN ('checkpoint', 'adopted'))")
            .valid);
}

TEST_CASE("the row that tells of a removal is bound to what was removed", "[audit]") {
  EveryKind f;
  AuditOptions signing;
  signing.signer = AuditSigner{"device", [](std::string_view statement) -> Result<std::string> {
                                 return stand_in_signature(statement);
                               }};
  AuditChain chain(*f.store, signing);
  AuditRetention retention;
  retention.keep_rows = 6;
  must(chain.prune(retention, kHuman));
  const AuditVerification sound = f.verify();
  REQUIRE(sound.problem == "");
  const std::string first = number(sound.first_sequence);
  const std::string told = number(sound.removed->row);
  for (const char* change : {"at_ms = 1", "kind = 'decision'", "body = '{}'", "previous = zeroblob(32)",
                             "hash = zeroblob(32)", "body = replace(body, 'alice', 'bob')"})
    f.found_at("UPDATE audit SET " + std::string(change) + " WHERE sequence = " + told, sound.removed->row);
  f.found_at("DELETE FROM audit WHERE sequence = " + first, sound.first_sequence);
  for (const char* change :
       {"anchor_hash = zeroblob(32)", "pruned_row = 0", "anchor_sequence = anchor_sequence + 1"}) {
    INFO(change);
    CHECK_FALSE(f.tampered("UPDATE audit_state SET " + std::string(change)).valid);
  }
  CHECK_FALSE(f.tampered("DELETE FROM audit WHERE sequence = " + first +
                         "; UPDATE audit_state SET anchor_sequence = " + first)
                  .valid);
}

}  // namespace hostclaw::approvals
