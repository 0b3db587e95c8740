// The parameters of `system.run`, read in the order in which upstream reads them, with its messages. Exec
// contract 3, 4.1, 11.5. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "policy/analysis/wrappers.h"
#include "policy/engine.h"

namespace hostclaw::policy {

struct PlanOperand {
  std::size_t argv_index = 0;
  std::string path;
  std::string sha256;
};

// `systemRunPlan`, normalised: absent and blank strings are the same.
struct RequestPlan {
  std::vector<std::string> argv;
  std::string command_text;
  std::string command_preview;
  std::string cwd;
  std::string agent_id;
  std::string session_key;
  std::optional<PlanOperand> operand;
  std::optional<Json> policy_snapshot;
};

enum class ApprovalSource { kNone, kAskFallback, kAutoReview };
enum class ApprovalDecision { kNone, kAllowOnce, kAllowAlways };

struct RunRequest {
  std::vector<std::string> argv;
  std::string command_text;
  RawCommandForm raw_form = RawCommandForm::kAbsent;
  std::string raw_command;            // trimmed; empty: absent
  std::optional<ShellWrapper> shell;  // argv runs a shell
  std::string cwd;                    // trimmed; empty: absent
  std::string agent_id;               // empty: absent
  std::string session_key;            // empty: absent
  std::string run_id;                 // empty: absent
  std::optional<std::int64_t> timeout_ms;
  bool needs_screen_recording = false;
  bool suppress_notify_on_exit = false;
  bool approved = false;  // `approved: true` or a valid decision
  ApprovalDecision decision = ApprovalDecision::kNone;
  ApprovalSource source = ApprovalSource::kNone;
  std::optional<RequestPlan> plan;
  Environment overrides;  // accepted, shell filter applied

  // The text to judge when the request runs a shell whose text may be judged.
  const std::string* payload() const { return shell && shell->bindable ? &*shell->bindable : nullptr; }
  bool delayed_approval() const { return approved || source != ApprovalSource::kNone; }
};

// Errors: code INVALID_REQUEST and the message for the wire. `out` holds what was read so far.
// `remembered` is EngineContext::remembered.
Result<void> read_run_request(const Json& params, const EngineContext& context, RunRequest& out);

// The part that `system.run.prepare` shares: command, rawCommand, cwd, agentId, sessionKey.
Result<void> read_command(const Json& params, const EngineContext& context, bool prepare, RunRequest& out);

// nullopt when `value` is no valid plan (3.2).
std::optional<RequestPlan> read_plan(const Json& value);

// ECMAScript String(value).
std::string to_ecmascript_string(const Json& value);

}  // namespace hostclaw::policy
