// SPDX-License-Identifier: Apache-2.0
// Signatures that are promised: whoever can write the database and has not the device key cannot leave them
// out unnoticed.
#include <catch2/catch.hpp>

#include "approvals/audit/audit_encoding.h"
#include "audit_chain_fixture.h"
#include "base/text.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

struct PromiseFixture : ChainFixture {
  AuditOptions promising() {
    AuditOptions made = options();
    made.promised_rows = 20;
    made.promised_ms = 100'000;
    return made;
  }
  AuditVerifyOptions ours() {
    AuditVerifyOptions made = checking();
    made.promised_by = "device-1";
    return made;
  }
  void decide(AuditChain& chain, int count) {
    for (int i = 0; i < count; ++i) must(chain.append("decision", {{"verdict", "allow"}}));
  }
  AuditVerification verify() { return must(AuditChain(*store).verify(ours())); }

  // What a forger does who has all but the key: rows of these numbers go, `edit` changes what a row says, and
  // all is hashed anew.
  void rewrite(const std::function<bool(AuditRow& row)>& keep) {
    std::vector<AuditRow> rows = must(AuditChain(*store).rows({0, 0, {}, 10'000, false}));
    tamper("DELETE FROM audit");
    std::string previous = audit_zero_hash();
    std::int64_t sequence = 0;
    std::int64_t checkpoint = 0;
    std::string encoding;
    for (AuditRow& row : rows) {
      if (!keep(row)) continue;
      ++sequence;
      if (row.kind == kCheckpointKind || row.kind == kAdoptedKind) checkpoint = sequence;
      encode_audit_row(previous, sequence, row.at_ms, row.kind, row.body, encoding);
      const std::string hash = audit_hash(encoding);
      must(
          store->database()
              .statement(
                  "INSERT INTO audit (sequence, at_ms, kind, body, previous, hash) VALUES (?, ?, ?, ?, ?, ?)")
              .bind(sequence)
              .bind(row.at_ms)
              .bind(row.kind)
              .bind(row.body)
              .bind_blob(previous)
              .bind_blob(hash)
              .run());
      previous = hash;
    }
    must(store->database().statement("UPDATE audit_state SET checkpoint_row = ?").bind(checkpoint).run());
  }
  void without_signatures(const std::function<void(AuditRow&)>& edit = {}) {
    rewrite([&](AuditRow& row) {
      if (edit) edit(row);
      return row.kind != kCheckpointKind && row.kind != kAdoptedKind;
    });
  }
};

TEST_CASE("a chain begins with a signed row that promises signatures", "[audit]") {
  PromiseFixture f;
  AuditChain chain(*f.store, f.promising());
  f.decide(chain, 3);
  const AuditRow first = must(chain.row(1)).value();
  CHECK(first.kind == "chain");
  CHECK(must(parse_json(first.body))["checkpoint"]["everyRows"] == 20);
  const AuditVerification found = f.verify();
  CHECK(found.problem == "");
  CHECK(found.promised_from == 1);
  CHECK(found.promised_by == "device-1");
  CHECK(found.last_checkpoint_row == 0);
}

TEST_CASE("signatures cannot be left out: a row was changed, the checkpoints dropped, all hashed anew",
          "[audit]") {
  PromiseFixture f;
  AuditChain chain(*f.store, f.promising());
  f.decide(chain, 60);
  REQUIRE(f.verify().valid);
  f.without_signatures([](AuditRow& row) {
    if (row.sequence == 5) row.body = R"({"verdict":"deny"})";
  });
  const AuditVerification found = f.verify();
  CHECK_FALSE(found.valid);
  REQUIRE(found.not_signed.has_value());
  CHECK(found.not_signed->from == 2);
  CHECK(found.first_bad_row == 2);
  CHECK(found.problem.find("row 2") != std::string::npos);
}

TEST_CASE("few rows cannot stay unsigned for long while the node runs", "[audit]") {
  PromiseFixture f;
  AuditChain chain(*f.store, f.promising());
  for (int i = 0; i < 4; ++i) {
    f.decide(chain, 1);
    f.now += 60'000;
    must(chain.checkpoint_if_due());
  }
  REQUIRE(f.verify().problem == "");
  f.without_signatures();
  const AuditVerification found = f.verify();
  CHECK_FALSE(found.valid);
  CHECK(found.problem.find("the node was running") != std::string::npos);
}

TEST_CASE("time in which no node runs breaks no promise", "[audit]") {
  PromiseFixture f;
  AuditChain chain(*f.store, f.promising());
  must(chain.append("start", {{"pid", 1}}));
  f.decide(chain, 2);
  must(chain.append("stop", {{"why", "asked to"}}));
  // Somebody types commands that change the policy, days apart; then a node that was killed starts again.
  AuditChain typed(*f.store, f.options(false));
  for (int i = 0; i < 3; ++i) {
    f.now += 86'400'000;
    must(typed.append("setting-write", {{"name", "x"}}));
  }
  must(chain.append("start", {{"pid", 2}}));
  f.decide(chain, 1);
  f.now += 86'400'000;
  must(chain.append("start", {{"pid", 3}}));
  CHECK(f.verify().problem == "");
}

TEST_CASE("a decision after the machine slept is signed with what waited", "[audit]") {
  PromiseFixture f;
  sign_rows_of(*f.store, f.promising());
  AuditChain chain(*f.store, f.promising());
  must(chain.append("start", {{"pid", 1}}));
  const auto decision = [&] {
    must(append_audit_row(f.store->database(), f.now, "decision", {{"verdict", "allow"}}));
  };
  decision();
  f.now += 8 * 3'600'000;
  decision();
  decision();
  CHECK(f.verify().problem == "");
}

TEST_CASE("rows that others append are signed as well, where the store has the key", "[audit]") {
  PromiseFixture f;
  sign_rows_of(*f.store, f.promising());
  must(AuditChain(*f.store, f.promising()).begin());
  for (int i = 0; i < 200; ++i)
    must(append_audit_row(f.store->database(), f.now, "decision", {{"verdict", "allow"}}));
  const AuditVerification found = f.verify();
  CHECK(found.problem == "");
  CHECK(found.checkpoints >= 10);
}

TEST_CASE("a start and a stop are signed at once, and cannot lose that", "[audit]") {
  const char* kind = GENERATE("start", "stop");
  PromiseFixture f;
  AuditChain chain(*f.store, f.promising());
  f.decide(chain, 1);
  must(chain.append(kind, {{"pid", 1}}));
  CHECK(f.verify().last_checkpoint_row == 4);
  f.without_signatures();
  const AuditVerification at_the_end = f.verify();
  CHECK_FALSE(at_the_end.valid);
  CHECK(at_the_end.first_bad_row == 2);
  AuditChain typed(*f.store, f.options(false));
  must(typed.append("setting-write", Json::object()));
  CHECK_FALSE(f.verify().valid);
}

TEST_CASE("a chain whose state names a checkpoint that is not there is refused", "[audit]") {
  PromiseFixture f;
  AuditChain chain(*f.store, f.promising());
  f.decide(chain, 3);
  must(chain.checkpoint());
  REQUIRE(f.verify().valid);
  f.tamper("DELETE FROM audit WHERE sequence = 5");
  const AuditVerification cut = f.verify();
  CHECK_FALSE(cut.valid);
  CHECK(cut.first_bad_row == 5);
  f.tamper("UPDATE audit_state SET checkpoint_row = 3");
  const AuditVerification other = f.verify();
  CHECK_FALSE(other.valid);
  CHECK(other.first_bad_row == 3);
}

TEST_CASE("a chain from before promises is adopted by a signed row, and what is older shows", "[audit]") {
  PromiseFixture f;
  AuditChain typed(*f.store, f.options(false));
  for (int i = 0; i < 5; ++i) must(typed.append("setting-write", Json::object()));
  const AuditVerification before = f.verify();
  CHECK_FALSE(before.valid);
  CHECK(before.problem.find("adopts") != std::string::npos);
  CHECK(must(typed.verify(checking())).valid);  // of a machine whose key is not known
  AuditChain chain(*f.store, f.promising());
  must(chain.append("start", {{"pid", 1}}));
  CHECK(must(chain.row(8))->kind == "adopted");
  const AuditVerification found = f.verify();
  CHECK(found.problem == "");
  CHECK(found.promised_from == 8);
  REQUIRE(found.notes.size() == 1);
  CHECK(found.notes.front().find("before row 8") != std::string::npos);
  // Once only.
  f.decide(chain, 30);
  CHECK(must(chain.stats()).by_kind.at("adopted") == 1);
  f.without_signatures();
  CHECK_FALSE(f.verify().valid);
}

TEST_CASE("a record that another key signed is not the one of this device", "[audit]") {
  PromiseFixture f;
  AuditOptions forged = f.promising();
  forged.signer = signer("device-2");
  AuditChain chain(*f.store, forged);
  f.decide(chain, 3);
  must(chain.checkpoint());
  AuditVerifyOptions any = f.ours();
  any.check_signature = [](const std::string& key, std::string_view statement, const std::string& signature) {
    return signature == fake_signature(key, statement);
  };
  const AuditVerification found = must(chain.verify(any));
  CHECK_FALSE(found.valid);
  CHECK(found.problem.find("another device") != std::string::npos);
}

TEST_CASE("what is promised is part of what is signed", "[audit]") {
  PromiseFixture f;
  AuditChain chain(*f.store, f.promising());
  f.decide(chain, 3);
  const std::string from = GENERATE("\"everyRows\":20", "\"everyMs\":100000", "everyRows");
  const std::string to = GENERATE("\"everyRows\":999999999", "\"everyMs\":999999999", "every_rows");
  f.rewrite([&](AuditRow& row) {
    const std::size_t at = row.body.find(from);
    if (row.sequence == 1 && at != std::string::npos) row.body.replace(at, from.size(), to);
    return true;
  });
  const AuditVerification found = f.verify();
  CHECK_FALSE(found.valid);
  CHECK(found.first_bad_row == 1);
}

TEST_CASE("what retention removes takes no promise along", "[audit]") {
  PromiseFixture f;
  AuditChain chain(*f.store, f.promising());
  f.decide(chain, 60);
  AuditRetention retention;
  retention.keep_rows = 4;
  must(chain.prune(retention));
  const AuditVerification found = f.verify();
  CHECK(found.problem == "");
  CHECK(found.promised_from > 0);
  f.decide(chain, 30);
  REQUIRE(f.verify().valid);
  CHECK_FALSE(must(chain.stats()).by_kind.contains("adopted"));
}

TEST_CASE("rows may be unsigned for less than is promised, and show as not signed yet", "[audit]") {
  PromiseFixture f;
  AuditChain chain(*f.store, f.promising());
  f.decide(chain, 5);
  const AuditVerification found = f.verify();
  CHECK(found.valid);
  CHECK(found.last_sequence == 6);
  CHECK(found.last_checkpoint_row == 0);
}

}  // namespace
}  // namespace hostclaw::approvals
