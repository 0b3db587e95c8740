// SPDX-License-Identifier: Apache-2.0
// A row of the table of runs, as everybody reads it: the command line, and the agent whose run it is.
// Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <string>

#include "approvals/store/store.h"
#include "base/json.h"

namespace hostclaw::node_host {

// The row is written before the program starts, and closed by the node, even when it died and comes back.
bool is_open_run(const approvals::RunRow& run);
// Until its end, or until now.
std::int64_t run_duration_ms(const approvals::RunRow& run, std::int64_t now_ms);
// {"runId", "door", "principal", "agentId", "sessionKey", "command", "cwd", "verdict", "code", "reason",
// "state", "running", "exitCode", "signal", "durationMs", "cpuMs", "peakMemoryBytes", "measured", ...};
// members that do not apply are absent. `measured`: group, all that the run started; programs, those it
// started itself. `node_runs`: the node that would close it lives.
Json run_json(const approvals::RunRow& run, bool node_runs, std::int64_t now_ms);

}  // namespace hostclaw::node_host
