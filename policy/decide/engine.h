// SPDX-License-Identifier: Apache-2.0
// The decision. One function decides a `system.run`, one prepares an approval plan for it; both are pure:
// they learn about files through FileProbe and about nothing else. No clock, no threads, no I/O.
//
// deny > ask > allow. What cannot be parsed is never allowed by an allowlist. The text of a shell command is
// analysed into simple commands and, when a list allows it, those programs are what the plan holds: no shell.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "policy/document/document.h"
#include "policy/document/effective_policy.h"
#include "policy/model/engine_context.h"
#include "policy/model/execution_plan.h"
#include "policy/model/types.h"
#include "policy/programs/which.h"
#include "policy/request/command_text.h"
#include "policy/request/environment.h"
#include "policy/rules/rules.h"

namespace hostclaw::policy {

// Key by which a node finds a prepared plan again (exec contract 16): a digest over argv, cwd, agentId,
// sessionKey and commandText of a plan object. Empty when `plan` is no valid plan.
std::string plan_key(const Json& plan);

struct RunEvaluation {
  Decision decision;
  // The request, as understood. Filled as far as parsing came.
  std::vector<std::string> argv;
  std::string command_text;  // display form, exec contract 3.3
  std::string agent_id;      // empty: none given
  std::string session_key;   // "node" when none was given
  std::string run_id;        // empty: none given
  bool suppress_notify_on_exit = false;
  bool needs_screen_recording = false;
  std::optional<std::int64_t> timeout_ms;
  // Set exactly when decision.verdict is kAllow.
  ExecutionPlan plan;
  std::vector<MatchedEntry> matched;  // for usage metadata
  std::vector<GrantToStore> grants;   // only with an explicit allow-always approval
  // The policy that was in force.
  Security security = Security::kDeny;
  Ask ask = Ask::kAlways;
  Security ask_fallback = Security::kDeny;
  // Ids of the rules that took part, the deciding one first.
  std::vector<std::string> rules;
  // mode=observe only: the decision that was set aside. `decision` then is an allow.
  std::optional<Decision> would_have;
  // The command concerns the suppression of audit findings: a standing grant does not cover it.
  bool needs_person = false;
  bool approved_by_gateway = false;  // an explicit approval with a matching plan was used
  std::vector<TraceStep> trace;
};

// Decides a `system.run` from its parameters (an already parsed paramsJSON). Never throws on any input.
RunEvaluation evaluate_run(const Json& params, const PolicyDocument& document, const EngineContext& context);

struct PrepareEvaluation {
  bool ok = false;
  // When not ok: invalid, or denied where what it would run is refused to every run.
  Decision refusal;
  Json payload;  // {plan, execPolicy, allowAlwaysCoverage} when ok
  // The evaluation of the very command that the plan describes; its verdict is what execPolicy reports. When
  // not ok: of the command that was refused, or without a code where nothing was decided.
  RunEvaluation run;
  // Patterns that `system.execApprovals.get` may show for a short time so that the gateway's own check can
  // match (exec contract 12.5). Never stored; dropped when a `set` brings them back. Empty when not needed.
  std::vector<GrantToStore> visible_markers;
  // To be kept under plan_key(payload["plan"]) for 30 minutes and handed in as EngineContext::remembered.
  RememberedPlan remember;
};

// Answers `system.run.prepare`: a direct plan with the resolved path for what this node's own evaluation
// allows (execPolicy full/off), the node's asking policy for a miss, deny for a refusal.
PrepareEvaluation prepare_run(const Json& params, const PolicyDocument& document,
                              const EngineContext& context);

}  // namespace hostclaw::policy
