// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/told_answers.h"

#include "approvals/questions/questions.h"
#include "node-host/questions/local_questions.h"
#include "policy/decide/run_decision.h"

namespace hostclaw::node_host {

void tell_of_answers(approvals::Store& store, const Json& params, const approvals::ExecSettings& exec,
                     const policy::PolicyDocument& document, policy::EngineContext context,
                     const Origin& origin, std::int64_t now_ms, policy::PrepareEvaluation& prepared) {
  const Json& plan = prepared.payload["plan"];
  Json run = {{"command", plan["argv"]}, {"systemRunPlan", plan}};
  for (const char* name : {"cwd", "agentId", "sessionKey"}) {
    if (const auto it = plan.find(name); it != plan.end() && !it->is_null()) run[name] = *it;
  }
  if (const auto env = params.find("env"); env != params.end()) run["env"] = *env;
  context.remembered = &prepared.remember;
  context.answer = policy::LocalAnswer::kNone;
  const policy::RunDecision refused = policy::decide_run(run, document, context);
  context.answer = policy::LocalAnswer::kGranted;
  const policy::RunDecision granted = policy::decide_run(run, document, context);
  if (refused.evaluation.decision.verdict != policy::Verdict::kAsk ||
      granted.evaluation.decision.verdict != policy::Verdict::kAllow)
    return;
  bool told = exec.ask_via == approvals::AskVia::kLocal;
  if (!told) {
    const auto grants =
        approvals::Questions(store).covering(askable(refused, granted, origin.who()).request, now_ms);
    told = grants && !grants->empty();
  }
  if (told) prepared.payload["execPolicy"] = {{"security", "full"}, {"ask", "off"}};
}

}  // namespace hostclaw::node_host
