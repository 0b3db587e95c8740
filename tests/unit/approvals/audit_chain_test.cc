// SPDX-License-Identifier: Apache-2.0
#include "approvals/audit/audit_chain.h"

#include <set>

#include "approvals/database/sqlite.h"
#include "audit_chain_fixture.h"
#include "base/sha256.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

void append_rows(AuditChain& chain, int count) {
  for (int i = 0; i < count; ++i) must(chain.append("decision", {{"number", i}, {"verdict", "allow"}}));
}

TEST_CASE("rows are numbered, carry the hash of the one before and verify", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options(false));
  const AuditRow first = must(chain.append("decision", {{"verdict", "allow"}, {"code", "LISTED"}}));
  f.now += 5;
  const AuditRow second = must(chain.append("end", {{"exit", 0}}));
  CHECK(first.sequence == 2);  // row 1 begins the chain
  CHECK(first.body == R"({"code":"LISTED","verdict":"allow"})");
  CHECK(second.sequence == 3);
  CHECK(second.previous_hash == first.hash);
  CHECK(second.at_ms == f.now);
  const AuditVerification result = must(chain.verify());
  CHECK(result.valid);
  CHECK(result.rows == 3);
  CHECK(result.first_sequence == 1);
  CHECK(result.last_sequence == 3);
  CHECK(result.last_hash == second.hash);
}

TEST_CASE("the hash covers the documented bytes", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options(false));
  f.now = 0x0102;
  const AuditRow row = must(chain.append("k", Json{{"a", 1}}));
  std::string bytes("hostclaw-audit-v1\0", 18);
  const std::string previous_hex = row.previous_hash;
  for (std::size_t i = 0; i < 64; i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(previous_hex.substr(i, 2), nullptr, 16)));
  }
  bytes += std::string("\0\0\0\0\0\0\0\x02", 8);
  bytes += std::string("\0\0\0\0\0\0\x01\x02", 8);
  bytes += std::string("\0\0\0\x01k", 5);
  bytes += std::string("\0\0\0\x07{\"a\":1}", 11);
  CHECK(row.hash == sha256_hex(bytes));
}

TEST_CASE("an empty store has a valid empty record", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options());
  const AuditVerification result = must(chain.verify(checking()));
  CHECK(result.valid);
  CHECK(result.rows == 0);
  CHECK(must(chain.rows({})).empty());
  CHECK(must(chain.stats()).rows == 0);
}

TEST_CASE("text that is not UTF-8 is recorded and verifies", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options(false));
  must(chain.append("decision", {{"text", "\xFF\xFE nul \0 end"}}));
  must(chain.append("decision", {{"text", std::string("a\0b", 3)}}));
  CHECK(must(chain.verify()).valid);
}

TEST_CASE("a row commits together with what it tells about, or not at all", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options());
  append_rows(chain, 3);
  const auto failed = f.store->transaction([&]() -> Result<void> {
    must(f.store->put_setting("a", 1));
    must(chain.append("decision", {{"lost", true}}));
    return make_error("WANTED", "no");
  });
  CHECK(code_of(failed) == "WANTED");
  CHECK(setting_text(*f.store, "a") == "absent");
  must(f.store->transaction([&]() -> Result<void> {
    must(f.store->put_setting("a", 2));
    must(chain.append("decision", {{"kept", true}}));
    return {};
  }));
  CHECK(must(chain.verify(checking())).valid);
  CHECK(must(chain.rows({}))[0].body == R"({"kept":true})");
}

TEST_CASE("a changed row is named", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options(false));
  append_rows(chain, 10);
  const char* change = GENERATE("UPDATE audit SET body = '{\"number\":99}' WHERE sequence = 6",
                                "UPDATE audit SET kind = 'other' WHERE sequence = 6",
                                "UPDATE audit SET at_ms = at_ms + 1 WHERE sequence = 6",
                                "UPDATE audit SET previous = zeroblob(32) WHERE sequence = 6",
                                "UPDATE audit SET hash = zeroblob(32) WHERE sequence = 6",
                                "UPDATE audit SET hash = x'' WHERE sequence = 6");
  f.tamper(change);
  const AuditVerification result = must(chain.verify());
  CHECK_FALSE(result.valid);
  CHECK(result.first_bad_row == 6);
  CHECK(result.problem.find("row 6") != std::string::npos);
}

TEST_CASE("a removed row is named", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options(false));
  append_rows(chain, 10);
  SECTION("in the middle") {
    f.tamper("DELETE FROM audit WHERE sequence = 6");
    CHECK(must(chain.verify()).first_bad_row == 6);
  }
  SECTION("in the middle, with the later ones moved up") {
    f.tamper(
        "DELETE FROM audit WHERE sequence = 6; UPDATE audit SET sequence = -sequence WHERE sequence > 6;"
        "UPDATE audit SET sequence = -sequence - 1 WHERE sequence < 0");
    CHECK(must(chain.verify()).first_bad_row == 6);
  }
  SECTION("at the beginning") {
    f.tamper("DELETE FROM audit WHERE sequence <= 3");
    CHECK(must(chain.verify()).first_bad_row == 1);
  }
  SECTION("at the beginning, as if retention had done it") {
    f.tamper(
        "UPDATE audit_state SET anchor_sequence = 3, anchor_hash = (SELECT hash FROM audit WHERE sequence = "
        "3);"
        "DELETE FROM audit WHERE sequence <= 3");
    CHECK(must(chain.verify()).first_bad_row == 4);
  }
  SECTION("all of them") {
    f.tamper("DELETE FROM audit");
    CHECK(must(chain.verify()).first_bad_row == 1);
    CHECK(code_of(chain.append("decision", Json::object())) == "AUDIT_DAMAGED");
  }
}

TEST_CASE("an inserted row is named", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options(false));
  append_rows(chain, 10);
  f.tamper(
      "UPDATE audit SET sequence = -sequence WHERE sequence > 6; UPDATE audit SET sequence = -sequence + 1 "
      "WHERE "
      "sequence < 0; INSERT INTO audit SELECT 7, at_ms, kind, body, previous, hash FROM audit WHERE sequence "
      "= 6");
  CHECK(must(chain.verify()).first_bad_row == 7);
}

TEST_CASE("reordered rows are named", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options(false));
  append_rows(chain, 10);
  f.tamper(
      "UPDATE audit SET sequence = -5 WHERE sequence = 5; UPDATE audit SET sequence = 5 WHERE sequence = 6;"
      "UPDATE audit SET sequence = 6 WHERE sequence = -5");
  CHECK(must(chain.verify()).first_bad_row == 5);
}

TEST_CASE("mistaken updates and deletions are refused by the database", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options(false));
  append_rows(chain, 3);
  CHECK(f.store->database().execute("UPDATE audit SET kind = 'x'").has_error());
  CHECK(f.store->database().execute("DELETE FROM audit").has_error());
  CHECK(must(chain.verify()).rows == 4);
}

TEST_CASE("checkpoints come after a number of rows and after a time", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options());
  append_rows(chain, 8);
  CHECK(must(chain.stats()).last_checkpoint_row == 0);
  append_rows(chain, 1);  // with the first row of the chain, this is the tenth
  CHECK(must(chain.stats()).last_checkpoint_row == 11);
  must(chain.checkpoint_if_due());
  CHECK(must(chain.stats()).last_checkpoint_row == 11);
  append_rows(chain, 1);
  f.now += 60'000;
  must(chain.checkpoint_if_due());
  CHECK(must(chain.stats()).last_checkpoint_row == 13);
  f.now += 600'000;
  must(chain.checkpoint_if_due());
  CHECK(must(chain.stats()).last_checkpoint_row == 13);  // nothing new to sign
  const AuditVerification result = must(chain.verify(checking()));
  CHECK(result.valid);
  CHECK(result.checkpoints == 2);
  CHECK(result.last_checkpoint_sequence == 12);
}

TEST_CASE("a checkpoint of another key or without a good signature is named", "[audit]") {
  ChainFixture f;
  AuditOptions options = f.options();
  options.signer =
      GENERATE(signer("device-2"), AuditSigner{"device-1", [](std::string_view) -> Result<std::string> {
                                                 return std::string("nonsense");
                                               }});
  AuditChain chain(*f.store, options);
  append_rows(chain, 3);
  must(chain.checkpoint());
  append_rows(chain, 3);
  CHECK(must(chain.verify()).valid);
  // The first row is signed already.
  CHECK(must(chain.verify(checking())).first_bad_row == 1);
}

TEST_CASE("a chain rewritten from some row on is betrayed by its checkpoint", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options());
  append_rows(chain, 5);
  must(chain.checkpoint());
  // The forger writes rows that link perfectly, but cannot sign.
  f.tamper("DELETE FROM audit WHERE sequence >= 4");
  AuditOptions forged = f.options();
  forged.signer =
      AuditSigner{"device-1", [](std::string_view) -> Result<std::string> { return std::string("guess"); }};
  AuditChain forger(*f.store, forged);
  append_rows(forger, 3);
  must(forger.checkpoint());
  CHECK(must(chain.verify(checking())).first_bad_row == 7);
}

TEST_CASE("a signer that fails fails the row", "[audit]") {
  ChainFixture f;
  AuditOptions options = f.options();
  bool gone = false;
  options.signer = AuditSigner{"device-1", [&gone](std::string_view) -> Result<std::string> {
                                 if (gone) return make_error("KEY_GONE", "no key");
                                 return std::string("signed");
                               }};
  AuditChain chain(*f.store, options);
  for (int i = 0; i < 8; ++i) {
    must(chain.append("decision", Json::object()));
    gone = true;  // once the first row is there
  }
  CHECK(code_of(chain.append("decision", Json::object())) == "KEY_GONE");
  CHECK(must(chain.verify()).rows == 9);
  AuditChain without(*f.store, f.options(false));
  CHECK(code_of(without.checkpoint()) == "AUDIT_NO_SIGNER");
}

TEST_CASE("a cut tail is found with a checkpoint that was kept outside", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options());
  append_rows(chain, 5);
  AuditVerifyOptions options = checking();
  options.exported = must(checkpoint_from_json(to_json(must(chain.checkpoint()))));
  append_rows(chain, 2);
  CHECK(must(chain.verify(options)).valid);
  SECTION("cut") {
    f.tamper("DELETE FROM audit WHERE sequence > 4; UPDATE audit_state SET checkpoint_row = 0");
    CHECK(must(chain.verify(checking())).valid);  // without the exported one nothing can be noticed
    const AuditVerification result = must(chain.verify(options));
    CHECK_FALSE(result.valid);
    CHECK(result.first_bad_row == 5);
    CHECK(result.problem.find("cut off") != std::string::npos);
  }
  SECTION("cut and continued") {
    f.tamper("DELETE FROM audit WHERE sequence > 4; UPDATE audit_state SET checkpoint_row = 0");
    append_rows(chain, 6);
    CHECK(must(chain.verify(checking())).valid);
    CHECK(must(chain.verify(options)).first_bad_row == 6);
  }
  SECTION("replaced by another chain") {
    f.tamper("DELETE FROM audit; DELETE FROM audit_state");
    append_rows(chain, 8);
    CHECK(must(chain.verify(checking())).valid);
    CHECK_FALSE(must(chain.verify(options)).valid);
  }
  SECTION("a forged exported checkpoint") {
    options.exported->hash = std::string(64, '0');
    CHECK_FALSE(must(chain.verify(options)).valid);
  }
}

TEST_CASE("retention keeps the chain verifiable", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options());
  append_rows(chain, 50);
  AuditRetention retention;
  retention.keep_rows = 20;
  const std::int64_t before = must(chain.stats()).rows;
  CHECK(must(chain.prune(retention)) == before - 20);
  AuditVerification result = must(chain.verify(checking()));
  CHECK(result.problem == "");
  CHECK(result.valid);
  CHECK(result.rows == 21);  // and the row that tells of the removal
  CHECK(result.first_sequence == before - 19);
  append_rows(chain, 30);
  CHECK(must(chain.prune(retention)) > 0);
  result = must(chain.verify(checking()));
  CHECK(result.problem == "");
  CHECK(result.valid);
  CHECK(must(chain.prune(retention)) == 1);  // the row that told of the removal before was one too many
}

TEST_CASE("retention goes by age and by size and never takes the newest row", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options(false));
  append_rows(chain, 10);
  f.now += 1000;
  append_rows(chain, 5);
  AuditRetention retention;
  SECTION("age") {
    retention.keep_since_ms = f.now;
    CHECK(must(chain.prune(retention)) == 11);
  }
  SECTION("everything is old") {
    retention.keep_since_ms = f.now + 1;
    CHECK(must(chain.prune(retention)) == 15);
  }
  SECTION("size") {
    retention.keep_bytes = 800;
    const std::int64_t gone = must(chain.prune(retention));
    CHECK(gone > 8);
    CHECK(gone < 12);
  }
  SECTION("in lots") {
    retention.keep_rows = 1;
    retention.at_most = 4;
    CHECK(must(chain.prune(retention)) == 4);
    CHECK(must(chain.prune(retention)) == 4);
  }
  SECTION("nothing to do") {
    retention.keep_rows = 1000;
    CHECK(must(chain.prune(retention)) == 0);
  }
  CHECK(must(chain.verify()).valid);
}

TEST_CASE("verification tells what retention removed, and who", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options());
  append_rows(chain, 50);
  CHECK_FALSE(must(chain.verify(checking())).removed.has_value());
  AuditRetention retention;
  retention.keep_rows = 20;
  must(chain.prune(retention, {"cli", "uid 1000 (ann)"}));
  f.now += 5;
  retention.keep_rows = 10;
  const AuditChain::Removable found = must(chain.removable(retention));
  AuditRetention lot;
  lot.through = found.through;
  lot.at_most = 4;
  CHECK(must(chain.prune(lot, {"node", "audit.retention"})) == 4);
  CHECK(must(chain.prune(lot, {"node", "audit.retention"})) == 4);
  const AuditVerification result = must(chain.verify(checking()));
  CHECK(result.problem == "");
  REQUIRE(result.removed.has_value());
  CHECK(result.removed->through == result.first_sequence - 1);
  CHECK(result.removed->row == result.last_sequence);
  CHECK(result.removed->at_ms == f.now);
  CHECK(result.removed->by.door == "node");
  CHECK(result.removed->by.who == "audit.retention");
  CHECK(result.removed->is_signed);
  // An export of what is left needs no trust in its beginning: a row of it tells of the removal.
  std::vector<AuditRow> rows;
  must(chain.export_lines(0, [&](std::string_view line) {
    rows.push_back(must(audit_row_from_line(line)));
    return true;
  }));
  AuditAnchor anchor;
  anchor.sequence = rows.front().sequence - 1;
  anchor.assumed = true;
  for (std::size_t i = 0; i < 64; i += 2)
    anchor.hash.push_back(static_cast<char>(std::stoi(rows.front().previous_hash.substr(i, 2), nullptr, 16)));
  AuditVerifier verifier(checking(), anchor);
  for (const AuditRow& row : rows) verifier.feed(row);
  const AuditVerification exported = verifier.finish();
  CHECK(exported.valid);
  CHECK(exported.notes.empty());
  CHECK(exported.removed.has_value());
}

TEST_CASE(
    "an export that pauses keeps nothing open, ends where it began to, and tells what was removed meanwhile",
    "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options());
  for (int i = 0; i < 1'000; ++i) must(chain.append("decision", {{"n", i}}));
  const std::int64_t last = must(chain.stats()).last_sequence;
  std::int64_t seen = 0;
  must(chain.export_lines(0, [&](std::string_view line) {
    seen = must(audit_row_from_line(line)).sequence;
    if (seen != 10) return true;
    must(chain.append("decision", {{"n", "later"}}));
    // Nobody reads: the whole log can be taken over and emptied.
    Statement checkpoint = f.store->database().statement("PRAGMA wal_checkpoint(TRUNCATE)");
    REQUIRE(must(checkpoint.step()));
    CHECK(checkpoint.integer(0) == 0);
    return true;
  }));
  CHECK(seen == last);
  const auto pruned = chain.export_lines(0, [&](std::string_view line) {
    if (must(audit_row_from_line(line)).sequence == 10) {
      AuditRetention retention;
      retention.keep_rows = 100;
      must(chain.prune(retention, kCli));
    }
    return true;
  });
  CHECK(code_of(pruned) == "AUDIT_PRUNED");
}

TEST_CASE("retention carries on whose keys signed, however often rows are removed", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options(false));
  must(f.store->insert_identity({"first-device", "p", "s", 1}));
  must(f.store->replace_identity({"second-device", "p", "s", 2}));
  AuditRetention retention;
  retention.keep_rows = 1;
  for (int i = 0; i < 3; ++i) {
    append_rows(chain, 20);
    must(chain.prune(retention));
  }
  std::set<std::string> devices;
  for (const AuditRow& row : must(chain.rows({}))) {
    for (const std::string& device : audit_devices(row.body)) devices.insert(device);
  }
  CHECK(devices == std::set<std::string>{"first-device", "second-device"});
  CHECK(audit_devices("nonsense").empty());
  CHECK(audit_devices(R"({"change":"token-received","device":"x"})").empty());
}

TEST_CASE("what the limits let go is known before anything is removed", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options(false));
  CHECK(must(chain.removable({})).rows == 0);
  append_rows(chain, 30);
  AuditRetention retention;
  CHECK(must(chain.removable(retention)).rows == 0);
  retention.keep_rows = 11;
  retention.at_most = 3;
  CHECK(must(chain.removable(retention)).rows == 20);
  CHECK(must(chain.removable(retention)).through == 20);
  retention.keep_since_ms = f.now + 1;
  CHECK(must(chain.removable(retention)).through == 30);  // never the newest
  CHECK(must(chain.verify()).rows == 31);
}

TEST_CASE("rows taken away under the cover of retention are found", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options());
  append_rows(chain, 30);
  AuditRetention retention;
  retention.keep_rows = 20;
  must(chain.prune(retention));
  const std::int64_t first = must(chain.verify(checking())).first_sequence;
  const std::string next = std::to_string(first);
  f.tamper(("UPDATE audit_state SET anchor_sequence = " + next +
            ", anchor_hash = (SELECT hash FROM audit WHERE sequence = " + next +
            "); DELETE FROM audit WHERE sequence = " + next)
               .c_str());
  const AuditVerification result = must(chain.verify(checking()));
  CHECK_FALSE(result.valid);
  CHECK(result.first_bad_row == first + 1);
}

TEST_CASE("an exported checkpoint older than what retention kept is noted", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options());
  append_rows(chain, 3);
  AuditVerifyOptions options = checking();
  options.exported = must(chain.checkpoint());
  append_rows(chain, 30);
  AuditRetention retention;
  retention.keep_rows = 5;
  must(chain.prune(retention));
  const AuditVerification result = must(chain.verify(options));
  CHECK(result.valid);
  CHECK(result.notes.size() == 1);
}

TEST_CASE("exported lines verify on their own", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options());
  append_rows(chain, 12);
  must(chain.append(
      "decision",
      {{"text", "quote \" slash \\ tab \t é 😀 \x7f"}, {"ratio", 0.1}, {"big", 9007199254740993}}));
  std::vector<std::string> lines;
  must(chain.export_lines(0, [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  }));
  CHECK(lines.size() == 15);
  SECTION("untouched") {
    AuditVerifier verifier(checking());
    for (const std::string& line : lines) CHECK(verifier.feed(must(audit_row_from_line(line))));
    const AuditVerification result = verifier.finish();
    CHECK(result.valid);
    CHECK(result.rows == 15);
    CHECK(result.last_hash == must(chain.verify()).last_hash);
  }
  SECTION("changed") {
    const std::size_t at = lines[4].find("allow");
    lines[4].replace(at, 5, "never");
    AuditVerifier verifier(checking());
    for (const std::string& line : lines) {
      if (!verifier.feed(must(audit_row_from_line(line)))) break;
    }
    CHECK(verifier.finish().first_bad_row == 5);
  }
  SECTION("a part") {
    const AuditRow before = must(audit_row_from_line(lines[6]));
    const AuditRow first = must(audit_row_from_line(lines[7]));
    AuditAnchor anchor;
    anchor.sequence = before.sequence;
    for (std::size_t i = 0; i < 64; i += 2) {
      anchor.hash.push_back(static_cast<char>(std::stoi(first.previous_hash.substr(i, 2), nullptr, 16)));
    }
    anchor.assumed = true;
    AuditVerifier verifier(checking(), anchor);
    for (std::size_t i = 7; i < lines.size(); ++i) verifier.feed(must(audit_row_from_line(lines[i])));
    const AuditVerification result = verifier.finish();
    CHECK(result.valid);
    CHECK(result.notes.size() == 1);
  }
}

TEST_CASE("a line that is not of a chain is refused", "[audit]") {
  const char* line = GENERATE("", "{}", "[]", "{\"sequence\":\"1\"}", "{\"sequence\":0,\"body\":{}}",
                              "{\"sequence\":1,\"body\":{},\"extra\":1}", "{\"sequence\":1,\"body\":[]}");
  CHECK(code_of(audit_row_from_line(line)) == "AUDIT_LINE_INVALID");
}

TEST_CASE("rows are listed by place and kind", "[audit]") {
  ChainFixture f;
  AuditChain chain(*f.store, f.options(false));
  append_rows(chain, 5);
  must(chain.append("question", {{"id", "q"}}));
  AuditFilter filter;
  filter.limit = 2;
  CHECK(must(chain.rows(filter))[0].kind == "question");
  filter.kind = "decision";
  CHECK(must(chain.rows(filter))[0].sequence == 6);
  filter.newest_first = false;
  filter.after = 3;
  CHECK(must(chain.rows(filter))[0].sequence == 4);
  filter.before = 5;
  CHECK(must(chain.rows(filter)).size() == 1);
  CHECK(must(chain.row(7))->kind == "question");
  CHECK_FALSE(must(chain.row(8)).has_value());
  const AuditStats stats = must(chain.stats());
  CHECK(stats.rows == 7);
  CHECK(stats.by_kind.at("decision") == 5);
}

}  // namespace
}  // namespace hostclaw::approvals
