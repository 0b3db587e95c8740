// SPDX-License-Identifier: Apache-2.0
// A run as a caller asks for it: what is written down (RunCommand), who asks (Asker), and both checked in the
// order in which upstream checks them (RunRequest); what a caller is told of a fault is made at its door.
// Exec contract 3, 4.1, 11.5. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "policy/decide/engine.h"
#include "policy/programs/wrappers.h"
#include "policy/request/environment.h"

namespace hostclaw::policy {

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

// Who asks, as the door says that let them in. Nothing here was written by the caller, unless the door takes
// the caller's word for it.
struct Asker {
  std::string agent_id;     // whose policy applies; empty: none, the strictest of all agents applies
  std::string session_key;  // empty: none
  // The caller may say that a person approved the command and bring a prepared plan. Where false, members
  // that claim anything of that kind are refused by name.
  bool may_carry_approval = false;
  std::string shown;  // door and principal, for the trace; empty: not shown
};

// What a caller wrote down, member by member, read and not yet checked against anything.
struct RunCommand {
  std::vector<std::string> argv;  // empty: none was given
  std::string raw_command;        // trimmed; empty: absent
  std::string cwd;                // trimmed; empty: absent
  Environment environment;        // of the request
  // A shell gets it like every other program does: for doors whose peers set variables for shells. What no
  // request may set is refused all the same.
  bool shells_get_environment = false;
  std::optional<std::int64_t> timeout_ms;
  bool needs_screen_recording = false;
  // For doors whose callers may carry an approval.
  std::string run_id;  // empty: absent
  bool suppress_notify_on_exit = false;
  bool approved = false;  // `approved: true` or a valid decision
  ApprovalDecision decision = ApprovalDecision::kNone;
  ApprovalSource source = ApprovalSource::kNone;
  std::optional<RequestPlan> plan;
  bool plan_malformed = false;              // the plan is there and is none
  Reason approval_problem = Reason::kNone;  // the approval members contradict themselves
  // Names of the members that claim an identity, an approval or a policy, as the caller wrote them.
  std::vector<std::string> claims;
};

// The members that speak with somebody else's authority: whose policy, whose approval, what the policy is.
std::span<const std::string_view> authority_members();

struct RunParameters {
  RunCommand command;
  std::string agent_id;     // as the caller wrote it; empty: absent
  std::string session_key;  // the same
};
// From OpenClaw's parameters of `system.run`. Anything that is no object has no command.
RunParameters read_run_parameters(const Json& params);

// What `command` claims and a door that may carry no approval does not take: its claims, and whatever a door
// filled in itself. Sorted, each once.
std::vector<std::string> refused_claims(const RunCommand& command);

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

// Why a request is none that can be decided.
struct RequestFault {
  Reason reason = Reason::kNone;         // kNone: there is no fault
  std::vector<std::string> names;        // of variables
  std::vector<std::string> other_names;  // see Reason::kVariableRefused

  explicit operator bool() const { return reason != Reason::kNone; }
};
RequestFault refused_variables(OverrideCheck check);
// The same as a decision: invalid, with its sentence.
Decision invalid_request(RequestFault fault);

// `out` holds what was read so far.
RequestFault check_run_command(const RunCommand& command, const Asker& asker, const EngineContext& context,
                               RunRequest& out);

// The part that `system.run.prepare` shares: command, rawCommand, cwd, agentId, sessionKey.
RequestFault read_command(const Json& params, const EngineContext& context, RunRequest& out);

// nullopt when `value` is no valid plan (3.2).
std::optional<RequestPlan> read_plan(const Json& value);

// ECMAScript String(value).
std::string to_ecmascript_string(const Json& value);

}  // namespace hostclaw::policy
