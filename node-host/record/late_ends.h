// SPDX-License-Identifier: Apache-2.0
// Ends of runs that could not be recorded when they came, because the disk was full or the database locked.
// They are kept here and recorded as soon as the store takes something again, so that a run that ended is not
// called interrupted later.
// Thread rule: the store's thread.
#pragma once

#include <deque>

#include "approvals/store/store.h"
#include "base/json.h"

namespace hostclaw::node_host {

// Row of the runs table and row of the record, together.
Result<void> record_end(approvals::Store& store, const approvals::RunRow& row, const Json& fields);

class LateEnds {
 public:
  void keep(approvals::RunRow row, Json fields);
  // Records what is kept, oldest first, until the store refuses.
  void record(approvals::Store& store);

 private:
  struct End {
    approvals::RunRow row;
    Json fields;
  };
  std::deque<End> ends_;
};

}  // namespace hostclaw::node_host
