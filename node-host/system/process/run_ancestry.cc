// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/run_ancestry.h"

#include <algorithm>

namespace hostclaw::node_host {
namespace {

constexpr int kMostLooks = 4096;

// The parent of `child`, which is read anew when its parent has gone meanwhile and it was adopted by another.
// nullopt at the end of the chain, or of what can be seen of it.
std::optional<ProcessFacts> parent_of(ProcessTable& processes, ProcessFacts& child, int& looks) {
  while (child.parent > 0 && looks++ < kMostLooks) {
    const std::optional<ProcessFacts> parent = processes.look(child.parent);
    // A parent is never younger: then the number has passed to another process.
    if (parent && parent->started <= child.started) return parent;
    const std::optional<ProcessFacts> again = processes.look(child.pid);
    if (!again || again->parent == child.parent) return std::nullopt;
    child.parent = again->parent;
  }
  return std::nullopt;
}

}  // namespace

Descent find_descent(ProcessTable& processes) {
  Descent out;
  const std::optional<ProcessFacts> self = processes.look_at_self();
  const auto by_confinement = [&] {
    out.because = processes.confinement();
    out.from_run = !out.because.empty();
    out.seen = false;
    return out;
  };
  if (!self) return by_confinement();
  ProcessFacts child = *self;
  std::int64_t marked = child.marked ? child.pid : 0;
  std::int64_t keeper = 0;
  int looks = 0;
  while (const std::optional<ProcessFacts> parent = parent_of(processes, child, looks)) {
    if (parent->node_of) {
      out.from_run = true;
      out.because = "its ancestor " + std::to_string(parent->pid) + " is a node";
      out.node_directory = *parent->node_of;
      out.top_pid = child.pid;
      out.top_session = child.session;
      return out;
    }
    if (parent->keeps_run) keeper = parent->pid;
    if (marked == 0 && parent->marked) marked = parent->pid;
    child = *parent;
  }
  if (looks >= kMostLooks) {
    out.from_run = true;
    out.because = "it has more ancestors than are looked at";
    out.seen = false;
    return out;
  }
  if (keeper != 0) {
    // Whoever started it has gone.
    out.from_run = true;
    out.because = "its ancestor " + std::to_string(keeper) + " keeps a run";
    out.top_pid = keeper;
    return out;
  }
  if (marked != 0) {
    out.from_run = true;
    out.because = "process " + std::to_string(marked) + " carries HOSTCLAW_RUN";
    return out;
  }
  return by_confinement();
}

std::int64_t find_run_row(const Descent& descent, const std::vector<RunRoster::Member>& roster,
                          ProcessTable& processes) {
  const auto member = std::find_if(roster.begin(), roster.end(), [&](const RunRoster::Member& candidate) {
    const bool above =
        descent.top_pid != 0 && (candidate.pid == descent.top_pid || candidate.pid == descent.top_session);
    return above || processes.in_job_of(candidate.marker);
  });
  return member == roster.end() ? 0 : member->row;
}

}  // namespace hostclaw::node_host
