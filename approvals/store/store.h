// SPDX-License-Identifier: Apache-2.0
// The node's memory: one SQLite database (WAL, STRICT tables, user_version migrations, 0600) in the state
// directory. It holds identity, device tokens, settings, the policy document, runs and decisions.
//
// Thread rule: one Store object belongs to one thread at a time; several processes and several Store objects
// may use the same file at once (busy timeout 5 s). Every write is one transaction. Nothing here throws.
// Errors: STORE_CORRUPT, STORE_NEWER_VERSION, STORE_LOCKED, STORE_READ_ONLY, STORE_FULL, STORE_IO,
// STORE_CONFLICT (compare-and-swap failed), STORE_PERMISSIONS (someone else can read or owns the file),
// STORE_FOREIGN (the file belongs to another program), STORE_LINKED (it is a link or has a second name),
// STORE_MOVED (see follow_file), STORE_NOT_FOUND
// (read-only and there is no file, or no row). A file that is refused is left as it is. Secrets:
// SECRET_PROTECTION, SECRET_UNREADABLE (see secret_protection.h).
//
// Durability: a write that was answered survives the death of this process at any moment (kill -9 included),
// because it is in the write-ahead log by then. It survives a power failure only after
// `survive_power_loss(true)`, which costs one disk flush for each transaction; without it the last moments
// before the failure may be missing, in order and never half.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hostclaw::approvals {

struct IdentityRow {
  std::string device_id;  // lower-case hex SHA-256 of the raw public key
  std::string public_key_pem;
  std::string private_key_pem;  // secret
  std::int64_t created_at_ms = 0;
};

struct DeviceToken {
  std::string token;  // secret
  std::int64_t updated_at_ms = 0;
};

struct StoredDocument {
  bool exists = false;
  std::string raw_text;
  std::string hash;             // SHA-256 of raw_text; "missing:..." when there is none
  std::int64_t generation = 0;  // grows by one with every write
  std::int64_t updated_at_ms = 0;
};

// Who wrote the policy and through which door.
struct Actor {
  std::string door;  // gateway | cli | import | node
  std::string who;   // device id, user name or empty
};

struct RunRow {
  std::string run_id;
  std::string invoke_id;
  std::string door;       // by which it came in; empty in rows of versions that had one door, the gateway's
  std::string principal;  // who asked there, as the door authenticated them
  std::string agent_id;
  std::string session_key;
  std::string command_text;  // display form
  std::string argv_json;
  std::string cwd;
  std::string resolved_path;  // of the first program, empty when none
  std::string verdict;        // allow | ask | deny | invalid
  std::string code;
  std::string reason;
  std::string state;  // decided | running | finished | timed-out | cancelled | launch-failed | interrupted
  bool delivered = false;  // the result reached the gateway
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::int64_t stdout_bytes = 0;
  std::int64_t stderr_bytes = 0;
  std::int64_t dropped_bytes = 0;
  std::optional<std::int64_t> cpu_us;  // what it used, as far as that is known
  std::optional<std::int64_t> peak_memory_bytes;
  std::string measured;     // how: group | programs; empty: not at all, as in rows of older versions
  std::string output_tail;  // last part of the output, for runs whose result was never delivered; UTF-8
  std::int64_t started_at_ms = 0;
  std::int64_t ended_at_ms = 0;
  std::int64_t row_id = 0;
};

struct RunFilter {
  std::size_t limit = 50;
  std::string verdict;           // empty: all
  std::string agent_id;          // empty: all
  std::string session_key = {};  // empty: all
  std::int64_t only_row = 0;     // 0: all
  std::int64_t since_ms = 0;     // only those that started then or later; 0: all
  std::string search = {};       // only commands with this in them, whatever the case; empty: all
};

// The last use of one allowlist entry. Kept apart from the document, so that using an entry does not change
// the hash that an editor holds.
struct EntryUsage {
  std::string agent;  // key under `agents`: the agent id or "*"
  std::string pattern;
  std::string arg_pattern;  // empty: none
  std::int64_t last_used_at_ms = 0;
  std::string last_used_command;
  std::string last_resolved_path;
  std::int64_t use_count = 0;
};

// One write of the policy document; the newest 200 are kept.
struct DocumentWrite {
  std::int64_t generation = 0;
  std::int64_t written_at_ms = 0;
  Actor actor;
  std::string hash_before;
  std::string hash_after;
  std::string text_after;
};

struct StoreOptions {
  std::chrono::milliseconds busy_timeout{5000};
  std::int64_t kept_runs = 100'000;  // older run rows go, a few hundred at a time
};

enum class OpenMode {
  kReadWrite,          // creates directory (0700), file (0600) and schema; migrates older versions
  kReadWriteExisting,  // the same of a state that is there; STORE_NOT_FOUND where there is none, and none is
                       // made
  kReadOnly,           // changes nothing (SQLite may keep its own -shm beside the file while it is open)
};

class Database;

class Store {
 public:
  // `directory` is the state directory; the file is hostclaw.sqlite in it.
  static Result<std::unique_ptr<Store>> open(const std::string& directory, OpenMode mode,
                                             const StoreOptions& options = {});
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  std::string path() const;

  // Everything `body` does with this Store commits together, or not at all when it answers an error. May
  // nest: an inner transaction that fails undoes its own part only. Others cannot write meanwhile, so keep it
  // short.
  Result<void> transaction(const std::function<Result<void>()>& body);

  // From now on a lock of another process is waited for this long instead of StoreOptions::busy_timeout.
  void wait_for_locks(std::chrono::milliseconds patience);

  // See "Durability" above. Holds for this object, from its next transaction on.
  Result<void> survive_power_loss(bool yes);

  // Every change of identity or tokens is a `pairing` row of the audit chain, in the same transaction.
  // Identity. `insert_identity` keeps the first row: two processes that race end up with the same identity.
  Result<std::optional<IdentityRow>> identity();
  // Without the private key, which other accounts than the owner's cannot read on Windows.
  Result<std::optional<IdentityRow>> public_identity();
  Result<IdentityRow> insert_identity(const IdentityRow& candidate);  // answers the row that is stored
  Result<void> replace_identity(const IdentityRow& row);              // import only

  // Device tokens, keyed by device id and role. `expected` is the value the caller started from (nullopt: no
  // row); another value in the row is STORE_CONFLICT and leaves it alone.
  Result<std::optional<DeviceToken>> device_token(const std::string& device_id, const std::string& role);
  Result<void> put_device_token(const std::string& device_id, const std::string& role,
                                const std::string& token, const std::optional<std::string>& expected);
  Result<void> remove_device_token(const std::string& device_id, const std::string& role);

  // Settings: JSON values by key.
  Result<std::optional<Json>> setting(const std::string& key);
  Result<void> put_setting(const std::string& key, const Json& value);
  Result<void> remove_setting(const std::string& key);
  Result<std::map<std::string, Json>> settings();

  // The policy document, as text. `expected_hash` is compared inside the transaction when given.
  // A text equal to the stored one writes nothing and keeps the generation. Every other write is a row of the
  // audit chain, in the same transaction: who, through which door, and what changed.
  Result<StoredDocument> document();
  Result<std::int64_t> document_generation();  // cheap: for "did it change since I last read it"
  Result<StoredDocument> put_document(const std::string& raw_text,
                                      const std::optional<std::string>& expected_hash, const Actor& actor);
  Result<std::vector<DocumentWrite>> document_history(std::size_t limit);  // newest first

  // Remembers that entries were used now; counts up. Of `usage`, use_count is ignored.
  Result<void> record_usage(const std::vector<EntryUsage>& usage);
  Result<std::vector<EntryUsage>> usage();

  // Runs and decisions. insert_run answers the row id.
  Result<std::int64_t> insert_run(const RunRow& row);
  // Removes the oldest rows of runs that are over, `at_most` of them. Answers how many.
  Result<std::int64_t> remove_oldest_runs(std::int64_t at_most);
  // Of the row `row_id` of that `run_id`: state, exit code, signal, counts of bytes, time of the end, tail of
  // the output.
  Result<void> end_run(const RunRow& row);
  Result<void> mark_delivered(std::int64_t row_id);  // the result reached the gateway; nothing else changes
  Result<std::vector<RunRow>> runs(const RunFilter& filter);  // newest first
  // The newest with that id, else with that row id in decimal, else with a unique prefix of the id.
  // RUN_AMBIGUOUS when several ids start with the prefix. `among` (agent, session, row): others are as if
  // they were not there, so that a prefix says nothing of them.
  Result<std::optional<RunRow>> run(const std::string& run_id, const RunFilter& among = {});
  // The ids of the rows that mark_interrupted_runs() would mark.
  Result<std::vector<std::string>> open_runs();
  // Rows left `running` or `decided`-and-allowed by a process that died: marked `interrupted`, each with an
  // `end` row of the audit chain. Answers how many. `but`: ids of those that go on. Requires: no other node
  // process runs on this store; call it before the first run.
  Result<std::size_t> mark_interrupted_runs(std::int64_t now_ms, const std::vector<std::string>& but = {});

  // A person wants that run to end, in the words of `by`: for the node that runs it, which looks here while
  // it does. Its `cancel` row of the audit chain is written with it. The request goes with the end of a run
  // that was cancelled, and with mark_interrupted_runs().
  Result<void> request_cancel(const RunRow& run, const Actor& by);
  // Who wants it; nullopt: nobody does.
  Result<std::optional<std::string>> cancel_request(std::int64_t row_id, const std::string& run_id);
  // For a run that ended by itself meanwhile.
  Result<void> withdraw_cancel(std::int64_t row_id);

  // Changes whenever another connection (another process, usually) committed something: a cheap way to notice
  // an answer or an edit without reading it. Own writes do not count; another file does (see follow_file).
  Result<std::int64_t> foreign_change_count();

  // For a process that keeps a database open for long: SQLite goes on reading and writing a file that was
  // moved or deleted, while everybody else works with what lies at its path. While another file lies there,
  // or none, everything of this object answers STORE_MOVED. The same file put back is gone on with at once;
  // another database of the same device (a restored copy) is opened in its place once it has been left alone
  // for a second. Call it before each piece of work: it costs three stat(). Only for kReadWrite; otherwise it
  // does nothing. Requires: no transaction is open.
  Result<void> follow_file();
  // What follow_file() answered last.
  Result<void> usable() const;
  // From now on accepts_work() answers `why`; nullopt: nobody refuses any more.
  void refuse_work(std::optional<Error> why);
  // Whether something may begin that needs its row: usable(), and nobody refuses work.
  Result<void> accepts_work() const;
  // Grows when follow_file() has opened another file: what was remembered of the content is void.
  std::int64_t epoch() const;
  // Which file it is, as file_identity() tells it.
  const std::string& file_identity() const;

  Result<void> check_integrity();  // PRAGMA quick_check
  // What the database holds; pages that are free to be used again do not count. Costs three page reads.
  Result<std::int64_t> bytes_in_use();

  // The connection, for the other files of this room.
  Database& database();

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  Result<void> open_what_lies_there();
  std::unique_ptr<Impl> impl_;
};

// The state directory: $HOSTCLAW_STATE_DIR, else $OPENCLAW_STATE_DIR/hostclaw, else the platform's place
// ($XDG_STATE_HOME/hostclaw or ~/.local/state/hostclaw; /var/lib/hostclaw for root without HOME;
// %LOCALAPPDATA%/hostclaw on Windows).
// A profile's (base/profile.h) has `-NAME` behind it.
// Absolute, with `/` between the parts.
Result<std::string> default_state_directory();

}  // namespace hostclaw::approvals
