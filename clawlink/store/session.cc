// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/session.h"

#include "approvals/audit/audit_chain.h"

namespace hostclaw::clawlink {

Result<void> StoreSession::record(const char* kind, const Json& fields) {
  const Result<approvals::AuditRow> row =
      approvals::append_audit_row(database, now_ms, std::string("clawlink-") + kind, fields);
  if (!row) return row.error();
  return {};
}

}  // namespace hostclaw::clawlink
