// SPDX-License-Identifier: Apache-2.0
// The decision about one request together with everything it was made from; shared by `system.run` and its
// prepare.
#pragma once

#include <string>
#include <string_view>

#include "policy/decide/command_analysis.h"
#include "policy/decide/engine.h"
#include "policy/decide/run_request.h"
#include "policy/document/effective_policy.h"

namespace hostclaw::policy {

// Told where a command hides what would run (Reason::kHiddenCommand), at its run as at its preparation.
inline constexpr std::string_view kHowToAsk =
    "No approval request was created. This node asks about single programs and about chains of them; give "
    "the program and its script as separate words.";

struct RunDecision {
  RunEvaluation evaluation;
  RunRequest request;
  EffectivePolicy policy;
  CommandAnalysis analysis;
  std::string cwd;          // absolute
  Environment environment;  // of the child
};

// Decides what `asker` asks for. Never throws on any input.
RunDecision decide_run(const RunCommand& command, const Asker& asker, const PolicyDocument& document,
                       const EngineContext& context);
// The same from OpenClaw's parameters, as from a gateway: who asks and what was approved is taken from them.
RunDecision decide_run(const Json& params, const PolicyDocument& document, const EngineContext& context);

// Every command of an understood text can be started by the host itself, without its shell.
bool programs_can_run(const CommandAnalysis& analysis);

}  // namespace hostclaw::policy
