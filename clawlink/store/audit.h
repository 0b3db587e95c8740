// SPDX-License-Identifier: Apache-2.0
// Reading what the relay has recorded: the chain of approvals/audit/audit_chain.h in the relay's own
// database, and what could not be delivered.
#pragma once

#include <vector>

#include "approvals/audit/audit_chain.h"
#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

Result<approvals::AuditVerification> verify_record(StoreSession& session);
Result<std::vector<approvals::AuditRow>> newest_rows(StoreSession& session,
                                                     std::size_t limit);  // newest first
// Newest first. Push notifications that were given up are of kind `push`, with their caller as `to_agent`.
Result<Json> dead_letters(StoreSession& session, std::size_t limit);

}  // namespace hostclaw::clawlink
