// SPDX-License-Identifier: Apache-2.0
#include "approvals/audit/audit_chain.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <set>

#include "approvals/audit/audit_encoding.h"
#include "approvals/audit/audit_retention.h"
#include "approvals/database/sqlite.h"
#include "approvals/platform/random_id.h"
#include "base/clock.h"
#include "base/text.h"

namespace hostclaw::approvals {
namespace {

constexpr std::size_t kHashBytes = 32;
// What a row costs beside its body, for retention by size.
constexpr std::int64_t kRowOverhead = 120;

struct ChainState {
  bool exists = false;
  std::string chain;
  std::int64_t anchor_sequence = 0;
  std::string anchor_hash = audit_zero_hash();
  std::int64_t pruned_row = 0;
  std::int64_t checkpoint_row = 0;
  std::int64_t checkpoint_at_ms = 0;
};

Result<ChainState> read_state(Database& database) {
  Statement query = database.statement(
      "SELECT chain, anchor_sequence, anchor_hash, pruned_row, checkpoint_row, checkpoint_at_ms FROM "
      "audit_state "
      "WHERE slot = 1");
  const Result<bool> found = query.step();
  if (!found) return found.error();
  ChainState state;
  if (!*found) return state;
  state = {true,
           query.text(0),
           query.integer(1),
           query.blob(2),
           query.integer(3),
           query.integer(4),
           query.integer(5)};
  return state;
}

struct Tail {
  std::int64_t sequence = 0;  // 0: no row
  std::string hash;
};

Result<Tail> read_tail(Database& database) {
  Statement query = database.statement("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1");
  const Result<bool> found = query.step();
  if (!found) return found.error();
  if (!*found) return Tail{};
  return Tail{query.integer(0), query.blob(1)};
}

Result<AuditRow> insert_row(Database& database, const Tail& tail, std::int64_t at_ms, std::string_view kind,
                            std::string body) {
  const std::int64_t sequence = tail.sequence + 1;
  std::string encoding;
  encode_audit_row(tail.hash, sequence, at_ms, kind, body, encoding);
  const std::string hash = audit_hash(encoding);
  Result<void> inserted = database
                              .statement(
                                  "INSERT INTO audit (sequence, at_ms, kind, body, previous, hash) "
                                  "VALUES (?, ?, ?, ?, ?, ?)")
                              .bind(sequence)
                              .bind(at_ms)
                              .bind(kind)
                              .bind(std::string_view(body))
                              .bind_blob(tail.hash)
                              .bind_blob(hash)
                              .run();
  if (!inserted) return inserted.error();
  return AuditRow{sequence, at_ms, std::string(kind), std::move(body), to_hex(tail.hash), to_hex(hash)};
}

// `body` answers what the first row says beside the chain's name.
Result<Tail> begin_chain(Database& database, std::int64_t at_ms,
                         const std::function<Result<Json>(const std::string& chain)>& body = {}) {
  const Result<ChainState> state = read_state(database);
  if (!state) return state.error();
  if (state->exists) {
    // There was a chain and all of its rows are gone. A new one here would hide that.
    return make_error("AUDIT_DAMAGED", "the audit chain in " + database.path() + " has lost its rows",
                      "hostclaw audit verify");
  }
  const std::string chain = new_uuid();
  Result<void> stored =
      database
          .statement(
              "INSERT INTO audit_state (slot, chain, anchor_sequence, anchor_hash, pruned_row, "
              "checkpoint_row, checkpoint_at_ms) VALUES (1, ?, 0, ?, 0, 0, ?)")
          .bind(std::string_view(chain))
          .bind_blob(audit_zero_hash())
          .bind(at_ms)
          .run();
  if (!stored) return stored.error();
  Json first_body{{"chain", chain}, {"format", 1}};
  if (body) {
    const Result<Json> more = body(chain);
    if (!more) return more.error();
    first_body.update(*more);
  }
  const Result<AuditRow> first =
      insert_row(database, Tail{0, audit_zero_hash()}, at_ms, kChainKind, dump_json(first_body));
  if (!first) return first.error();
  return read_tail(database);
}

AuditRow read_row(const Statement& query) {
  return {query.integer(0), query.integer(1),           query.text(2),
          query.text(3),    to_hex(query.blob_view(4)), to_hex(query.blob_view(5))};
}

#define HOSTCLAW_AUDIT_COLUMNS "sequence, at_ms, kind, body, previous, hash"

// The newest row that the limits let go, the anchor when there is none; looks at `at_most` rows for what may
// go by age.
Result<std::int64_t> last_row_to_remove(Database& database, const AuditRetention& retention,
                                        const ChainState& state, const Tail& tail) {
  const std::int64_t last =
      std::min(tail.sequence - 1,
               retention.at_most > tail.sequence ? tail.sequence : state.anchor_sequence + retention.at_most);
  std::int64_t through = std::max(state.anchor_sequence, retention.through.value_or(0));
  if (retention.keep_rows) through = std::max(through, tail.sequence - *retention.keep_rows);
  if (retention.keep_since_ms && through < last) {
    Statement query = database.statement(
        "SELECT sequence FROM audit WHERE sequence > ? AND sequence <= ? AND at_ms >= ? ORDER BY sequence "
        "LIMIT 1");
    const Result<bool> found =
        query.bind(state.anchor_sequence).bind(last).bind(*retention.keep_since_ms).step();
    if (!found) return found.error();
    through = std::max(through, *found ? query.integer(0) - 1 : last);
  }
  if (retention.keep_bytes && through < last) {
    Statement query = database.statement("SELECT sequence, length(body) FROM audit ORDER BY sequence DESC");
    std::int64_t bytes = 0;
    for (;;) {
      const Result<bool> found = query.step();
      if (!found) return found.error();
      if (!*found) break;
      bytes += query.integer(1) + kRowOverhead;
      if (bytes <= *retention.keep_bytes) continue;
      through = std::max(through, query.integer(0));
      break;
    }
  }
  return std::min(through, last);
}

// What was asked for, for the row that tells of it.
Json limits_of(const AuditRetention& retention) {
  Json limits = Json::object();
  if (retention.keep_rows) limits["rows"] = *retention.keep_rows;
  if (retention.keep_since_ms) limits["sinceMs"] = *retention.keep_since_ms;
  if (retention.keep_bytes) limits["bytes"] = *retention.keep_bytes;
  return limits;
}

// Ids of the devices whose keys may have signed what stays: rows that name them are about to go, and whoever
// verifies later has to know them.
Result<Json> devices_named_up_to(Database& database, std::int64_t after, std::int64_t through) {
  Statement query = database.statement(
      "SELECT body FROM audit WHERE sequence > ? AND sequence <= ? AND kind IN ('pairing', 'pruned') ORDER "
      "BY "
      "sequence");
  query.bind(after).bind(through);
  std::set<std::string> devices;
  for (;;) {
    const Result<bool> found = query.step();
    if (!found) return found.error();
    if (!*found) return Json(devices);
    for (const std::string& device : audit_devices(query.text_view(0))) devices.insert(device);
  }
}

Result<std::string> hash_of_row(Database& database, std::int64_t sequence) {
  Statement query = database.statement("SELECT hash FROM audit WHERE sequence = ?");
  const Result<bool> found = query.bind(sequence).step();
  if (!found) return found.error();
  if (!*found || query.blob_view(0).size() != kHashBytes) {
    return make_error("AUDIT_DAMAGED", "audit row " + std::to_string(sequence) + " is missing",
                      "hostclaw audit verify");
  }
  return query.blob(0);
}

// A checkpoint for the last row that goes.
using CheckpointOf = std::function<Result<AuditCheckpoint>(const std::string& chain, std::int64_t sequence,
                                                           const std::string& hash)>;

Result<std::int64_t> remove_oldest(Database& database, const AuditRetention& retention, const Actor& by,
                                   const CheckpointOf& checkpoint_of) {
  return database.transaction([&]() -> Result<std::int64_t> {
    const Result<ChainState> state = read_state(database);
    if (!state) return state.error();
    const Result<Tail> tail = read_tail(database);
    if (!tail) return tail.error();
    if (tail->sequence == 0) return 0;
    const Result<std::int64_t> through = last_row_to_remove(database, retention, *state, *tail);
    if (!through) return through.error();
    if (*through <= state->anchor_sequence) return 0;
    const Result<std::string> hash = hash_of_row(database, *through);
    if (!hash) return hash.error();
    const Result<AuditCheckpoint> removed = checkpoint_of(state->chain, *through, *hash);
    if (!removed) return removed.error();
    const Result<Json> devices = devices_named_up_to(database, state->anchor_sequence, *through);
    if (!devices) return devices.error();
    Json body{{"checkpoint", to_json(*removed)},
              {"firstSequence", state->anchor_sequence + 1},
              {"door", by.door},
              {"who", by.who},
              {"limits", limits_of(retention)}};
    if (!devices->empty()) body["devices"] = *devices;
    const Result<AuditRow> row = insert_row(database, *tail, removed->at_ms, kPrunedKind, dump_json(body));
    if (!row) return row.error();
    Result<void> anchored =
        database.statement("UPDATE audit_state SET anchor_sequence = ?, anchor_hash = ?, pruned_row = ?")
            .bind(*through)
            .bind_blob(*hash)
            .bind(row->sequence)
            .run();
    if (!anchored) return anchored.error();
    Result<void> gone = database.statement("DELETE FROM audit WHERE sequence <= ?").bind(*through).run();
    if (!gone) return gone.error();
    return *through - state->anchor_sequence;
  });
}

}  // namespace

std::string checkpoint_statement(const AuditCheckpoint& checkpoint) {
  const bool promises = checkpoint.every_rows > 0;
  std::string text = std::string("hostclaw-audit-checkpoint-") + (promises ? "v2\n" : "v1\n") +
                     checkpoint.chain + "\n" + std::to_string(checkpoint.sequence) + "\n" + checkpoint.hash +
                     "\n" + std::to_string(checkpoint.at_ms) + "\n";
  if (promises)
    text += std::to_string(checkpoint.every_rows) + "\n" + std::to_string(checkpoint.every_ms) + "\n";
  return text;
}

Json to_json(const AuditCheckpoint& checkpoint) {
  Json json{{"chain", checkpoint.chain}, {"sequence", checkpoint.sequence},
            {"hash", checkpoint.hash},   {"atMs", checkpoint.at_ms},
            {"key", checkpoint.key},     {"signature", checkpoint.signature}};
  if (checkpoint.every_rows > 0) {
    json["everyRows"] = checkpoint.every_rows;
    json["everyMs"] = checkpoint.every_ms;
  }
  return json;
}

Result<AuditCheckpoint> checkpoint_from_json(const Json& json) {
  const auto is = [&](const char* name, bool (*fits)(const Json&)) {
    const auto found = json.find(name);
    return found != json.end() && fits(*found);
  };
  const auto text = [](const Json& value) { return value.is_string(); };
  const auto number = [](const Json& value) { return value.is_number_integer(); };
  if (!json.is_object() || !is("chain", text) || !is("hash", text) || !is("key", text) ||
      !is("signature", text) || !is("sequence", number) || !is("atMs", number)) {
    return make_error("AUDIT_CHECKPOINT_INVALID", "not a checkpoint of an audit chain");
  }
  AuditCheckpoint checkpoint{json["chain"].get<std::string>(), json["sequence"].get<std::int64_t>(),
                             json["hash"].get<std::string>(),  json["atMs"].get<std::int64_t>(),
                             json["key"].get<std::string>(),   json["signature"].get<std::string>()};
  if (is("everyRows", number) && is("everyMs", number)) {
    checkpoint.every_rows = json["everyRows"].get<std::int64_t>();
    checkpoint.every_ms = json["everyMs"].get<std::int64_t>();
    if (checkpoint.every_rows < 1 || checkpoint.every_ms < 1)
      return make_error("AUDIT_CHECKPOINT_INVALID", "a checkpoint promises nothing that could be kept");
  }
  return checkpoint;
}

Result<AuditRow> append_audit_row(Database& database, std::int64_t at_ms, std::string_view kind,
                                  const Json& fields) {
  return database.joining([&]() -> Result<AuditRow> {
    Result<Tail> tail = read_tail(database);
    if (tail && tail->sequence == 0) tail = begin_chain(database, at_ms);
    if (!tail) return tail.error();
    Result<AuditRow> row = insert_row(database, *tail, at_ms, kind, dump_json(fields));
    if (!row) return row;
    if (Result<void> followed = database.audit_row_appended(at_ms); !followed) return followed.error();
    return row;
  });
}

void sign_rows_of(Store& store, const AuditOptions& options) {
  Database& database = store.database();
  if (database.has_audit_follower() || !options.signer) return;
  // Looking whether a checkpoint is due costs two statements, so it is not done for each row.
  const std::int64_t look_every = std::min<std::int64_t>(128, options.checkpoint_every_rows);
  database.follow_audit_rows([&store, look_every, options, rows = std::int64_t{0},
                              signed_at = std::int64_t{0}](std::int64_t at_ms) mutable -> Result<void> {
    const bool late = at_ms - signed_at >= options.checkpoint_every_ms;
    if (++rows % look_every != 0 && !late) return {};
    signed_at = at_ms;
    return AuditChain(store, options).checkpoint_if_due();
  });
}

AuditChain::AuditChain(Store& store, AuditOptions options) : store_(store), options_(std::move(options)) {}

std::int64_t AuditChain::now_ms() const {
  if (options_.now_ms) return options_.now_ms();
  return unix_ms_now();
}

Result<AuditRow> AuditChain::append(std::string_view kind, const Json& fields) {
  return store_.database().transaction([&]() -> Result<AuditRow> {
    if (options_.signer) {
      if (Result<void> begun = begin(); !begun) return begun.error();
    }
    Result<AuditRow> row = append_audit_row(store_.database(), now_ms(), kind, fields);
    if (!row || !options_.signer) return row;
    const Result<bool> due = checkpoint_due();
    if (!due) return due.error();
    if (*due || kind == kStartKind || kind == kStopKind) {
      if (Result<void> made = append_checkpoint(); !made) return made.error();
    }
    return row;
  });
}

Result<bool> AuditChain::checkpoint_due() {
  const Result<ChainState> state = read_state(store_.database());
  if (!state) return state.error();
  const Result<Tail> tail = read_tail(store_.database());
  if (!tail) return tail.error();
  const std::int64_t unsigned_rows = tail->sequence - state->checkpoint_row;
  if (unsigned_rows <= 0) return false;
  return unsigned_rows >= options_.checkpoint_every_rows ||
         now_ms() - state->checkpoint_at_ms >= options_.checkpoint_every_ms;
}

Result<void> AuditChain::checkpoint_if_due() {
  if (!options_.signer) return {};
  // Looked at outside a writing transaction first: the timer comes often, and there is rarely something to
  // do.
  const Result<bool> maybe = checkpoint_due();
  if (!maybe) return maybe.error();
  if (!*maybe) return {};
  return store_.database().transaction([&]() -> Result<void> {
    const Result<bool> due = checkpoint_due();
    if (!due) return due.error();
    return *due ? append_checkpoint() : Result<void>();
  });
}

Result<AuditCheckpoint> AuditChain::sign(const std::string& chain, std::int64_t sequence,
                                         const std::string& hash) const {
  AuditCheckpoint checkpoint{chain, sequence, to_hex(hash), now_ms(), {}, {}};
  if (!options_.signer) return checkpoint;
  checkpoint.every_rows = options_.promised_rows;
  checkpoint.every_ms = options_.promised_ms;
  checkpoint.key = options_.signer->key;
  Result<std::string> signature = options_.signer->sign(checkpoint_statement(checkpoint));
  if (!signature) return signature.error();
  checkpoint.signature = std::move(*signature);
  return checkpoint;
}

Result<void> AuditChain::append_checkpoint() {
  const Result<AuditCheckpoint> made = checkpoint();
  if (!made) return made.error();
  return {};
}

Result<void> AuditChain::begin() {
  if (!options_.signer) return make_error("AUDIT_NO_SIGNER", "there is no key to sign a chain with");
  Database& database = store_.database();
  const Result<Tail> there = read_tail(database);
  if (!there) return there.error();
  if (there->sequence > 0) return {};
  return database.transaction([&]() -> Result<void> {
    const Result<Tail> tail = read_tail(database);
    if (!tail) return tail.error();
    if (tail->sequence > 0) return {};
    const Result<Tail> begun = begin_chain(database, now_ms(), [&](const std::string& chain) -> Result<Json> {
      const Result<AuditCheckpoint> made = sign(chain, 0, audit_zero_hash());
      if (!made) return made.error();
      return Json{{"checkpoint", to_json(*made)}};
    });
    if (!begun) return begun.error();
    return {};
  });
}

// The newest signed row says whether signatures are promised, and by whom: each of them repeats it.
// Requires: a signer.
Result<bool> AuditChain::promises() {
  Database& database = store_.database();
  const Result<ChainState> state = read_state(database);
  if (!state) return state.error();
  Statement query = database.statement("SELECT kind, body FROM audit WHERE sequence = ?");
  std::int64_t newest = std::max<std::int64_t>(state->checkpoint_row, 1);
  // Retention may have taken it; its own row is signed as well.
  if (newest <= state->anchor_sequence) newest = state->pruned_row;
  const Result<bool> found = query.bind(newest).step();
  if (!found) return found.error();
  if (!*found) return false;
  const Result<Json> body = parse_json(query.text_view(1));
  if (!body || !body->is_object()) return false;
  const auto inner = body->find("checkpoint");
  const Result<AuditCheckpoint> made = checkpoint_from_json(inner == body->end() ? *body : *inner);
  return made && made->every_rows > 0 && made->key == options_.signer->key;
}

Result<AuditCheckpoint> AuditChain::checkpoint() {
  if (!options_.signer) return make_error("AUDIT_NO_SIGNER", "there is no key to sign a checkpoint with");
  Database& database = store_.database();
  return database.transaction([&]() -> Result<AuditCheckpoint> {
    Result<Tail> tail = read_tail(database);
    if (tail && tail->sequence == 0) {
      if (Result<void> begun = begin(); !begun) return begun.error();
      tail = read_tail(database);
    }
    if (!tail) return tail.error();
    const Result<ChainState> state = read_state(database);
    if (!state) return state.error();
    Result<AuditCheckpoint> made = sign(state->chain, tail->sequence, tail->hash);
    if (!made) return made;
    const Result<bool> promised = promises();
    if (!promised) return promised.error();
    const Result<AuditRow> row = insert_row(
        database, *tail, made->at_ms, *promised ? kCheckpointKind : kAdoptedKind, dump_json(to_json(*made)));
    if (!row) return row.error();
    Result<void> noted = database.statement("UPDATE audit_state SET checkpoint_row = ?, checkpoint_at_ms = ?")
                             .bind(row->sequence)
                             .bind(made->at_ms)
                             .run();
    if (!noted) return noted.error();
    return made;
  });
}

Result<AuditVerification> AuditChain::verify(const AuditVerifyOptions& options) {
  Database& database = store_.database();
  return database.reading([&]() -> Result<AuditVerification> {
    const Result<ChainState> state = read_state(database);
    if (!state) return state.error();
    AuditVerifier verifier(
        options, {state->anchor_sequence, state->anchor_hash, state->pruned_row, state->chain, false});
    Statement query = database.statement("SELECT " HOSTCLAW_AUDIT_COLUMNS " FROM audit ORDER BY sequence");
    for (;;) {
      const Result<bool> found = query.step();
      if (!found) return found.error();
      if (!*found) break;
      const RawAuditRow row{query.integer(0),   query.integer(1),   query.text_view(2),
                            query.text_view(3), query.blob_view(4), query.blob_view(5)};
      if (!verifier.feed(row)) break;
    }
    AuditVerification result = verifier.finish();
    if (result.valid && state->checkpoint_row > state->anchor_sequence &&
        result.last_checkpoint_row != state->checkpoint_row) {
      result.valid = false;
      const bool there = state->checkpoint_row <= result.last_sequence;
      result.first_bad_row = there ? state->checkpoint_row : result.last_sequence + 1;
      result.problem = "row " + std::to_string(result.first_bad_row) +
                       (there ? " is no checkpoint, and the database names it as the newest one"
                              : " is missing: the database names a checkpoint in row " +
                                    std::to_string(state->checkpoint_row));
    }
    if (result.valid && state->exists != (result.rows > 0)) {
      result.valid = false;
      result.first_bad_row = state->anchor_sequence + 1;
      result.problem =
          "row " + std::to_string(result.first_bad_row) +
          (state->exists ? " is missing: the chain has no rows" : " begins a chain that is not registered");
    }
    return result;
  });
}

Result<std::vector<AuditRow>> AuditChain::rows(const AuditFilter& filter) {
  constexpr std::string_view kNewest =
      "SELECT " HOSTCLAW_AUDIT_COLUMNS
      " FROM audit WHERE sequence > ?1 AND (?2 = 0 OR sequence < ?2) AND (?3 = '' OR kind = ?3) "
      "ORDER BY sequence DESC LIMIT ?4";
  constexpr std::string_view kOldest =
      "SELECT " HOSTCLAW_AUDIT_COLUMNS
      " FROM audit WHERE sequence > ?1 AND (?2 = 0 OR sequence < ?2) AND (?3 = '' OR kind = ?3) "
      "ORDER BY sequence LIMIT ?4";
  Statement query = store_.database().statement(filter.newest_first ? kNewest : kOldest);
  query.bind(filter.after)
      .bind(filter.before)
      .bind(filter.kind)
      .bind(static_cast<std::int64_t>(filter.limit));
  return read_rows(query, read_row);
}

Result<std::optional<AuditRow>> AuditChain::row(std::int64_t sequence) {
  Statement query =
      store_.database().statement("SELECT " HOSTCLAW_AUDIT_COLUMNS " FROM audit WHERE sequence = ?");
  const Result<bool> found = query.bind(sequence).step();
  if (!found) return found.error();
  if (!*found) return std::optional<AuditRow>();
  return std::optional<AuditRow>(read_row(query));
}

Result<AuditStats> AuditChain::stats() {
  Database& database = store_.database();
  return database.reading([&]() -> Result<AuditStats> {
    const Result<ChainState> state = read_state(database);
    if (!state) return state.error();
    AuditStats stats;
    stats.chain = state->chain;
    stats.last_checkpoint_row = state->checkpoint_row;
    if (state->checkpoint_row > 0) stats.last_checkpoint_at_ms = state->checkpoint_at_ms;
    for (const bool newest : {false, true}) {
      Result<std::vector<AuditRow>> end = rows({0, 0, {}, 1, newest});
      if (!end) return end.error();
      if (end->empty()) return stats;
      (newest ? stats.last_sequence : stats.first_sequence) = end->front().sequence;
      (newest ? stats.last_at_ms : stats.first_at_ms) = end->front().at_ms;
    }
    Statement query = database.statement("SELECT kind, count(*) FROM audit GROUP BY kind");
    for (;;) {
      const Result<bool> found = query.step();
      if (!found) return found.error();
      if (!*found) return stats;
      stats.by_kind[query.text(0)] = query.integer(1);
      stats.rows += query.integer(1);
    }
  });
}

Result<void> AuditChain::export_lines(std::int64_t after,
                                      const std::function<bool(std::string_view line)>& sink) {
  // A reading that lasts as long as whoever takes the lines would keep the write-ahead log from ever being
  // emptied: a lot is read, and handed out when the reading is over.
  constexpr std::size_t kLot = 256;
  const Result<std::vector<AuditRow>> newest = rows({0, 0, {}, 1, true});
  if (!newest) return newest.error();
  if (newest->empty()) return {};
  const std::int64_t last = newest->front().sequence;
  AuditFilter filter;
  filter.after = after;
  filter.limit = kLot;
  filter.newest_first = false;
  bool begun = false;
  while (filter.after < last) {
    const Result<std::vector<AuditRow>> lot = rows(filter);
    if (!lot) return lot.error();
    if (lot->empty()) return {};
    if (begun && lot->front().sequence != filter.after + 1) {
      return make_error("AUDIT_PRUNED",
                        "rows after " + std::to_string(filter.after) +
                            " were removed by retention while they were exported",
                        "hostclaw audit export --after " + std::to_string(lot->front().sequence - 1));
    }
    begun = true;
    for (const AuditRow& row : *lot) {
      if (row.sequence > last || !sink(audit_line(row))) return {};
      filter.after = row.sequence;
    }
  }
  return {};
}

Result<AuditChain::Removable> AuditChain::removable(const AuditRetention& retention) {
  Database& database = store_.database();
  return database.reading([&]() -> Result<Removable> {
    const Result<ChainState> state = read_state(database);
    if (!state) return state.error();
    const Result<Tail> tail = read_tail(database);
    if (!tail) return tail.error();
    if (tail->sequence == 0) return Removable{};
    AuditRetention all = retention;
    all.at_most = std::numeric_limits<std::int64_t>::max();
    const Result<std::int64_t> through = last_row_to_remove(database, all, *state, *tail);
    if (!through) return through.error();
    if (*through <= state->anchor_sequence) return Removable{};
    return Removable{*through, *through - state->anchor_sequence};
  });
}

Result<std::int64_t> AuditChain::prune(const AuditRetention& retention, const Actor& by) {
  return remove_oldest(store_.database(), retention, by,
                       [this](const std::string& chain, std::int64_t sequence, const std::string& hash) {
                         return sign(chain, sequence, hash);
                       });
}

Result<std::int64_t> prune_audit_rows(Database& database, const AuditRetention& retention, const Actor& by,
                                      std::int64_t now_ms) {
  return remove_oldest(database, retention, by,
                       [now_ms](const std::string& chain, std::int64_t sequence,
                                const std::string& hash) -> Result<AuditCheckpoint> {
                         return AuditCheckpoint{chain, sequence, to_hex(hash), now_ms, {}, {}};
                       });
}

std::vector<std::string> audit_devices(std::string_view body) {
  std::vector<std::string> devices;
  const Result<Json> json = parse_json(body);
  if (!json || !json->is_object()) return devices;
  const auto text = [](const Json& value) {
    return value.is_string() ? value.get<std::string>() : std::string();
  };
  if (const auto change = json->find("change"); change != json->end()) {
    const auto device = json->find("device");
    if (text(*change).starts_with("identity-") && device != json->end()) devices.push_back(text(*device));
  }
  if (const auto kept = json->find("devices"); kept != json->end() && kept->is_array()) {
    for (const Json& device : *kept) devices.push_back(text(device));
  }
  return devices;
}

std::string audit_line(const AuditRow& row) {
  // The body goes in as it is, byte for byte: it is what the hash covers.
  return "{\"sequence\":" + std::to_string(row.sequence) + ",\"atMs\":" + std::to_string(row.at_ms) +
         ",\"kind\":" + dump_json(Json(row.kind)) + ",\"previous\":\"" + row.previous_hash +
         "\",\"hash\":\"" + row.hash + "\",\"body\":" + row.body + "}";
}

Result<AuditRow> audit_row_from_line(std::string_view line) {
  const Error invalid = make_error("AUDIT_LINE_INVALID", "not a line of an exported audit chain");
  const Result<Json> json = parse_json(line);
  if (!json || !json->is_object()) return invalid;
  AuditRow row;
  for (const auto& [name, value] : json->items()) {
    if (name == "sequence" && value.is_number_integer()) {
      row.sequence = value.get<std::int64_t>();
    } else if (name == "atMs" && value.is_number_integer()) {
      row.at_ms = value.get<std::int64_t>();
    } else if (name == "kind" && value.is_string()) {
      row.kind = value.get<std::string>();
    } else if (name == "previous" && value.is_string()) {
      row.previous_hash = value.get<std::string>();
    } else if (name == "hash" && value.is_string()) {
      row.hash = value.get<std::string>();
    } else if (name == "body" && value.is_object()) {
      row.body = dump_json(value);
    } else {
      return invalid;
    }
  }
  if (row.sequence < 1 || row.body.empty()) return invalid;
  return row;
}

}  // namespace hostclaw::approvals
