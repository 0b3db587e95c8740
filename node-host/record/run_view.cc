// SPDX-License-Identifier: Apache-2.0
#include "node-host/record/run_view.h"

namespace hostclaw::node_host {

bool is_open_run(const approvals::RunRow& run) {
  return run.verdict == "allow" && (run.state == "running" || run.state == "decided");
}

std::int64_t run_duration_ms(const approvals::RunRow& run, std::int64_t now_ms) {
  return (run.ended_at_ms > 0 ? run.ended_at_ms : now_ms) - run.started_at_ms;
}

Json run_json(const approvals::RunRow& run, bool node_runs, std::int64_t now_ms) {
  Json json{{"runId", run.run_id},
            {"door", run.door},
            {"principal", run.principal},
            {"agentId", run.agent_id},
            {"sessionKey", run.session_key},
            {"command", run.command_text},
            {"cwd", run.cwd},
            {"resolvedPath", run.resolved_path},
            {"verdict", run.verdict},
            {"code", run.code},
            {"reason", run.reason},
            {"state", run.state},
            {"delivered", run.delivered},
            {"stdoutBytes", run.stdout_bytes},
            {"stderrBytes", run.stderr_bytes},
            {"droppedBytes", run.dropped_bytes},
            {"startedAtMs", run.started_at_ms},
            {"endedAtMs", run.ended_at_ms}};
  json["running"] = node_runs && is_open_run(run);
  if (is_open_run(run) ? node_runs : run.ended_at_ms > 0) json["durationMs"] = run_duration_ms(run, now_ms);
  if (run.exit_code) json["exitCode"] = *run.exit_code;
  if (run.signal) json["signal"] = *run.signal;
  if (run.cpu_us) json["cpuMs"] = static_cast<double>(*run.cpu_us) / 1000.0;
  if (run.peak_memory_bytes) json["peakMemoryBytes"] = *run.peak_memory_bytes;
  if (!run.measured.empty()) json["measured"] = run.measured;
  return json;
}

}  // namespace hostclaw::node_host
