// SPDX-License-Identifier: Apache-2.0
#include "approvals/database/schema.h"

#include <array>
#include <string_view>

namespace hostclaw::approvals {
namespace {

// Step n brings a database of version n to version n + 1. A step that was released is never edited: databases
// in the field have taken it.
constexpr std::array<const char*, 6> kSteps = {
    R"sql(
CREATE TABLE identity (
  slot INTEGER PRIMARY KEY CHECK (slot = 1),
  device_id TEXT NOT NULL,
  public_key_pem TEXT NOT NULL,
  private_key_pem TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE device_tokens (
  device_id TEXT NOT NULL,
  role TEXT NOT NULL,
  token TEXT NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  PRIMARY KEY (device_id, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE policy_document (
  slot INTEGER PRIMARY KEY CHECK (slot = 1),
  generation INTEGER NOT NULL,
  hash TEXT NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  raw_text TEXT NOT NULL
) STRICT;

CREATE TABLE policy_history (
  generation INTEGER PRIMARY KEY,
  written_at_ms INTEGER NOT NULL,
  door TEXT NOT NULL,
  who TEXT NOT NULL,
  hash_before TEXT NOT NULL,
  hash_after TEXT NOT NULL,
  text_after TEXT NOT NULL
) STRICT;

CREATE TABLE allowlist_usage (
  agent TEXT NOT NULL,
  pattern TEXT NOT NULL,
  arg_pattern TEXT NOT NULL,
  last_used_at_ms INTEGER NOT NULL,
  last_used_command TEXT NOT NULL,
  last_resolved_path TEXT NOT NULL,
  use_count INTEGER NOT NULL,
  PRIMARY KEY (agent, pattern, arg_pattern)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
  row_id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL,
  invoke_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  session_key TEXT NOT NULL,
  verdict TEXT NOT NULL,
  code TEXT NOT NULL,
  state TEXT NOT NULL,
  delivered INTEGER NOT NULL,
  exit_code INTEGER,
  signal INTEGER,
  stdout_bytes INTEGER NOT NULL,
  stderr_bytes INTEGER NOT NULL,
  dropped_bytes INTEGER NOT NULL,
  started_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER NOT NULL,
  cwd TEXT NOT NULL,
  resolved_path TEXT NOT NULL,
  reason TEXT NOT NULL,
  command_text TEXT NOT NULL,
  argv_json TEXT NOT NULL,
  output_tail TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_run_id ON runs (run_id);
-- Few rows are open at any time, so finding what a dead process left costs nothing.
CREATE INDEX runs_open ON runs (state) WHERE verdict = 'allow' AND state IN ('decided', 'running');
)sql",
    R"sql(
CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  previous BLOB NOT NULL,
  hash BLOB NOT NULL
) STRICT;

-- What was removed by retention (up to and including anchor_sequence), and the newest checkpoint.
CREATE TABLE audit_state (
  slot INTEGER PRIMARY KEY CHECK (slot = 1),
  chain TEXT NOT NULL,
  anchor_sequence INTEGER NOT NULL,
  anchor_hash BLOB NOT NULL,
  pruned_row INTEGER NOT NULL,
  checkpoint_row INTEGER NOT NULL,
  checkpoint_at_ms INTEGER NOT NULL
) STRICT;

-- Against mistakes, ours and others'; against intent there is the chain.
CREATE TRIGGER audit_rows_are_never_changed BEFORE UPDATE ON audit
BEGIN
  SELECT RAISE(ABORT, 'audit rows are never changed');
END;
CREATE TRIGGER audit_rows_are_only_removed_by_retention BEFORE DELETE ON audit
WHEN OLD.sequence > (SELECT anchor_sequence FROM audit_state WHERE slot = 1)
BEGIN
  SELECT RAISE(ABORT, 'audit rows are only removed by retention');
END;
)sql",
    R"sql(
CREATE TABLE questions (
  id TEXT PRIMARY KEY,
  question_key TEXT NOT NULL,
  state TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  session_key TEXT NOT NULL,
  run_id TEXT NOT NULL,
  invoke_id TEXT NOT NULL,
  shown_text TEXT NOT NULL,
  command_text TEXT NOT NULL,
  commands_json TEXT NOT NULL,
  cwd TEXT NOT NULL,
  details_json TEXT NOT NULL,
  lasting_refused TEXT NOT NULL,
  asked_at_ms INTEGER NOT NULL,
  asked_count INTEGER NOT NULL,
  deadline_ms INTEGER NOT NULL,
  caller_deadline_ms INTEGER NOT NULL,
  caller_waits INTEGER NOT NULL,
  answered_at_ms INTEGER NOT NULL,
  decision TEXT NOT NULL,
  answered_door TEXT NOT NULL,
  answered_who TEXT NOT NULL,
  late INTEGER NOT NULL,
  grant_ids_json TEXT NOT NULL
) STRICT;
-- A repeated identical question is one question.
CREATE UNIQUE INDEX questions_pending ON questions (question_key) WHERE state = 'pending';
CREATE INDEX questions_by_time ON questions (asked_at_ms);

CREATE TABLE grants (
  id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL,
  scope TEXT NOT NULL,
  plan_key TEXT NOT NULL,
  executable TEXT NOT NULL,
  arguments_json TEXT NOT NULL,
  cwd TEXT NOT NULL,
  arg_pattern TEXT NOT NULL,
  session_key TEXT NOT NULL,
  shown_text TEXT NOT NULL,
  question_id TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  created_door TEXT NOT NULL,
  created_who TEXT NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  uses_left INTEGER,
  use_count INTEGER NOT NULL,
  last_used_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER NOT NULL,
  revoked_door TEXT NOT NULL,
  revoked_who TEXT NOT NULL
) STRICT;
CREATE INDEX grants_in_force ON grants (agent_id) WHERE revoked_at_ms = 0 AND uses_left IS NOT 0;
)sql",
    R"sql(
CREATE TABLE rules (
  id TEXT PRIMARY KEY,
  source TEXT NOT NULL CHECK (source IN ('owner', 'starter')),
  updated_at_ms INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Counts every change, so that a reader notices one without reading the rules.
CREATE TABLE rule_state (
  slot INTEGER PRIMARY KEY CHECK (slot = 1),
  generation INTEGER NOT NULL
) STRICT;

-- What would have been asked about or refused while the node only observes.
CREATE TABLE observed (
  agent TEXT NOT NULL,
  verdict TEXT NOT NULL,
  code TEXT NOT NULL,
  subject TEXT NOT NULL,
  count INTEGER NOT NULL,
  first_at_ms INTEGER NOT NULL,
  last_at_ms INTEGER NOT NULL,
  last_command TEXT NOT NULL,
  PRIMARY KEY (agent, verdict, code, subject)
) STRICT, WITHOUT ROWID;
)sql",
    // Who asked. Rows from before do not say; they came from a gateway.
    R"sql(
ALTER TABLE runs ADD COLUMN door TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN principal TEXT NOT NULL DEFAULT '';
)sql",
    // What a run used. Rows from before do not say.
    R"sql(
ALTER TABLE runs ADD COLUMN cpu_us INTEGER;
ALTER TABLE runs ADD COLUMN peak_memory_bytes INTEGER;
ALTER TABLE runs ADD COLUMN measured TEXT NOT NULL DEFAULT '';
)sql",
};

constexpr std::array<std::string_view, 14> kTables = {
    "identity",        "device_tokens", "settings",   "policy_document", "policy_history",
    "allowlist_usage", "runs",          "audit",      "audit_state",     "questions",
    "grants",          "rules",         "rule_state", "observed"};

// Offsets of the file format: 2 in both says that readers and writers must use a write-ahead log.
constexpr std::size_t kWriteVersionOffset = 18;
constexpr std::size_t kReadVersionOffset = 19;

}  // namespace

std::int64_t schema_version() { return static_cast<std::int64_t>(kSteps.size()); }

Result<void> migrate(Database& database) { return migrate_to(database, schema_version()); }

Result<void> migrate_to(Database& database, std::int64_t target) {
  return database.transaction([&]() -> Result<void> {
    // Read inside the transaction: another process may have migrated while this one waited.
    const Result<std::int64_t> version = database.integer("PRAGMA user_version");
    if (!version) return version.error();
    if (*version > schema_version()) return newer_schema(database, *version, schema_version());
    for (std::int64_t step = *version; step < target; ++step) {
      if (Result<void> done = database.execute(kSteps[static_cast<std::size_t>(step)]); !done) return done;
    }
    if (*version >= target) return {};
    return database.execute(("PRAGMA user_version = " + std::to_string(target)).c_str());
  });
}

Result<void> check_tables(Database& database) {
  for (const std::string_view table : kTables) {
    Statement query = database.statement("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?");
    const Result<bool> found = query.bind(table).step();
    if (!found) return found.error();
    if (!*found) {
      return make_error("STORE_CORRUPT", database.path() + " is damaged and was left as it is: table " +
                                             std::string(table) + " is missing");
    }
  }
  return {};
}

Result<std::string> empty_database_image(std::int64_t version) {
  Result<std::unique_ptr<Database>> memory =
      Database::open("file::memory:", ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, {});
  if (!memory) return memory.error();
  Database& database = **memory;
  if (Result<void> marked =
          database.execute(("PRAGMA application_id = " + std::to_string(kApplicationId)).c_str());
      !marked) {
    return marked.error();
  }
  if (Result<void> migrated = migrate_to(database, version); !migrated) return migrated.error();
  sqlite3_int64 size = 0;
  unsigned char* bytes = sqlite3_serialize(database.handle(), "main", &size, 0);
  if (bytes == nullptr) return make_error("STORE_IO", "out of memory while creating the database");
  std::string image(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  sqlite3_free(bytes);
  image[kWriteVersionOffset] = 2;
  image[kReadVersionOffset] = 2;
  return image;
}

}  // namespace hostclaw::approvals
