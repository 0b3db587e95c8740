// SPDX-License-Identifier: Apache-2.0
// Owning all descendants of a run without control groups, and beside them: where a run has one
// (control_group.h), that knows more.
//
// This process is made the reaper of its orphaned descendants, so nothing a run starts ever leaves the tree
// below it. Which run a process belongs to is told by, in this order: it is a program of the run or a
// descendant of one; its session or process group was created by one; HOSTCLAW_RUN in the environment it was
// started with. Signals go through pidfds that were opened before the start time was checked, so a re-used
// pid is never hit.
//
// The honest limit: a process that (1) left its parent by a double fork, (2) called setsid and (3) wiped
// HOSTCLAW_RUN from its environment before we looked cannot be told from other orphans. It is ended only when
// its run was the only one since it began (TreeQuery::all_adopted); beside other runs it survives. So does
// one that changed to a user we may not signal. Control groups of a service manager end those when the
// service stops.
//
// Cost: one pass over /proc, about 10 microseconds per process of the machine; only on timeout, cancel and
// failure. Thread rule: safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "node-host/system/files/file_handles.h"
#include "node-host/system/process/orphans.h"

namespace hostclaw::node_host {

struct TreeProcess {
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;  // since boot; pid and start time together are never re-used
  UniqueFd handle;                // pidfd, readable when the process has ended; none on kernels before 5.3
};

struct TreeQuery {
  // Programs of the run that have not been reaped: their pids cannot be re-used.
  std::vector<std::int64_t> leaders;
  std::vector<std::int64_t> groups;  // process groups and sessions that the run created
  bool groups_only = false;          // process groups alone: no descendants, no sessions, no marker
  std::string marker;                // value of HOSTCLAW_RUN
  std::vector<std::int64_t> known;   // belong to it for certain: in its control group (control_group.h)
  // Every orphan that this process adopted belongs to the run. Requires: nothing else of ours left orphans
  // since `not_before_ticks`.
  bool all_adopted = false;
  std::uint64_t not_before_ticks = 0;  // nothing older belongs to the run
};

// The living processes that belong to the run; zombies and this process are left out.
std::vector<TreeProcess> find_processes(const TreeQuery& query);

// False when the process is gone or may not be signalled.
bool send_signal(const TreeProcess& process, int signal_number);

std::uint64_t ticks_since_boot();

}  // namespace hostclaw::node_host
