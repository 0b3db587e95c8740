// SPDX-License-Identifier: Apache-2.0
#include "approvals/store/store.h"

#include "approvals/audit/audit_chain.h"
#include "approvals/database/schema.h"
#include "approvals/database/sqlite.h"
#include "base/sha256.h"
#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

RunRow sample_run(const std::string& run_id) {
  RunRow row;
  row.run_id = run_id;
  row.invoke_id = "invoke-1";
  row.door = "hostlink";
  row.principal = "tokens/ci";
  row.agent_id = "main";
  row.session_key = "agent:main:main";
  row.command_text = "uname -s";
  row.argv_json = R"(["uname","-s"])";
  row.cwd = "/srv";
  row.resolved_path = "/usr/bin/uname";
  row.verdict = "allow";
  row.code = "ALLOWED";
  row.reason = "listed";
  row.state = "decided";
  row.started_at_ms = 1000;
  return row;
}

TEST_CASE("a store keeps what it was given when it is opened again", "[store]") {
  TemporaryDirectory base;
  const IdentityRow identity{"ab12", "PUBLIC", "PRIVATE", 42};
  {
    auto store = open_store(base.path());
    must(store->insert_identity(identity));
    must(store->put_device_token("ab12", "node", "token-1", std::nullopt));
    must(store->put_setting("node.displayName", "Büro"));
    must(store->put_document("{}\n", std::nullopt, kCli));
  }
  auto store = open_store(base.path());
  const auto stored = must(store->identity());
  REQUIRE(stored.has_value());
  CHECK(stored->device_id == "ab12");
  CHECK(stored->public_key_pem == "PUBLIC");
  CHECK(stored->private_key_pem == "PRIVATE");
  CHECK(stored->created_at_ms == 42);
  CHECK(must(store->device_token("ab12", "node"))->token == "token-1");
  CHECK(setting_text(*store, "node.displayName") == "\"Büro\"");
  CHECK(must(store->document()).raw_text == "{}\n");
  CHECK(must(store->document()).generation == 1);
}

TEST_CASE("the database uses a write-ahead log, strict tables and its own application id", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  Database& database = store->database();
  CHECK(must(database.integer("PRAGMA application_id")) == kApplicationId);
  CHECK(must(database.integer("PRAGMA user_version")) == schema_version());
  CHECK(must(database.integer("SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'")) == 1);
  CHECK(must(database.integer(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%STRICT%'")) == 0);
  CHECK(must(database.integer("PRAGMA synchronous")) == 1);
  must(store->survive_power_loss(true));
  CHECK(must(database.integer("PRAGMA synchronous")) == 2);
}

TEST_CASE("a fresh store is empty", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  CHECK_FALSE(must(store->identity()).has_value());
  CHECK_FALSE(must(store->device_token("x", "node")).has_value());
  CHECK(must(store->settings()).empty());
  CHECK(must(store->runs({})).empty());
  CHECK(must(store->document_generation()) == 0);
  const StoredDocument document = must(store->document());
  CHECK_FALSE(document.exists);
  CHECK(document.hash == "missing:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("the first identity stays and a second insert answers it", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  CHECK(must(store->insert_identity({"first", "p", "s", 1})).device_id == "first");
  CHECK(must(store->insert_identity({"second", "p", "s", 2})).device_id == "first");
  must(store->replace_identity({"imported", "p", "s", 3}));
  CHECK(must(store->identity())->device_id == "imported");
}

TEST_CASE("a device token is only replaced by who knows the stored one", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  CHECK(code_of(store->put_device_token("d", "node", "new", "old")) == "STORE_CONFLICT");
  must(store->put_device_token("d", "node", "one", std::nullopt));
  CHECK(code_of(store->put_device_token("d", "node", "two", std::nullopt)) == "STORE_CONFLICT");
  CHECK(code_of(store->put_device_token("d", "node", "two", "other")) == "STORE_CONFLICT");
  CHECK(must(store->device_token("d", "node"))->token == "one");
  must(store->put_device_token("d", "node", "two", "one"));
  CHECK(must(store->device_token("d", "node"))->token == "two");
  CHECK_FALSE(must(store->device_token("d", "operator")).has_value());
  must(store->remove_device_token("d", "node"));
  CHECK_FALSE(must(store->device_token("d", "node")).has_value());
}

TEST_CASE("a conflict never quotes the token", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->put_device_token("d", "node", "SECRET-1", std::nullopt));
  const auto conflict = store->put_device_token("d", "node", "SECRET-2", "SECRET-3");
  REQUIRE(conflict.has_error());
  CHECK(conflict.error().message.find("SECRET") == std::string::npos);
}

TEST_CASE("settings keep JSON values of every type", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const Json value = {{"a", {1, 2.5, nullptr, true}}, {"b", "line\nbreak \0 nul"}};
  must(store->put_setting("object", value));
  must(store->put_setting("null", nullptr));
  CHECK(setting_text(*store, "object") == dump_json(value));
  CHECK(setting_text(*store, "null") == "null");
  CHECK(setting_text(*store, "absent") == "absent");
  CHECK(must(store->settings()).size() == 2);
  must(store->remove_setting("object"));
  CHECK(setting_text(*store, "object") == "absent");
}

TEST_CASE("a stored setting that is not JSON names its key", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->put_setting("exec.strictness", "hardened"));
  must(store->database().execute("UPDATE settings SET value = '{oops'"));
  const auto value = store->setting("exec.strictness");
  REQUIRE(value.has_error());
  CHECK(value.error().code == "SETTING_INVALID");
  CHECK(value.error().message.find("exec.strictness") != std::string::npos);
}

TEST_CASE("every document write makes a new generation with its hash", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const StoredDocument first = must(store->put_document("{\"version\":1}\n", std::nullopt, kCli));
  CHECK(first.generation == 1);
  CHECK(first.hash == sha256_hex("{\"version\":1}\n"));
  const StoredDocument second = must(store->put_document("{}\n", first.hash, kCli));
  CHECK(second.generation == 2);
  CHECK(must(store->document()).raw_text == "{}\n");
  CHECK(must(store->document_generation()) == 2);
}

TEST_CASE("an unchanged document text keeps its generation and writes nothing", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->put_document("{}\n", std::nullopt, kCli));
  const StoredDocument again = must(store->put_document("{}\n", std::nullopt, kCli));
  CHECK(again.generation == 1);
  CHECK(must(store->document_history(10)).size() == 1);
}

TEST_CASE("a document write with an outdated hash is refused and changes nothing", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const StoredDocument missing = must(store->document());
  CHECK(code_of(store->put_document("a", sha256_hex("b"), kCli)) == "STORE_CONFLICT");
  const StoredDocument first = must(store->put_document("one", missing.hash, kCli));
  CHECK(code_of(store->put_document("two", missing.hash, kCli)) == "STORE_CONFLICT");
  must(store->put_document("two", first.hash, kCli));
  CHECK(code_of(store->put_document("three", first.hash, kCli)) == "STORE_CONFLICT");
  CHECK(must(store->document()).raw_text == "two");
  CHECK(must(store->document()).generation == 2);
}

TEST_CASE("the history tells who wrote which document through which door", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->put_document("one", std::nullopt, {"node", ""}));
  must(store->put_document("two", std::nullopt, {"gateway", "operator-device"}));
  const auto history = must(store->document_history(10));
  REQUIRE(history.size() == 2);
  CHECK(history[0].generation == 2);
  CHECK(history[0].actor.door == "gateway");
  CHECK(history[0].actor.who == "operator-device");
  CHECK(history[0].hash_before == sha256_hex("one"));
  CHECK(history[0].hash_after == sha256_hex("two"));
  CHECK(history[0].text_after == "two");
  CHECK(history[1].actor.door == "node");
}

TEST_CASE("usage of entries is counted without touching the document", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const StoredDocument before = must(store->put_document("{}\n", std::nullopt, kCli));
  must(store->record_usage({{"main", "/usr/bin/uname", "", 10, "uname -s", "/usr/bin/uname", 0}}));
  must(store->record_usage({{"main", "/usr/bin/uname", "", 20, "uname -a", "/usr/bin/uname", 0},
                            {"*", "git", "^status$", 20, "git status", "/usr/bin/git", 0}}));
  const auto usage = must(store->usage());
  REQUIRE(usage.size() == 2);
  CHECK(usage[0].agent == "*");
  CHECK(usage[0].arg_pattern == "^status$");
  CHECK(usage[1].use_count == 2);
  CHECK(usage[1].last_used_at_ms == 20);
  CHECK(usage[1].last_used_command == "uname -a");
  CHECK(must(store->document()).hash == before.hash);
  CHECK(must(store->document_generation()) == before.generation);
}

TEST_CASE("a run row comes back as it went in", "[store][runs]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  RunRow row = sample_run("run-1");
  row.command_text = std::string("nul\0inside", 10);
  row.row_id = must(store->insert_run(row));
  row.state = "finished";
  row.exit_code = 0;
  row.stdout_bytes = 5'000'000'000;
  row.stderr_bytes = 2;
  row.dropped_bytes = 3;
  row.cpu_us = 1500;
  row.peak_memory_bytes = std::int64_t{5} << 30;
  row.measured = "group";
  row.output_tail = "tail";
  row.ended_at_ms = 2000;
  must(store->end_run(row));
  must(store->mark_delivered(row.row_id));
  const auto stored = must(store->run("run-1"));
  REQUIRE(stored.has_value());
  CHECK(stored->row_id == row.row_id);
  CHECK(stored->invoke_id == row.invoke_id);
  CHECK(stored->door == "hostlink");
  CHECK(stored->principal == "tokens/ci");
  CHECK(stored->agent_id == row.agent_id);
  CHECK(stored->session_key == row.session_key);
  CHECK(stored->command_text == row.command_text);
  CHECK(stored->argv_json == row.argv_json);
  CHECK(stored->cwd == row.cwd);
  CHECK(stored->resolved_path == row.resolved_path);
  CHECK(stored->verdict == "allow");
  CHECK(stored->code == "ALLOWED");
  CHECK(stored->reason == "listed");
  CHECK(stored->state == "finished");
  CHECK(stored->delivered);
  CHECK(stored->exit_code == 0);
  CHECK_FALSE(stored->signal.has_value());
  CHECK(stored->stdout_bytes == 5'000'000'000);
  CHECK(stored->stderr_bytes == 2);
  CHECK(stored->dropped_bytes == 3);
  CHECK(stored->cpu_us == 1500);
  CHECK(stored->peak_memory_bytes == std::int64_t{5} << 30);
  CHECK(stored->measured == "group");
  CHECK(stored->output_tail == "tail");
  CHECK(stored->started_at_ms == 1000);
  CHECK(stored->ended_at_ms == 2000);
}

TEST_CASE("an end that is recorded after the delivery leaves the mark of it", "[store][runs]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  RunRow row = sample_run("run-1");
  row.row_id = must(store->insert_run(row));
  must(store->mark_delivered(row.row_id));
  row.state = "finished";
  must(store->end_run(row));
  CHECK(must(store->run("run-1"))->delivered);
}

TEST_CASE("what a failing transaction has written through others goes with it", "[store][runs]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const auto failed = store->transaction([&]() -> Result<void> {
    const auto row_id = store->insert_run(sample_run("run-1"));
    if (!row_id) return row_id.error();
    RunRow missing = sample_run("run-1");
    missing.row_id = *row_id + 1;
    return store->end_run(missing);
  });
  CHECK(code_of(failed) == "STORE_NOT_FOUND");
  CHECK_FALSE(must(store->run("run-1")).has_value());
}

TEST_CASE("ending a run that is gone says so", "[store][runs]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  RunRow row = sample_run("run-1");
  row.row_id = 77;
  CHECK(code_of(store->end_run(row)) == "STORE_NOT_FOUND");
}

TEST_CASE("runs are listed newest first and filtered", "[store][runs]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  for (int i = 0; i < 6; ++i) {
    RunRow row = sample_run("run-" + std::to_string(i));
    row.verdict = i % 2 == 0 ? "allow" : "deny";
    row.agent_id = i < 3 ? "main" : "ops";
    must(store->insert_run(row));
  }
  const auto newest = must(store->runs({2, "", ""}));
  REQUIRE(newest.size() == 2);
  CHECK(newest[0].run_id == "run-5");
  CHECK(newest[1].run_id == "run-4");
  CHECK(must(store->runs({50, "deny", ""})).size() == 3);
  CHECK(must(store->runs({50, "deny", "ops"})).size() == 2);
}

TEST_CASE("a run is found by id, by row and by a prefix that only it has", "[store][runs]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->insert_run(sample_run("abcd-1")));
  must(store->insert_run(sample_run("abxy-2")));
  RunRow again = sample_run("abcd-1");
  again.reason = "second";
  const std::int64_t row_id = must(store->insert_run(again));
  CHECK(must(store->run("abcd-1"))->reason == "second");
  CHECK(must(store->run("abc"))->run_id == "abcd-1");
  CHECK(must(store->run(std::to_string(row_id)))->run_id == "abcd-1");
  CHECK(code_of(store->run("ab")) == "RUN_AMBIGUOUS");
  CHECK_FALSE(must(store->run("zz")).has_value());
  CHECK_FALSE(must(store->run("")).has_value());
}

TEST_CASE("a prefix says nothing of runs that are not looked among", "[store][runs]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  RunRow other = sample_run("abxy-2");
  other.agent_id = "other";
  const std::int64_t other_row = must(store->insert_run(other));
  RunRow mine = sample_run("abcd-1");
  mine.agent_id = "mine";
  const std::int64_t my_row = must(store->insert_run(mine));
  RunFilter among;
  among.agent_id = "mine";
  CHECK(must(store->run("ab", among))->run_id == "abcd-1");
  CHECK(must(store->run(std::to_string(my_row), among))->run_id == "abcd-1");
  for (const std::string& id : {std::string("abxy-2"), std::string("abx"), std::to_string(other_row)})
    CHECK_FALSE(must(store->run(id, among)).has_value());
  among.session_key = "another";
  CHECK_FALSE(must(store->run("ab", among)).has_value());
  CHECK(code_of(store->run("ab")) == "RUN_AMBIGUOUS");
}

TEST_CASE("what a dead process left open is marked interrupted, nothing else", "[store][runs]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  for (const char* state : {"decided", "running", "finished", "timed-out"}) {
    RunRow row = sample_run(state);
    row.state = state;
    must(store->insert_run(row));
  }
  RunRow denied = sample_run("denied");
  denied.verdict = "deny";
  must(store->insert_run(denied));
  CHECK(must(store->mark_interrupted_runs(5000)) == 2);
  CHECK(must(store->run("running"))->state == "interrupted");
  CHECK(must(store->run("running"))->ended_at_ms == 5000);
  CHECK(must(store->run("finished"))->state == "finished");
  CHECK(must(store->run("denied"))->state == "decided");
  CHECK(must(store->mark_interrupted_runs(6000)) == 0);
}

TEST_CASE("a request to end a run is for that run alone, and goes with its end", "[store][runs]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  std::vector<RunRow> runs;
  for (const char* id : {"cancelled", "withdrawn", "interrupted", "other"}) {
    RunRow run = sample_run(id);
    run.state = "running";
    run.row_id = must(store->insert_run(run));
    runs.push_back(run);
  }
  const auto asked = [&](const RunRow& run) { return must(store->cancel_request(run.row_id, run.run_id)); };
  for (std::size_t i = 0; i < 3; ++i) must(store->request_cancel(runs[i], {"cli", "alice"}));
  CHECK(asked(runs[0]) == "cli alice");
  CHECK_FALSE(asked(runs[3]).has_value());
  // Another run that got the same row.
  CHECK_FALSE(must(store->cancel_request(runs[0].row_id, "later")).has_value());
  runs[0].state = "cancelled";
  must(store->end_run(runs[0]));
  CHECK_FALSE(asked(runs[0]).has_value());
  must(store->withdraw_cancel(runs[1].row_id));
  CHECK_FALSE(asked(runs[1]).has_value());
  CHECK(must(store->mark_interrupted_runs(5000)) == 3);
  CHECK_FALSE(asked(runs[2]).has_value());
  CHECK(must(store->settings()).empty());
  AuditFilter filter;
  filter.kind = "cancel";
  CHECK(must(AuditChain(*store).rows(filter)).size() == 3);
}

TEST_CASE("old run rows go and the newest stay", "[store][runs]") {
  TemporaryDirectory base;
  StoreOptions options;
  options.kept_runs = 300;
  auto store = open_store(base.path(), OpenMode::kReadWrite, options);
  must(store->transaction([&]() -> Result<void> {
    for (int i = 0; i < 1024; ++i) {
      if (auto inserted = store->insert_run(sample_run("run-" + std::to_string(i))); !inserted)
        return inserted.error();
    }
    return {};
  }));
  const auto rows = must(store->runs({5000, "", ""}));
  CHECK(rows.size() == 300);
  CHECK(rows.front().run_id == "run-1023");
  CHECK(rows.back().run_id == "run-724");
}

TEST_CASE("the oldest runs that are over go, so many at once, and open ones stay", "[store][runs]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  for (const char* state : {"running", "finished", "decided", "timed-out", "finished"}) {
    RunRow row = sample_run(state);
    row.state = state;
    must(store->insert_run(row));
  }
  RunRow denied = sample_run("denied");
  denied.verdict = "deny";
  denied.state = "decided";
  must(store->insert_run(denied));
  CHECK(must(store->remove_oldest_runs(2)) == 2);
  CHECK(must(store->runs({})).size() == 4);
  CHECK(must(store->remove_oldest_runs(10)) == 2);
  const auto left = must(store->runs({}));
  REQUIRE(left.size() == 2);
  CHECK(left[0].state == "decided");
  CHECK(left[1].state == "running");
}

TEST_CASE("a transaction commits as a whole or not at all", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const auto failed = store->transaction([&]() -> Result<void> {
    must(store->put_setting("a", 1));
    must(store->insert_run(sample_run("r")));
    return make_error("WANTED", "no");
  });
  CHECK(code_of(failed) == "WANTED");
  CHECK(must(store->settings()).empty());
  CHECK(must(store->runs({})).empty());
  must(store->transaction([&] { return store->put_setting("a", 2); }));
  CHECK(setting_text(*store, "a") == "2");
}

TEST_CASE("a failed inner transaction undoes its own part only", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->transaction([&]() -> Result<void> {
    must(store->put_setting("outer", 1));
    const auto inner = store->transaction([&]() -> Result<void> {
      must(store->put_setting("inner", 1));
      return make_error("WANTED", "no");
    });
    CHECK(code_of(inner) == "WANTED");
    return {};
  }));
  CHECK(setting_text(*store, "outer") != "absent");
  CHECK(setting_text(*store, "inner") == "absent");
}

TEST_CASE("a reading store reads and refuses to write", "[store]") {
  TemporaryDirectory base;
  auto writer = open_store(base.path());
  must(writer->put_setting("a", 1));
  auto reader = open_store(base.path(), OpenMode::kReadOnly);
  CHECK(setting_text(*reader, "a") == "1");
  CHECK(code_of(reader->put_setting("a", 2)) == "STORE_READ_ONLY");
  must(writer->put_setting("a", 3));
  CHECK(setting_text(*reader, "a") == "3");
}

TEST_CASE(
    "a database under a second name is refused, because a lock beside one name does not guard the other",
    "[store]") {
  namespace fs = std::filesystem;
  TemporaryDirectory base;
  TemporaryDirectory other;
  open_store(base.path()).reset();
  const fs::path file = fs::path(base.path()) / "hostclaw.sqlite";
  const fs::path alias = fs::path(other.path()) / "hostclaw.sqlite";
  for (const bool symbolic : {true, false}) {
    if (symbolic) {
      std::error_code without_links;
      fs::create_symlink(file, alias, without_links);
#ifdef _WIN32
      // A Windows account may have no right to make them.
      if (without_links) continue;
#endif
      REQUIRE_FALSE(without_links);
    } else {
      fs::create_hard_link(file, alias);
    }
    for (const OpenMode mode : {OpenMode::kReadOnly, OpenMode::kReadWrite}) {
      const auto refused = Store::open(other.path(), mode);
      REQUIRE_FALSE(refused.has_value());
      CHECK(refused.error().code == "STORE_LINKED");
      CHECK_FALSE(refused.error().next.empty());
    }
    fs::remove(alias);
  }
  CHECK(Store::open(base.path(), OpenMode::kReadWrite).has_value());
}

TEST_CASE("an older database is brought to the current schema", "[store]") {
  TemporaryDirectory base;
  for (std::int64_t version = 1; version <= schema_version(); ++version) {
    const std::string directory = base / std::to_string(version);
    write_file(directory + "/hostclaw.sqlite", must(empty_database_image(version)));
    close_directory(directory);
    run_sql(directory + "/hostclaw.sqlite", "INSERT INTO settings VALUES ('kept', '1', 0)");
    auto store = open_store(directory);
    CHECK(must(store->database().integer("PRAGMA user_version")) == schema_version());
    CHECK(setting_text(*store, "kept") == "1");
  }
}

TEST_CASE("runs of a database that knew one door are read, without a door", "[store][runs]") {
  TemporaryDirectory base;
  write_file(base / "hostclaw.sqlite", must(empty_database_image(4)));
  close_directory(base.path());
  run_sql(
      base / "hostclaw.sqlite",
      "INSERT INTO runs VALUES (1, 'run-1', 'i', 'main', 's', 'allow', 'ALLOWED', 'finished', 1, 0, NULL, "
      "0, 0, 0, 1000, 2000, '/', '/bin/true', 'listed', 'true', '[\"true\"]', '')");
  // First only read, as `runs` does beside a node of an older version, which the migration would disturb.
  for (const OpenMode mode : {OpenMode::kReadOnly, OpenMode::kReadWrite}) {
    const auto store = must(Store::open(base.path(), mode));
    const auto before = must(store->run("run-1"));
    REQUIRE(before.has_value());
    CHECK(before->door.empty());
    CHECK(before->principal.empty());
    CHECK(before->command_text == "true");
    CHECK(before->measured.empty());
    CHECK_FALSE(before->cpu_us.has_value());
    CHECK(must(store->run("1")).has_value());
    CHECK(must(store->runs({})).size() == 1);
  }
}

TEST_CASE("runs of a database that did not measure them are read, without figures", "[store][runs]") {
  TemporaryDirectory base;
  write_file(base / "hostclaw.sqlite", must(empty_database_image(5)));
  close_directory(base.path());
  run_sql(
      base / "hostclaw.sqlite",
      "INSERT INTO runs VALUES (1, 'run-1', 'i', 'main', 's', 'allow', 'ALLOWED', 'finished', 1, 0, NULL, "
      "0, 0, 0, 1000, 2000, '/', '/bin/true', 'listed', 'true', '[\"true\"]', '', 'gateway', "
      "'ws://gateway')");
  for (const OpenMode mode : {OpenMode::kReadOnly, OpenMode::kReadWrite}) {
    const auto store = must(Store::open(base.path(), mode));
    const auto before = must(store->run("run-1"));
    REQUIRE(before.has_value());
    CHECK(before->principal == "ws://gateway");
    CHECK_FALSE(before->cpu_us.has_value());
    CHECK_FALSE(before->peak_memory_bytes.has_value());
    CHECK(before->measured.empty());
  }
}

}  // namespace
}  // namespace hostclaw::approvals
