// SPDX-License-Identifier: Apache-2.0
#include "node-host/record/late_ends.h"

#include "approvals/audit/audit_chain.h"
#include "node-host/loop/log.h"

namespace hostclaw::node_host {
namespace {

// Nothing new runs while nothing can be recorded, so no more can end than ran then.
constexpr std::size_t kMostLateEnds = 4096;

}  // namespace

Result<void> record_end(approvals::Store& store, const approvals::RunRow& row, const Json& fields) {
  return store.transaction([&]() -> Result<void> {
    // A run that began in a database that was replaced since has no row in this one; that it ended is told
    // all the same.
    if (auto kept = store.end_run(row); !kept && kept.error().code != "STORE_NOT_FOUND") return kept;
    const auto appended = approvals::append_audit_row(store.database(), row.ended_at_ms, "end", fields);
    if (!appended) return appended.error();
    return {};
  });
}

void LateEnds::keep(approvals::RunRow row, Json fields) {
  if (ends_.size() >= kMostLateEnds) ends_.pop_front();
  ends_.push_back({std::move(row), std::move(fields)});
}

void LateEnds::record(approvals::Store& store) {
  while (!ends_.empty()) {
    if (!record_end(store, ends_.front().row, ends_.front().fields)) return;
    log_info("the end of run " + ends_.front().row.run_id + " is recorded now");
    ends_.pop_front();
  }
}

}  // namespace hostclaw::node_host
