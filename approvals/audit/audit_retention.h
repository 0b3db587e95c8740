// SPDX-License-Identifier: Apache-2.0
// Retention of a chain that is in a database of its own (another program's than the node's) and that nobody
// signs: what AuditChain::prune() does to a Store's.
#pragma once

#include <cstdint>

#include "approvals/audit/audit_chain.h"
#include "base/result.h"

namespace hostclaw::approvals {

// The row that tells of the removal has a checkpoint without a signature. Otherwise as AuditChain::prune(),
// in the transaction that is open, or one of its own. Thread rule: the thread that owns the database. Errors:
// STORE_*; AUDIT_DAMAGED.
Result<std::int64_t> prune_audit_rows(Database& database, const AuditRetention& retention, const Actor& by,
                                      std::int64_t now_ms);

}  // namespace hostclaw::approvals
