// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/schema.h"

#include <array>
#include <chrono>
#include <cstdint>

#include "approvals/platform/private_files.h"

namespace hostclaw::clawlink {
namespace {

using approvals::Database;

constexpr std::int64_t kApplicationId = 0x48434C4B;  // "HCLK"
constexpr std::chrono::seconds kPatience{5};

// Step n brings a database of version n to version n + 1. A step that was released is never edited.
constexpr std::array<const char*, 5> kSteps = {
    R"sql(
CREATE TABLE agents (
  agent_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  capabilities TEXT NOT NULL,
  machine TEXT NOT NULL,
  description TEXT NOT NULL,
  registered_at_ms INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL,
  guarded INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX agents_by_last_seen ON agents (last_seen_ms);

CREATE TABLE credentials (
  key_id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL,
  sha256 BLOB NOT NULL,
  created_at_ms INTEGER NOT NULL,
  used_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX credentials_by_agent ON credentials (agent_id);

CREATE TABLE tasks (
  task_id TEXT PRIMARY KEY,
  message_id TEXT NOT NULL UNIQUE,
  context_id TEXT NOT NULL,
  from_agent TEXT NOT NULL,
  to_agent TEXT NOT NULL,
  state TEXT NOT NULL,
  status_text TEXT NOT NULL,
  priority TEXT NOT NULL,
  origin TEXT NOT NULL,
  verified INTEGER NOT NULL,
  deadline_ms INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  events INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tasks_from ON tasks (from_agent, updated_at_ms DESC, task_id);
CREATE INDEX tasks_to ON tasks (to_agent, updated_at_ms DESC, task_id);
CREATE INDEX tasks_of_context ON tasks (context_id, updated_at_ms DESC);
CREATE INDEX tasks_by_time ON tasks (updated_at_ms DESC, task_id);
CREATE INDEX tasks_by_deadline ON tasks (deadline_ms)
  WHERE deadline_ms > 0 AND state IN ('submitted', 'working', 'input_required');

CREATE TABLE task_events (
  task_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (task_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE shared_bodies (
  body_id INTEGER PRIMARY KEY,
  body TEXT NOT NULL,
  uses INTEGER NOT NULL
) STRICT;

CREATE TABLE deliveries (
  delivery_id INTEGER PRIMARY KEY AUTOINCREMENT,
  to_agent TEXT NOT NULL,
  kind TEXT NOT NULL,
  task_id TEXT NOT NULL,
  body TEXT,
  body_id INTEGER,
  bytes INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  queued_at_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  lease TEXT,
  lease_until_ms INTEGER,
  of_connection INTEGER NOT NULL
) STRICT;
CREATE INDEX deliveries_waiting ON deliveries (to_agent, priority, due_ms) WHERE lease IS NULL;
CREATE INDEX deliveries_due ON deliveries (due_ms) WHERE lease IS NULL;
CREATE UNIQUE INDEX deliveries_by_lease ON deliveries (lease) WHERE lease IS NOT NULL;
CREATE INDEX deliveries_by_lease_end ON deliveries (lease_until_ms) WHERE lease IS NOT NULL;
CREATE INDEX deliveries_by_expiry ON deliveries (expires_ms);
CREATE INDEX deliveries_of_task ON deliveries (task_id) WHERE task_id <> '';

CREATE TABLE queues (
  agent_id TEXT PRIMARY KEY,
  rows_waiting INTEGER NOT NULL,
  bytes_waiting INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER delivery_enters AFTER INSERT ON deliveries BEGIN
  INSERT INTO queues (agent_id, rows_waiting, bytes_waiting) VALUES (NEW.to_agent, 1, NEW.bytes)
    ON CONFLICT (agent_id) DO UPDATE SET rows_waiting = rows_waiting + 1, bytes_waiting = bytes_waiting + NEW.bytes;
END;
CREATE TRIGGER delivery_leaves AFTER DELETE ON deliveries BEGIN
  UPDATE queues SET rows_waiting = rows_waiting - 1, bytes_waiting = bytes_waiting - OLD.bytes
    WHERE agent_id = OLD.to_agent;
  DELETE FROM queues WHERE agent_id = OLD.to_agent AND rows_waiting <= 0;
  UPDATE shared_bodies SET uses = uses - 1 WHERE body_id = OLD.body_id;
  DELETE FROM shared_bodies WHERE body_id = OLD.body_id AND uses <= 0;
END;

CREATE TABLE sent_events (
  event_id INTEGER PRIMARY KEY AUTOINCREMENT,
  agent_id TEXT NOT NULL,
  body TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX sent_events_of_agent ON sent_events (agent_id, event_id);
CREATE INDEX sent_events_by_time ON sent_events (at_ms);

CREATE TABLE dead_letters (
  delivery_id INTEGER PRIMARY KEY,
  to_agent TEXT NOT NULL,
  kind TEXT NOT NULL,
  task_id TEXT NOT NULL,
  body TEXT NOT NULL,
  reason TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE files (
  file_key TEXT PRIMARY KEY,
  file_type TEXT NOT NULL,
  last_editor TEXT NOT NULL,
  version INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE file_versions (
  file_key TEXT NOT NULL,
  version INTEGER NOT NULL,
  file_type TEXT NOT NULL,
  editor TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (file_key, version)
) STRICT;

CREATE TABLE requests (
  caller TEXT NOT NULL,
  request_key TEXT NOT NULL,
  request_hash BLOB NOT NULL,
  status INTEGER NOT NULL,
  answer TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (caller, request_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_time ON requests (at_ms);

CREATE TABLE rules (
  rule_id INTEGER PRIMARY KEY AUTOINCREMENT,
  effect TEXT NOT NULL,
  verb TEXT NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  previous BLOB NOT NULL,
  hash BLOB NOT NULL
) STRICT;
CREATE TABLE audit_state (
  slot INTEGER PRIMARY KEY CHECK (slot = 1),
  chain TEXT NOT NULL,
  anchor_sequence INTEGER NOT NULL,
  anchor_hash BLOB NOT NULL,
  pruned_row INTEGER NOT NULL,
  checkpoint_row INTEGER NOT NULL,
  checkpoint_at_ms INTEGER NOT NULL
) STRICT;
CREATE TRIGGER audit_rows_are_never_changed BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'audit rows are never changed');
END;
CREATE TRIGGER audit_rows_are_only_removed_by_retention BEFORE DELETE ON audit
WHEN OLD.sequence > (SELECT anchor_sequence FROM audit_state WHERE slot = 1) BEGIN
  SELECT RAISE(ABORT, 'audit rows are only removed by retention');
END;
)sql",
    R"sql(
ALTER TABLE tasks ADD COLUMN event_bytes INTEGER NOT NULL DEFAULT 0;
)sql",
    R"sql(
CREATE INDEX tasks_ended ON tasks (updated_at_ms, task_id)
  WHERE state IN ('completed', 'failed', 'rejected', 'cancelled');
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE push_configs (
  push_id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id TEXT NOT NULL,
  config_id TEXT NOT NULL,
  caller TEXT NOT NULL,
  key_id TEXT NOT NULL,
  url TEXT NOT NULL,
  token TEXT NOT NULL,
  scheme TEXT NOT NULL,
  credentials TEXT NOT NULL,
  place TEXT NOT NULL,
  told INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  due_ms INTEGER,
  finished INTEGER NOT NULL,
  UNIQUE (task_id, config_id)
) STRICT;
CREATE INDEX push_configs_due ON push_configs (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX push_configs_of_caller ON push_configs (caller) WHERE finished = 0;

CREATE TABLE push_failures (
  failure_id INTEGER PRIMARY KEY AUTOINCREMENT,
  caller TEXT NOT NULL,
  task_id TEXT NOT NULL,
  config_id TEXT NOT NULL,
  place TEXT NOT NULL,
  events INTEGER NOT NULL,
  reason TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE task_counts (
  state TEXT PRIMARY KEY,
  tasks INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO task_counts (state, tasks) SELECT state, count(*) FROM tasks GROUP BY state;
CREATE TRIGGER task_is_counted AFTER INSERT ON tasks BEGIN
  INSERT INTO task_counts (state, tasks) VALUES (NEW.state, 1)
    ON CONFLICT (state) DO UPDATE SET tasks = tasks + 1;
END;
CREATE TRIGGER task_is_counted_anew AFTER UPDATE OF state ON tasks WHEN OLD.state <> NEW.state BEGIN
  UPDATE task_counts SET tasks = tasks - 1 WHERE state = OLD.state;
  INSERT INTO task_counts (state, tasks) VALUES (NEW.state, 1)
    ON CONFLICT (state) DO UPDATE SET tasks = tasks + 1;
END;
CREATE TRIGGER task_is_counted_no_more AFTER DELETE ON tasks BEGIN
  UPDATE task_counts SET tasks = tasks - 1 WHERE state = OLD.state;
  DELETE FROM push_configs WHERE task_id = OLD.task_id;
END;
)sql",
    R"sql(
CREATE TABLE forwards (
  agent_id TEXT PRIMARY KEY,
  url TEXT NOT NULL,
  place TEXT NOT NULL,
  token_file TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER forward_goes_with_its_agent AFTER DELETE ON agents BEGIN
  DELETE FROM forwards WHERE agent_id = OLD.agent_id;
  DELETE FROM forwarded WHERE agent_id = OLD.agent_id;
END;
CREATE TABLE forwarded (
  task_id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL,
  message_id TEXT NOT NULL,
  body TEXT NOT NULL,
  foreign_task_id TEXT NOT NULL,
  foreign_context_id TEXT NOT NULL,
  due_ms INTEGER NOT NULL,
  wait_ms INTEGER NOT NULL,
  failing_since_ms INTEGER NOT NULL,
  sent_again INTEGER NOT NULL,
  asks INTEGER NOT NULL,
  told TEXT NOT NULL
) STRICT;
CREATE INDEX forwarded_due ON forwarded (agent_id, due_ms);
CREATE TRIGGER forwarded_is_due_when_its_task_ends AFTER UPDATE OF state ON tasks
WHEN NEW.state IN ('completed', 'failed', 'rejected', 'cancelled') BEGIN
  UPDATE forwarded SET due_ms = 1 WHERE task_id = NEW.task_id;
END;
CREATE TRIGGER forwarded_goes_with_its_task AFTER DELETE ON tasks BEGIN
  DELETE FROM forwarded WHERE task_id = OLD.task_id;
END;
)sql",
};

constexpr auto kVersion = static_cast<std::int64_t>(kSteps.size());

Result<void> configure(Database& database) {
  if (Result<void> done = database.execute(
          "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -8192;"
          "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = FAST; PRAGMA cell_size_check = ON;"
          "PRAGMA trusted_schema = OFF;");
      !done) {
    return done;
  }
  sqlite3_db_config(database.handle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  return {};
}

// Nothing is done to a file that is not ours, or of a newer program.
Result<std::int64_t> known_version(Database& database) {
  const Result<std::int64_t> application = database.integer("PRAGMA application_id");
  if (!application) return application.error();
  const Result<std::int64_t> version = database.integer("PRAGMA user_version");
  if (!version) return version.error();
  if (*version > 0 && *application != kApplicationId) {
    return make_error("STORE_FOREIGN",
                      database.path() + " is a database of another program; it was left as it is",
                      approvals::command_to_rename(database.path(), database.path() + ".foreign"));
  }
  if (*version > kVersion) return approvals::newer_schema(database, *version, kVersion);
  return *version;
}

Result<void> migrate(Database& database) {
  return database.transaction([&]() -> Result<void> {
    const Result<std::int64_t> version = known_version(database);
    if (!version) return version.error();
    for (std::int64_t step = *version; step < kVersion; ++step) {
      if (Result<void> done = database.execute(kSteps[static_cast<std::size_t>(step)]); !done) return done;
    }
    if (*version == kVersion) return {};
    return database.execute(("PRAGMA application_id = " + std::to_string(kApplicationId) +
                             "; PRAGMA user_version = " + std::to_string(kVersion))
                                .c_str());
  });
}

}  // namespace

std::string database_path(const std::string& directory) { return directory + "/clawlink.sqlite"; }

Result<std::unique_ptr<Database>> open_relay_database(const std::string& directory) {
  const std::string path = database_path(directory);
  if (Result<void> ready = approvals::ensure_private_directory(directory); !ready) return ready.error();
  if (!approvals::file_exists(path)) {
    if (Result<void> made = approvals::create_private_file(path, ""); !made) return made.error();
  }
  if (Result<void> checked = approvals::check_private_database(path); !checked) return checked.error();
  Result<std::unique_ptr<Database>> opened =
      Database::open(approvals::sqlite_uri(path, ""), path, SQLITE_OPEN_READWRITE, kPatience);
  if (!opened) return opened;
  Database& database = **opened;
  if (sqlite3_db_readonly(database.handle(), "main") == 1) {
    return make_error("STORE_READ_ONLY", path + " cannot be written by this process",
                      approvals::command_for_access_rights(path));
  }
  if (const Result<std::int64_t> version = known_version(database); !version) return version.error();
  if (Result<void> wal = database.execute("PRAGMA journal_mode = WAL;"); !wal) return wal.error();
  if (Result<void> configured = configure(database); !configured) return configured.error();
  if (Result<void> migrated = migrate(database); !migrated) return migrated.error();
  return opened;
}

Result<std::unique_ptr<Database>> open_relay_database_for_reading(const std::string& directory) {
  const std::string path = database_path(directory);
  if (!approvals::file_exists(path)) {
    return make_error("STORE_NOT_FOUND", "no relay ever ran with its state in " + directory,
                      "hostclaw clawlink serve");
  }
  if (Result<void> checked = approvals::check_private_database(path); !checked) return checked.error();
  Result<std::unique_ptr<Database>> opened =
      Database::open(approvals::sqlite_uri(path, "mode=ro"), path, SQLITE_OPEN_READONLY, kPatience);
  if (!opened) return opened;
  const Result<std::int64_t> version = known_version(**opened);
  if (!version) return version.error();
  if (*version < kVersion) {
    return make_error("STORE_NOT_FOUND", path + " was not made ready by this version yet",
                      "hostclaw clawlink serve");
  }
  return opened;
}

}  // namespace hostclaw::clawlink
