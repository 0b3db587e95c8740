// SPDX-License-Identifier: Apache-2.0
// What the audit chain holds about runs: one row when it was decided and one when it ended. Secrets are
// masked; the full text of a command stays in the runs table of this machine.
// Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "approvals/store/store.h"
#include "base/json.h"
#include "node-host/run/run_executor.h"
#include "policy/decide/run_decision.h"

namespace hostclaw::node_host {

struct DecisionContext {
  std::string_view stage = "run";      // run | prepare
  Json caller;                         // what else the door knows of who asked; null: nothing
  std::string hash_key;                // of argv_hash, for commands that hold secrets
  std::string question_id;             // asked, or answered
  std::string answered_by;             // "cli uid 1000 (name)", "gateway"; empty: nobody was asked
  std::int64_t waited_ms = 0;          // for the answer
  std::vector<std::string> grant_ids;  // consumed by this run
};

// {"door", "principal", "caller", "verdict", "code", "layer", "why", "argv", "argvHash", "cwd", "programs":
// [{"path", "device", "inode", "owner"}], "agent", "session", "run", "entries", "rules", "grants", ...};
// absent members do not apply.
Json decision_fields(const policy::RunDecision& decision, const approvals::RunRow& row,
                     const DecisionContext& context);

// What the mark of a run's processes begins with (RunOptions::mark): a later process of this node finds them
// by it. `key` is audit_hash_key(): nobody else can name the mark of a run.
std::string run_mark(const std::string& key, const std::string& run_id);

// What a run used, into its row.
void put_use(approvals::RunRow& row, const ResourceUse& used);

// {"run", "state", "exit", "signal", "stdoutBytes", ..., "durationMs", "cpuMs", "peakMemoryBytes",
// "measured", "leftAlive", "cancelledBy"}
Json end_fields(const approvals::RunRow& row, const RunOutcome& outcome);

}  // namespace hostclaw::node_host
