// SPDX-License-Identifier: Apache-2.0
// Whether a process descends from a run of a node: by the tree of processes, which nobody can lie about, not
// by a variable that a caller can unset.
//
// POSIX. A node adopts the orphans of its runs, so whatever a run has started has the node above it: through
// setsid, double forks and wiped environments. A node is known by the lock of its state directory that it
// holds open. Also from a run is: what carries HOSTCLAW_RUN, or is below a process that does, in the
// environment that the kernel keeps; what is in the control group of a service that is the node's own; what
// is in a PID namespace, or has no /proc, where the node that uses the state directory cannot be seen.
//
// Windows. A node above it in the tree (parents that have ended end the chain), HOSTCLAW_RUN in its
// environment, or membership in the job object of a run.
//
// The honest limit: what another process starts on request (systemd, cron, at, a container engine) descends
// from that one. Thread rule: safe from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node-host/system/process/run_roster.h"

namespace hostclaw::node_host {

// The word by which this program is the keeper of a run that outlives its node (run/kept_runs.h).
inline constexpr const char* kKeepRunWord = "keep-run";

struct ProcessFacts {
  std::int64_t pid = 0;
  std::int64_t parent = 0;             // 0: none
  std::int64_t session = 0;            // 0: there is no such thing
  std::uint64_t started = 0;           // grows with time
  bool marked = false;                 // HOSTCLAW_RUN is in the environment that it was started with
  bool keeps_run = false;              // by its command line
  std::optional<std::string> node_of;  // it is a node; its state directory, empty when that cannot be told
};

class ProcessTable {
 public:
  virtual ~ProcessTable() = default;
  // nullopt when there is no such process, or it cannot be seen.
  virtual std::optional<ProcessFacts> look(std::int64_t pid) = 0;
  virtual std::optional<ProcessFacts> look_at_self() = 0;
  // One more reason why this process counts as part of a run, or empty.
  virtual std::string confinement() = 0;
  // This process is in the job object of the run that has this marker.
  virtual bool in_job_of(const std::string& marker) = 0;
};

// The processes of this machine as this process sees them. `state_directory` is the one that a command is
// about.
std::unique_ptr<ProcessTable> processes_of_this_system(const std::string& state_directory);

struct Descent {
  bool from_run = false;
  bool seen = true;            // false: by what confines it, not by the tree or a mark
  std::string because;         // half a sentence: "its ancestor 812 is a node"
  std::string node_directory;  // of the node whose run it is; empty: not known
  // The child of the node that is above this process, or is it; the keeper of its run where no node is above;
  // 0 when not known.
  std::int64_t top_pid = 0;
  std::int64_t top_session = 0;
};

Descent find_descent(ProcessTable& processes);

// The run's row; 0 when it cannot be told which run it is.
std::int64_t find_run_row(const Descent& descent, const std::vector<RunRoster::Member>& roster,
                          ProcessTable& processes);

}  // namespace hostclaw::node_host
