// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/audit.h"

#include "approvals/audit/audit_encoding.h"
#include "base/text.h"
#include "clawlink/model/wire_text.h"

namespace hostclaw::clawlink {
namespace {

using approvals::Statement;

// What came before the first row: nothing, or what retention removed.
Result<approvals::AuditAnchor> anchor_of(StoreSession& session) {
  approvals::AuditAnchor anchor;
  anchor.hash = approvals::audit_zero_hash();
  Statement query = session.database.statement(
      "SELECT chain, anchor_sequence, anchor_hash, pruned_row FROM audit_state WHERE slot = 1");
  const Result<bool> found = query.step();
  if (!found) return found.error();
  if (!*found) return anchor;
  anchor.chain = query.text(0);
  anchor.sequence = query.integer(1);
  anchor.hash = query.blob(2);
  anchor.pruned_row = query.integer(3);
  return anchor;
}

}  // namespace

Result<approvals::AuditVerification> verify_record(StoreSession& session) {
  Result<approvals::AuditAnchor> anchor = anchor_of(session);
  if (!anchor) return anchor.error();
  approvals::AuditVerifier verifier({}, std::move(*anchor));
  Statement query = session.database.statement(
      "SELECT sequence, at_ms, kind, body, previous, hash FROM audit ORDER BY sequence");
  for (;;) {
    const Result<bool> found = query.step();
    if (!found) return found.error();
    if (!*found) return verifier.finish();
    const approvals::RawAuditRow row{query.integer(0),   query.integer(1),   query.text_view(2),
                                     query.text_view(3), query.blob_view(4), query.blob_view(5)};
    if (!verifier.feed(row)) return verifier.finish();
  }
}

Result<std::vector<approvals::AuditRow>> newest_rows(StoreSession& session, std::size_t limit) {
  Statement query = session.database.statement(
      "SELECT sequence, at_ms, kind, body, previous, hash FROM audit ORDER BY sequence DESC LIMIT ?");
  query.bind(static_cast<std::int64_t>(limit));
  return approvals::read_rows(query, [](const Statement& row) {
    return approvals::AuditRow{row.integer(0), row.integer(1),           row.text(2),
                               row.text(3),    to_hex(row.blob_view(4)), to_hex(row.blob_view(5))};
  });
}

Result<Json> dead_letters(StoreSession& session, std::size_t limit) {
  Statement query = session.database.statement(
      "SELECT delivery_id AS number, to_agent, kind, task_id, reason, at_ms FROM dead_letters UNION ALL "
      "SELECT "
      "failure_id, caller, 'push', task_id, place || ': ' || reason || ' (events: ' || events || ')', at_ms "
      "FROM "
      "push_failures ORDER BY at_ms DESC, number DESC LIMIT ?");
  query.bind(static_cast<std::int64_t>(limit));
  Json out = Json::array();
  for (;;) {
    const Result<bool> found = query.step();
    if (!found) return found.error();
    if (!*found) return out;
    out.push_back({{"delivery_id", query.integer(0)},
                   {"to_agent", query.text(1)},
                   {"kind", query.text(2)},
                   {"task_id", query.text(3)},
                   {"reason", query.text(4)},
                   {"at", iso_time(query.integer(5))}});
  }
}

}  // namespace hostclaw::clawlink
