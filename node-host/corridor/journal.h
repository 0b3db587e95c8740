// SPDX-License-Identifier: Apache-2.0
// The journal: a row when something was decided, before anything is done, and a row when it has ended.
//
// Grant, row, audit row and usage commit together: nothing is done without its row, and a grant that a person
// gave is used up or stored with the row of what it allows, or nothing is done.
// Thread rule: the store's thread.
#pragma once

#include <cstdint>

#include "approvals/store/store.h"
#include "node-host/corridor/judge.h"
#include "node-host/record/late_ends.h"

namespace hostclaw::node_host {

class Journal {
 public:
  // Answers the id of the row. Nothing is written for what waits for an answer (0).
  Result<std::int64_t> begin(approvals::Store& store, const Judged& judged);

  // A decision that nothing follows: an audit row, and a row among the runs when it refuses.
  Result<void> note(approvals::Store& store, const Judged& judged);

  // The end of a run. What the store does not take is kept and written later.
  // `row`: as it was written at the beginning, with its id.
  Result<void> end(approvals::Store& store, approvals::RunRow row, const RunOutcome& outcome,
                   std::int64_t ended_at_ms);

  // Ends that the store did not take when they came.
  void write_late_ends(approvals::Store& store) { late_ends_.record(store); }

 private:
  LateEnds late_ends_;
};

}  // namespace hostclaw::node_host
