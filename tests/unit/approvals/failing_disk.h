// SPDX-License-Identifier: Apache-2.0
// A disk that fails on request: an SQLite VFS in front of the system's own, the default while an object
// lives. Counts what changes the disk (write, truncate, sync, a larger shared-memory file) and makes chosen
// calls fail.
#pragma once

#include <sqlite3.h>

namespace hostclaw::approvals::testing {

class FailingDisk {
 public:
  FailingDisk();
  ~FailingDisk();
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;

  // The call number `nth` from now on (1 is the next) fails with `code`; with `forever` every later one as
  // well.
  void fail_at(int nth, int code, bool forever);
  void repair();
  bool failed() const;  // since the last fail_at
};

}  // namespace hostclaw::approvals::testing
