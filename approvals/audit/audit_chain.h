// SPDX-License-Identifier: Apache-2.0
// The record: an append-only chain of rows, each carrying the SHA-256 of the one before.
//
// A row's hash covers, in this order: "hostclaw-audit-v1" and a zero byte; the previous hash (32 bytes);
// sequence and time (8 bytes each, big-endian); kind and body, each behind its length in bytes (4 bytes,
// big-endian). The body is the compact JSON text with members sorted by name. Row 1 has kind "chain", names
// the chain by a random id and follows 32 zero bytes.
//
// A checkpoint is a row that states sequence and hash of the row before it, signed with the device key. Kept
// outside (on another machine), it proves later that nothing up to there was changed or cut off. Without one,
// the removal of the newest rows cannot be noticed; every other change can.
//
// Signatures are promised: the first row of a chain (or, in a chain from before, a row of kind "adopted") is
// signed, and so is what it promises: a checkpoint after at most so many rows and so much time while the node
// runs, and one right behind each start and stop. Every checkpoint repeats it. A chain that breaks its
// promise is not valid, so that rows cannot be rewritten by leaving signatures out.
//
// Appending joins the transaction that is open on the Store (Store::transaction), so a row commits together
// with what it tells about. A row that was answered survives the death of the process. Rows must not hold
// secrets.
//
// Thread rule: the thread that owns the store. Any number of processes may append.
// Errors: STORE_*; AUDIT_DAMAGED when the end of the chain is not fit to be continued.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "approvals/store/store.h"
#include "base/json.h"
#include "base/result.h"

namespace hostclaw::approvals {

class Database;

struct AuditRow {
  std::int64_t sequence = 0;  // 1, 2, 3, ... without a gap
  std::int64_t at_ms = 0;
  std::string kind;
  std::string body;           // JSON text of an object
  std::string previous_hash;  // lower-case hex
  std::string hash;           // lower-case hex
};

struct AuditCheckpoint {
  std::string chain;
  std::int64_t sequence = 0;  // the last row that it covers
  std::string hash;           // of that row
  std::int64_t at_ms = 0;
  std::string key;        // id of the key that signed
  std::string signature;  // as the signer gave it
  // What is promised for the rows after it; 0: made before there were promises.
  std::int64_t every_rows = 0;
  std::int64_t every_ms = 0;
};

// The text that is signed.
std::string checkpoint_statement(const AuditCheckpoint& checkpoint);
Json to_json(const AuditCheckpoint& checkpoint);
Result<AuditCheckpoint> checkpoint_from_json(const Json& json);  // AUDIT_CHECKPOINT_INVALID

struct AuditSigner {
  std::string key;  // public name of the key, for the one who verifies
  std::function<Result<std::string>(std::string_view statement)> sign;
};
// True when `signature` over `statement` was made with the key of that name.
using SignatureCheck =
    std::function<bool(const std::string& key, std::string_view statement, const std::string& signature)>;

struct AuditOptions {
  std::optional<AuditSigner> signer;  // absent: no checkpoints
  std::int64_t checkpoint_every_rows = 1000;
  std::int64_t checkpoint_every_ms = 10 * 60 * 1000;
  // More than what is kept to: rows of other processes and clocks that are set do not break it.
  std::int64_t promised_rows = 10'000;
  std::int64_t promised_ms = 15 * 60 * 1000;
  std::function<std::int64_t()> now_ms;  // absent: the system clock
};

struct AuditVerifyOptions {
  std::optional<AuditCheckpoint> exported;  // one that was kept outside
  SignatureCheck check_signature;           // absent: signatures and promises are not looked at
  // Whose key must have promised signatures; empty: whoever did, or nobody. Only with check_signature.
  std::string promised_by = {};
  // Told now and then how far it is: the number of a row. May be empty.
  std::function<void(std::int64_t sequence)> reached = {};
};

// What retention took away, as the newest row that tells of it says.
struct AuditRemoval {
  std::int64_t through = 0;  // the newest row that is gone; all before it are gone as well
  std::int64_t row = 0;      // where it is on record
  std::int64_t at_ms = 0;
  Actor by;               // empty: written before this was recorded
  bool is_signed = true;  // with the device key
};

// Rows that should have been covered by a signature and are not.
struct AuditStretch {
  std::int64_t from = 0;
  std::int64_t through = 0;
};

struct AuditVerification {
  bool valid = false;
  std::int64_t first_bad_row = 0;  // 0 when valid
  std::string problem;             // one sentence naming that row; empty when valid
  std::string chain;
  std::int64_t rows = 0;
  std::int64_t first_sequence = 0;
  std::int64_t last_sequence = 0;
  std::string last_hash;
  std::int64_t checkpoints = 0;
  std::int64_t last_checkpoint_sequence = 0;  // rows after it are not signed yet
  std::int64_t last_checkpoint_row = 0;
  // The row from which on signatures are promised; 0: none that was seen.
  std::int64_t promised_from = 0;
  std::string promised_by;                 // the key of the newest promise
  std::optional<AuditStretch> not_signed;  // why it is not valid, where that is why
  std::optional<AuditRemoval> removed;
  std::vector<std::string> notes;
};

struct AuditFilter {
  std::int64_t after = 0;   // only rows with a larger sequence
  std::int64_t before = 0;  // only rows with a smaller one; 0: no limit
  std::string kind;         // empty: all
  std::size_t limit = 50;
  bool newest_first = true;
};

struct AuditRetention {
  std::optional<std::int64_t> keep_rows;
  std::optional<std::int64_t> keep_since_ms;  // rows older than this go
  std::optional<std::int64_t> keep_bytes;     // of bodies and their overhead, approximately
  std::optional<std::int64_t> through;        // rows up to this one go, as removable() answered
  std::int64_t at_most = 50'000;              // rows removed by one call
};

struct AuditStats {
  std::string chain;
  std::int64_t rows = 0;
  std::int64_t first_sequence = 0;
  std::int64_t last_sequence = 0;
  std::int64_t first_at_ms = 0;
  std::int64_t last_at_ms = 0;
  std::int64_t last_checkpoint_row = 0;
  std::int64_t last_checkpoint_at_ms = 0;
  std::map<std::string, std::int64_t> by_kind;
};

class AuditChain {
 public:
  // Requires: `store` outlives this object.
  explicit AuditChain(Store& store, AuditOptions options = {});

  // Appends a row and, when one is due, a checkpoint after it. `fields` is an object. Answers the new row.
  Result<AuditRow> append(std::string_view kind, const Json& fields);

  // A checkpoint for what was appended since the last one, when rows or time are due; call it from a timer.
  Result<void> checkpoint_if_due();
  // Begins the chain with a signed row, where there is none. AUDIT_NO_SIGNER without a signer.
  Result<void> begin();
  // A checkpoint now; in a chain that promises nothing yet, the row that adopts it. AUDIT_NO_SIGNER without a
  // signer.
  Result<AuditCheckpoint> checkpoint();

  // Reads the whole chain. An error means that it could not be read; a chain that is not sound is a
  // verification that is not valid.
  Result<AuditVerification> verify(const AuditVerifyOptions& options = {});

  Result<std::vector<AuditRow>> rows(const AuditFilter& filter);
  Result<std::optional<AuditRow>> row(std::int64_t sequence);
  Result<AuditStats> stats();

  // Hands each row after `after`, up to the one that is the newest now, to `sink` as one JSON line (without
  // line feed), oldest first, until it answers false. `sink` may take its time: nothing is kept open
  // meanwhile. Error AUDIT_PRUNED when rows that were still to come were removed.
  Result<void> export_lines(std::int64_t after, const std::function<bool(std::string_view line)>& sink);

  // Removes the oldest rows. The removal is itself a row, with who removed and a checkpoint for the last row
  // that went, so that the rest still verifies. Never removes the newest row. Answers how many went; call
  // again while that is at_most.
  Result<std::int64_t> prune(const AuditRetention& retention, const Actor& by = {"node", ""});

  // The newest row that the limits let go, whatever at_most says; 0 when none goes. Reads as much of the
  // record as the limits need, changes nothing and keeps nobody from writing.
  struct Removable {
    std::int64_t through = 0;
    std::int64_t rows = 0;
  };
  Result<Removable> removable(const AuditRetention& retention);

 private:
  std::int64_t now_ms() const;
  Result<AuditCheckpoint> sign(const std::string& chain, std::int64_t sequence,
                               const std::string& hash) const;
  Result<void> append_checkpoint();
  Result<bool> checkpoint_due();
  Result<bool> promises();

  Store& store_;
  AuditOptions options_;
};

// {"sequence":1,"atMs":...,"kind":"...","previous":"...","hash":"...","body":{...}}
std::string audit_line(const AuditRow& row);
Result<AuditRow> audit_row_from_line(std::string_view line);  // AUDIT_LINE_INVALID

// Ids of devices whose keys this chain was signed with at some time, as the body of a `pairing` row or of a
// `pruned` row tells; retention carries them on from the rows that it removes.
std::vector<std::string> audit_devices(std::string_view body);

// What came before the first row that is there: nothing, or what retention removed.
struct AuditAnchor {
  std::int64_t sequence = 0;
  std::string hash;             // raw bytes
  std::int64_t pruned_row = 0;  // the row that tells of the removal
  std::string chain;
  // For a part of a chain: its beginning is taken as given, with a note, unless a row in it tells of the
  // removal.
  bool assumed = false;
};

// A row as it is stored; hashes are raw bytes.
struct RawAuditRow {
  std::int64_t sequence = 0;
  std::int64_t at_ms = 0;
  std::string_view kind;
  std::string_view body;
  std::string_view previous;
  std::string_view hash;
};

// Checks rows as they come, from a database or from exported lines. Rows must come oldest first.
class AuditVerifier {
 public:
  explicit AuditVerifier(AuditVerifyOptions options, AuditAnchor anchor = {});
  bool feed(const RawAuditRow& row);  // false: the chain is broken, no more rows are needed
  bool feed(const AuditRow& row);
  AuditVerification finish();

 private:
  bool fail(std::int64_t row, std::string problem);
  bool check_special(const RawAuditRow& row);
  bool check_checkpoint(const RawAuditRow& row, const Json& body);
  bool check_pruned(const RawAuditRow& row, const Json& body);
  bool check_signature(std::int64_t row, const AuditCheckpoint& checkpoint);
  void check_exported();
  bool check_signed_statement(const RawAuditRow& row, const AuditCheckpoint& checkpoint);
  void note_promise(std::int64_t row, const AuditCheckpoint& checkpoint);
  bool check_promise(const RawAuditRow& row);
  bool not_signed(std::int64_t through, const std::string& why);
  void check_promised_at_end();

  AuditVerifyOptions options_;
  AuditAnchor anchor_;
  AuditVerification result_;
  std::string previous_;  // raw bytes
  std::int64_t expected_ = 1;
  bool anchor_confirmed_ = false;
  bool exported_seen_ = false;
  std::int64_t every_rows_ = 0;  // as promised; 0: nothing is
  std::int64_t every_ms_ = 0;
  std::int64_t signed_row_ = 0;        // of the newest signature
  std::int64_t running_since_ms_ = 0;  // the first row since then that only a running node writes; 0: none
  bool overdue_ = false;               // ... and one that came too long after it
  bool must_be_signed_now_ = false;    // the row before is a start or a stop
  std::string buffer_;
};

// From now on rows that this store appends are signed when they are due, whoever appends them. Once per
// opened database; again after it was replaced.
void sign_rows_of(Store& store, const AuditOptions& options);

// For the other files of this room: appends one row inside the caller's transaction, which has to fail when
// this does, without a checkpoint.
Result<AuditRow> append_audit_row(Database& database, std::int64_t at_ms, std::string_view kind,
                                  const Json& fields);

}  // namespace hostclaw::approvals
