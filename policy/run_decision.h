// SPDX-License-Identifier: Apache-2.0
// The decision about one request together with everything it was made from; shared by `system.run` and its
// prepare.
#pragma once

#include <string>

#include "policy/command_analysis.h"
#include "policy/effective_policy.h"
#include "policy/engine.h"
#include "policy/run_request.h"

namespace hostclaw::policy {

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
