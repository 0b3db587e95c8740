// SPDX-License-Identifier: Apache-2.0
// hostclaw policy check --via gateway: what becomes of a command that an agent sends through a gateway.
#include <algorithm>

#include "approvals/store/settings.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/verb_policy.h"
#include "node-host/app/node_config.h"
#include "node-host/doors/gateway/denial_words.h"
#include "node-host/doors/gateway/gateway_origin.h"
#include "node-host/doors/gateway/gateway_policy.h"
#include "node-host/doors/gateway/told_answers.h"
#include "node-host/system/files/file_handles.h"
#include "policy/decide/engine.h"
#include "policy/request/command_text.h"

namespace hostclaw::cli {
namespace {

using policy::Ask;
using policy::Security;
using policy::Verdict;

struct GatewayCaller {
  node_host::GatewayPolicy policy;
  bool heard = false;  // else what a gateway says where nothing is configured
};

// What becomes of the command, in one word for programs and one sentence for people.
struct Outcome {
  const char* word;
  std::string text;
  // Of gateways before 2026.8, which look at the caller's policy alone; empty: the same.
  std::string older;
};

GatewayCaller caller_of(approvals::Store* store, const std::string& agent) {
  if (store == nullptr) return {};
  const auto known = node_host::read_gateway_policies(*store);
  const auto found = known.find(agent);
  return found == known.end() ? GatewayCaller{} : GatewayCaller{found->second, true};
}

node_host::GatewayPolicy exec_policy_of(const policy::PrepareEvaluation& prepared) {
  const Json& said = prepared.payload.at("execPolicy");
  return {policy::security_from(said.value("security", "")).value_or(Security::kDeny),
          policy::ask_from(said.value("ask", "")).value_or(Ask::kAlways)};
}

constexpr const char* kHeldForAWhile =
    "asks nobody; this node holds the question, and the agent waits 20 seconds for it";

Outcome outcome_of(const policy::PrepareEvaluation& prepared, const node_host::GatewayPolicy& caller,
                   bool asks_here) {
  const Verdict verdict = prepared.run.decision.verdict;
  if (!prepared.ok || verdict == Verdict::kDeny || verdict == Verdict::kInvalid)
    return {"refused", "refused when it is prepared; nobody is asked, and the agent reads why", ""};
  if (caller.security == Security::kDeny)
    return {"gateway-refuses", "the gateway refuses it: its own policy for this agent denies everything", ""};
  const node_host::GatewayPolicy told = exec_policy_of(prepared);
  const bool node_lets = told.security == Security::kFull && told.ask == Ask::kOff;
  const bool caller_open = caller.security == Security::kFull && caller.ask == Ask::kOff;
  if (caller.ask == Ask::kAlways)
    return {"gateway-asks", "the gateway asks: its own policy for this agent is ask=always", ""};
  if (verdict == Verdict::kAllow) return {"runs", "runs, and nobody is asked", ""};
  if (!node_lets) return {"gateway-asks", "the gateway asks a person", caller_open ? kHeldForAWhile : ""};
  if (!caller_open)
    return {"gateway-asks", "the gateway asks a person, by its own policy for this agent", ""};
  if (asks_here) return {"node-asks", "this node asks: hostclaw approvals pending", ""};
  return {"runs", "runs: a grant covers it", ""};
}

Json caller_json(const GatewayCaller& caller) {
  return {{"security", policy::to_string(caller.policy.security)},
          {"ask", policy::to_string(caller.policy.ask)},
          {"heard", caller.heard}};
}

void print_story(const policy::PrepareEvaluation& prepared, const GatewayCaller& caller,
                 const Outcome& outcome) {
  const std::string words = "security=" + std::string(policy::to_string(caller.policy.security)) +
                            " ask=" + std::string(policy::to_string(caller.policy.ask));
  print_line("caller    " + words +
             (caller.heard ? ", as the gateway said last" : ", assumed: no gateway has said anything yet"));
  const policy::Decision& decision = prepared.run.decision;
  if (prepared.ok && decision.verdict != Verdict::kDeny) {
    const Json& plan = prepared.payload.at("plan");
    print_line("plan      " + for_terminal(plan.value("commandText", "")) + "  in " +
               for_terminal(plan.at("cwd").is_string() ? plan.value("cwd", "") : std::string("-")));
    const Json& said = prepared.payload.at("execPolicy");
    print_line("answers   security=" + said.value("security", "") + " ask=" + said.value("ask", ""));
  } else {
    const std::string why = decision.verdict == Verdict::kDeny
                                ? node_host::denial_words(decision).message
                                : node_host::prepare_words(prepared.refusal).message;
    const char* name = "no plan   ";
    for (const std::string& line : split(why, '\n')) {
      print_line(name + for_terminal(line));
      name = "          ";
    }
  }
  if (decision.code != policy::DecisionCode::kNone) {
    const std::string verdict(policy::to_string(decision.verdict));
    print_line("decided   " + verdict_in_colour(verdict, verdict) + "  " +
               std::string(to_string(decision.code)) + "  " + for_terminal(decision.explanation));
  }
  print_line("outcome   " + outcome.text);
  if (!outcome.older.empty()) print_line("          a gateway before 2026.8 " + outcome.older);
}

}  // namespace

int check_via_gateway(const CheckRequest& asked, const InForce& in_force, bool json) {
  CheckRequest request = asked;
  // The exec tool sends a text.
  if (!request.shell_text) request.shell_text = policy::command_text(request.argv);
  Json params = request_params(request);
  approvals::Store* store = in_force.store.get();
  const GatewayCaller caller = caller_of(store, request.agent);
  params["security"] = policy::to_string(caller.policy.security);
  params["ask"] = policy::to_string(caller.policy.ask);
  node_host::OpenedFiles files;
  const policy::EngineContext context = check_context(in_force.settings, files);
  policy::PrepareEvaluation prepared = policy::prepare_run(params, *in_force.document, context);
  bool asks_here = false;
  if (store != nullptr && prepared.ok && prepared.run.decision.verdict == Verdict::kAsk) {
    const auto config = node_host::load_node_config(*store);
    if (!config) return fail(config.error(), json);
    const approvals::ExecSettings exec = approvals::read_exec_settings(*store).settings;
    asks_here = exec.ask_via == approvals::AskVia::kLocal;
    node_host::tell_of_answers(*store, params, exec, *in_force.document, context,
                               node_host::gateway_origin(config->gateway), unix_ms_now(), prepared);
  }
  const Outcome outcome = outcome_of(prepared, caller.policy, asks_here);
  const bool runs = std::string_view(outcome.word) == "runs";
  if (!json) {
    print_story(prepared, caller, outcome);
    return runs ? kDone : kFailed;
  }
  Json body = {{"via", "gateway"},
               {"outcome", outcome.word},
               {"verdict", policy::to_string(prepared.run.decision.verdict)},
               {"code", prepared.run.decision.code},
               {"reason", prepared.ok ? prepared.run.decision.explanation
                                      : node_host::prepare_words(prepared.refusal).message},
               {"caller", caller_json(caller)}};
  if (prepared.ok) {
    body["plan"] = prepared.payload.at("plan");
    body["execPolicy"] = prepared.payload.at("execPolicy");
  }
  if (!outcome.older.empty()) body["before2026.8"] = outcome.older;
  print_json(body);
  return runs ? kDone : kFailed;
}

}  // namespace hostclaw::cli
