// SPDX-License-Identifier: Apache-2.0
// Checking a chain, row by row.
#include <limits>

#include "approvals/audit/audit_chain.h"
#include "approvals/audit/audit_encoding.h"
#include "base/text.h"

namespace hostclaw::approvals {
namespace {

std::string row_name(std::int64_t sequence) { return "row " + std::to_string(sequence); }

std::string text_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string bytes_of(const std::string& hex) {
  const auto bytes = from_hex(hex);
  return bytes ? std::string(bytes->begin(), bytes->end()) : std::string();
}

}  // namespace

AuditVerifier::AuditVerifier(AuditVerifyOptions options, AuditAnchor anchor)
    : options_(std::move(options)), anchor_(std::move(anchor)) {
  result_.valid = true;
  previous_ = anchor_.sequence == 0 ? audit_zero_hash() : anchor_.hash;
  expected_ = anchor_.sequence + 1;
  result_.chain = anchor_.chain;
}

bool AuditVerifier::fail(std::int64_t row, std::string problem) {
  if (!result_.valid) return false;
  result_.valid = false;
  result_.first_bad_row = row;
  result_.problem = std::move(problem);
  return false;
}

bool AuditVerifier::feed(const RawAuditRow& row) {
  constexpr std::int64_t kTellEvery = 256;
  if (!result_.valid) return false;
  if (options_.reached && row.sequence % kTellEvery == 0) options_.reached(row.sequence);
  if (row.sequence != expected_) {
    return fail(expected_,
                row_name(expected_) + " is missing: " + row_name(row.sequence) + " comes in its place");
  }
  if (row.previous != previous_) {
    return fail(row.sequence, row_name(row.sequence) + " does not follow the row before it");
  }
  encode_audit_row(row.previous, row.sequence, row.at_ms, row.kind, row.body, buffer_);
  const std::string hash = audit_hash(buffer_);
  if (row.hash != hash)
    return fail(row.sequence, row_name(row.sequence) + " was changed: its hash does not fit");
  if (result_.rows == 0) result_.first_sequence = row.sequence;
  if (!check_special(row) || !check_promise(row)) return false;
  if (options_.exported && options_.exported->sequence == row.sequence) {
    exported_seen_ = true;
    if (options_.exported->hash != to_hex(hash)) {
      return fail(row.sequence,
                  row_name(row.sequence) + " is not the row that the exported checkpoint covers");
    }
  }
  ++result_.rows;
  result_.last_sequence = row.sequence;
  previous_ = hash;
  ++expected_;
  return true;
}

bool AuditVerifier::feed(const AuditRow& row) {
  const std::string previous = bytes_of(row.previous_hash);
  const std::string hash = bytes_of(row.hash);
  return feed(RawAuditRow{row.sequence, row.at_ms, row.kind, row.body, previous, hash});
}

bool AuditVerifier::check_special(const RawAuditRow& row) {
  const bool first = row.sequence == 1;
  if (first != (row.kind == kChainKind)) {
    return fail(row.sequence,
                row_name(row.sequence) + (first ? " does not begin a chain" : " begins another chain"));
  }
  if (row.kind != kChainKind && row.kind != kCheckpointKind && row.kind != kAdoptedKind &&
      row.kind != kPrunedKind)
    return true;
  const Result<Json> body = parse_json(row.body);
  if (!body || !body->is_object()) return fail(row.sequence, row_name(row.sequence) + " is not readable");
  if (row.kind == kChainKind) {
    const std::string chain = text_member(*body, "chain");
    if (!anchor_.chain.empty() && anchor_.chain != chain) {
      return fail(row.sequence, row_name(row.sequence) + " names another chain than the database");
    }
    result_.chain = chain;
    const auto signed_part = body->find("checkpoint");
    if (signed_part == body->end()) return true;
    const Result<AuditCheckpoint> checkpoint = checkpoint_from_json(*signed_part);
    if (!checkpoint) return fail(row.sequence, row_name(row.sequence) + " holds no readable checkpoint");
    return check_signed_statement(row, *checkpoint);
  }
  return row.kind != kPrunedKind ? check_checkpoint(row, *body) : check_pruned(row, *body);
}

bool AuditVerifier::check_signature(std::int64_t row, const AuditCheckpoint& checkpoint) {
  if (!options_.check_signature) return true;
  if (options_.check_signature(checkpoint.key, checkpoint_statement(checkpoint), checkpoint.signature))
    return true;
  return fail(row, row_name(row) + " holds a checkpoint whose signature is not good");
}

bool AuditVerifier::check_checkpoint(const RawAuditRow& row, const Json& body) {
  const Result<AuditCheckpoint> checkpoint = checkpoint_from_json(body);
  if (!checkpoint) return fail(row.sequence, row_name(row.sequence) + " holds no readable checkpoint");
  if (!check_signed_statement(row, *checkpoint)) return false;
  if (row.kind == kAdoptedKind && result_.promised_from == row.sequence && row.sequence > 1)
    result_.notes.push_back("Rows before " + row_name(row.sequence) +
                            " were written before signatures were promised.");
  if (row.kind == kAdoptedKind && result_.promised_from < row.sequence && result_.promised_from > 0)
    result_.notes.push_back("From " + row_name(row.sequence) + " on another key signs.");
  ++result_.checkpoints;
  result_.last_checkpoint_sequence = checkpoint->sequence;
  result_.last_checkpoint_row = row.sequence;
  return true;
}

// About the row before this one.
bool AuditVerifier::check_signed_statement(const RawAuditRow& row, const AuditCheckpoint& checkpoint) {
  const bool fits = checkpoint.sequence == row.sequence - 1 && checkpoint.hash == to_hex(previous_) &&
                    (result_.chain.empty() || checkpoint.chain == result_.chain);
  if (!fits) return fail(row.sequence, row_name(row.sequence) + " holds a checkpoint of other rows");
  if (!check_signature(row.sequence, checkpoint)) return false;
  note_promise(row.sequence, checkpoint);
  return true;
}

void AuditVerifier::note_promise(std::int64_t row, const AuditCheckpoint& checkpoint) {
  signed_row_ = row;
  running_since_ms_ = 0;
  overdue_ = false;
  must_be_signed_now_ = false;
  if (checkpoint.every_rows == 0 || !options_.check_signature) return;
  if (result_.promised_from == 0) result_.promised_from = row;
  every_rows_ = checkpoint.every_rows;
  every_ms_ = checkpoint.every_ms;
  result_.promised_by = checkpoint.key;
}

bool AuditVerifier::not_signed(std::int64_t through, const std::string& why) {
  result_.not_signed = AuditStretch{signed_row_ + 1, through};
  return fail(signed_row_ + 1, row_name(signed_row_ + 1) + " to " + std::to_string(through) +
                                   " are not signed, and should be: " + why);
}

// The rows since the newest signature, this one included, against what was promised.
bool AuditVerifier::check_promise(const RawAuditRow& row) {
  if (every_rows_ == 0 || row.sequence == signed_row_) return true;
  if (must_be_signed_now_) return not_signed(row.sequence - 1, "a signature follows each start and stop");
  if (overdue_)
    return not_signed(row.sequence - 1, "the node was running for longer than it leaves rows unsigned");
  if (row.sequence - signed_row_ > every_rows_)
    return not_signed(row.sequence, "they are more than " + std::to_string(every_rows_));
  must_be_signed_now_ = row.kind == kStartKind || row.kind == kStopKind;
  // A decision is written by a running node. What is written at the end of its time is signed in one go with
  // it, so only a row behind that one shows that it was not.
  if (row.kind == kDecisionKind) {
    if (running_since_ms_ == 0) running_since_ms_ = row.at_ms;
    overdue_ = row.at_ms - running_since_ms_ > every_ms_;
  }
  return true;
}

void AuditVerifier::check_promised_at_end() {
  if (must_be_signed_now_) {
    not_signed(result_.last_sequence, "a signature follows each start and stop");
  } else if (options_.check_signature && !options_.promised_by.empty()) {
    if (result_.promised_from == 0 && result_.rows > 0) {
      fail(result_.first_sequence,
           row_name(result_.first_sequence) + " to " + std::to_string(result_.last_sequence) +
               " are not promised to be signed: they are older than such promises, or nobody had the device "
               "key. A start of the node, or `hostclaw audit checkpoint`, adopts them as they are");
    } else if (result_.rows > 0 && result_.promised_by != options_.promised_by) {
      fail(signed_row_, row_name(signed_row_) + " was signed by another device than this one");
    }
  }
}

// The newest of these rows is what justifies that the oldest rows are not there.
bool AuditVerifier::check_pruned(const RawAuditRow& row, const Json& body) {
  const auto member = body.find("checkpoint");
  const Result<AuditCheckpoint> removed = checkpoint_from_json(member == body.end() ? Json() : *member);
  const bool fits = removed && removed->sequence == anchor_.sequence &&
                    removed->hash == to_hex(anchor_.hash) &&
                    (result_.chain.empty() || removed->chain == result_.chain);
  if (anchor_.assumed ? !fits : row.sequence != anchor_.pruned_row) return true;
  if (!fits) {
    return fail(anchor_.sequence + 1, row_name(anchor_.sequence + 1) + " is not where retention left off");
  }
  if (removed->signature.empty()) {
    result_.notes.push_back("The removal of old rows was not signed.");
  } else if (!check_signature(row.sequence, *removed)) {
    return false;
  } else if (result_.promised_from == 0) {
    note_promise(row.sequence, *removed);  // the row that promised may be among those that went
  }
  result_.removed =
      AuditRemoval{anchor_.sequence, row.sequence, row.at_ms,
                   Actor{text_member(body, "door"), text_member(body, "who")}, !removed->signature.empty()};
  anchor_confirmed_ = true;
  return true;
}

void AuditVerifier::check_exported() {
  if (!options_.exported) return;
  const AuditCheckpoint& exported = *options_.exported;
  if (options_.check_signature &&
      !options_.check_signature(exported.key, checkpoint_statement(exported), exported.signature)) {
    fail(exported.sequence, "the signature of the exported checkpoint is not good");
  } else if (!result_.chain.empty() && exported.chain != result_.chain) {
    fail(1, "row 1 begins another chain than the exported checkpoint is of");
  } else if (exported.sequence > result_.last_sequence) {
    fail(result_.last_sequence + 1, row_name(result_.last_sequence + 1) +
                                        " is missing: the exported checkpoint covers " +
                                        row_name(exported.sequence) + ", the end was cut off");
  } else if (exported.sequence == anchor_.sequence && exported.hash != to_hex(anchor_.hash)) {
    fail(exported.sequence,
         row_name(exported.sequence) + " is not the row that the exported checkpoint covers");
  } else if (!exported_seen_ && exported.sequence < anchor_.sequence) {
    result_.notes.push_back("The exported checkpoint is older than the oldest row that is kept.");
  }
}

AuditVerification AuditVerifier::finish() {
  if (anchor_.assumed && anchor_.sequence > 0 && !anchor_confirmed_) {
    result_.notes.push_back("What came before " + row_name(expected_ - result_.rows) +
                            " was taken as given.");
  } else if (result_.valid && anchor_.sequence > 0 && !anchor_confirmed_) {
    fail(anchor_.sequence + 1,
         row_name(anchor_.sequence + 1) + " is the oldest, but no row tells that older ones were removed");
  }
  if (result_.valid) check_exported();
  if (result_.valid) check_promised_at_end();
  result_.last_hash = to_hex(previous_);
  return result_;
}

}  // namespace hostclaw::approvals
