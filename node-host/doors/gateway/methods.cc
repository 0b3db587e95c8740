// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/methods.h"

#include <utility>

#include "approvals/questions/questions.h"
#include "base/text.h"
#include "node-host/doors/gateway/denial_words.h"
#include "node-host/doors/gateway/exec_approvals.h"
#include "node-host/doors/gateway/runs_tool.h"
#include "node-host/doors/gateway/told_answers.h"
#include "node-host/loop/log.h"
#include "node-host/loop/uuid.h"
#include "node-host/questions/local_questions.h"
#include "policy/lint/lint.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using gateway_proto::InvokeResult;
using policy::Verdict;

Error invalid_params(const std::string& message) {
  return make_error("INVALID_REQUEST", "Error: INVALID_REQUEST: " + message);
}

InvokeResult failure_of(const Error& error) {
  const bool request = error.code == "INVALID_REQUEST";
  return InvokeResult::failure(request ? "INVALID_REQUEST" : "UNAVAILABLE", error.message);
}

std::string text_at(const Json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? std::string(trim(it->get_ref<const std::string&>()))
                                               : std::string();
}

// The gateway ends a refused call at prepare and may end one that it asks about: this is the only trace of
// it.
void record_prepared(StoreSide& side, approvals::Store& store, policy::RunDecision decided,
                     const Origin& origin, const std::string& cwd, const Clock& clock) {
  Judged judged;
  judged.row = row_of(decided.evaluation, origin, "", clock.unix_ms());
  judged.row.run_id = new_uuid();
  judged.row.cwd = cwd;
  judged.row.state = "decided";
  judged.row.ended_at_ms = judged.row.started_at_ms;
  judged.context.stage = "prepare";
  judged.context.caller = origin.details();
  judged.context.hash_key = side.judge.hash_key();
  judged.what = JudgedRun{std::move(decided)};
  if (auto kept = side.journal.note(store, judged); !kept)
    log_error("a decision could not be recorded: " + kept.error().message);
}

}  // namespace

struct GatewayMethods::Prepared {
  policy::PrepareEvaluation evaluation;
  std::shared_ptr<const policy::PolicyDocument> document;  // under which it was prepared
};

GatewayMethods::Prepared GatewayMethods::prepare_on_store(StoreSide& side, approvals::Store& store,
                                                          const Json& params, const Origin& origin,
                                                          bool older_peer, const Clock& clock) {
  Prepared out;
  OpenedFiles files;
  out.document = side.policy.document(store);
  const approvals::ExecSettings exec = side.policy.settings(store);
  policy::EngineContext context = side.policy.context(exec, files);
  context.older_peer = older_peer;
  policy::PrepareEvaluation& prepared = out.evaluation;
  prepared = policy::prepare_run(params, *out.document, context);
  if (!files.not_answering().empty()) {
    prepared.ok = false;
    prepared.run.decision = not_answering(files.not_answering());
  }
  if (!prepared.ok && prepared.run.decision.code == policy::DecisionCode::kNone) return out;
  const Verdict verdict = prepared.run.decision.verdict;
  if (verdict == Verdict::kDeny || verdict == Verdict::kAsk) {
    policy::RunDecision decided = policy::decide_run(params, *out.document, context);
    decided.evaluation = prepared.run;
    record_prepared(side, store, std::move(decided), origin, text_at(params, "cwd"), clock);
  }
  if (verdict == Verdict::kAsk)
    tell_of_answers(store, params, exec, *out.document, context, origin, clock.unix_ms(), prepared);
  return out;
}

asio::awaitable<InvokeResult> GatewayMethods::prepare(Json params, Origin origin, bool older_peer) {
  const Prepared prepared = co_await side_.on_store([&](StoreSide& side, approvals::Store& store) {
    return prepare_on_store(side, store, params, origin, older_peer, clock_);
  });
  const policy::PrepareEvaluation& evaluation = prepared.evaluation;
  if (!evaluation.ok && evaluation.run.decision.code == policy::DecisionCode::kNone) {
    DenialWords words = prepare_words(evaluation.refusal);
    co_return InvokeResult::failure(std::move(words.code), std::move(words.message));
  }
  const std::string& agent = evaluation.run.agent_id;
  if (const auto said = gateway_policies_.news(agent, params)) {
    co_await store_.on_store([&](approvals::Store& store) {
      keep_gateway_policy(store, agent, *said);
      return true;
    });
  }
  // Told as a failure, the reason reaches the agent; `execPolicy` could only say that the policy denies.
  if (evaluation.run.decision.verdict == Verdict::kDeny) {
    DenialWords words = denial_words(evaluation.run.decision);
    co_return InvokeResult::failure(std::move(words.code), std::move(words.message));
  }
  plans_.remember(evaluation, prepared.document);
  co_return InvokeResult::success(evaluation.payload);
}

asio::awaitable<InvokeResult> GatewayMethods::which(Json params) {
  co_return co_await side_.on_store([&params](StoreSide& side, approvals::Store& store) {
    OpenedFiles files;
    const approvals::ExecSettings exec = approvals::read_exec_settings(store).settings;
    const auto found = policy::which(params, side.policy.context(exec, files));
    return found ? InvokeResult::success(*found) : failure_of(found.error());
  });
}

asio::awaitable<InvokeResult> GatewayMethods::call_tool(Json params, std::string session_key,
                                                        std::string live_output) {
  co_return co_await store_.on_store([&](approvals::Store& store) {
    return node_host::call_tool(store, params, session_key, live_output, clock_);
  });
}

asio::awaitable<InvokeResult> GatewayMethods::get_approvals(Json params, bool with_resolved_defaults) {
  if (params.is_object()) {
    const auto it = params.find("includeResolvedDefaults");
    if (it != params.end() && !it->is_boolean())
      co_return failure_of(invalid_params("includeResolvedDefaults must be boolean"));
  }
  const std::vector<PreparedPlans::Marker> markers = plans_.markers();
  co_return co_await side_.on_store([&markers, with_resolved_defaults](StoreSide& side,
                                                                       approvals::Store& store) {
    auto snapshot = approvals_snapshot(store, side.policy.cache());
    if (!snapshot) return InvokeResult::failure("UNAVAILABLE", snapshot.error().message);
    if (!with_resolved_defaults) snapshot->erase("resolvedDefaults");
    const auto document = side.policy.document(store);
    for (const PreparedPlans::Marker& marker : markers) {
      if (marker.document != document) continue;
      // Shown, never stored: the hash below is that of the document without them.
      OrderedJson entry{{"id", new_uuid()}, {"pattern", marker.entry.pattern}, {"source", "allow-always"}};
      if (marker.entry.arg_pattern) entry["argPattern"] = *marker.entry.arg_pattern;
      (*snapshot)["file"]["agents"][marker.agent]["allowlist"].push_back(std::move(entry));
    }
    return InvokeResult::success(json_string(dump_json(*snapshot)));
  });
}

asio::awaitable<InvokeResult> GatewayMethods::set_approvals(OrderedJson params, Origin origin,
                                                            bool with_resolved_defaults) {
  ReplaceRequest request{std::move(params), {origin.door, origin.principal.name}, {}};
  request.shown_only = plans_.shown_lately();
  co_return co_await side_.on_store([&request, with_resolved_defaults](StoreSide& side,
                                                                       approvals::Store& store) {
    const auto before = side.policy.document(store);
    auto snapshot = replace_approvals(store, side.policy.cache(), std::move(request));
    if (!snapshot) return failure_of(snapshot.error());
    if (!with_resolved_defaults) snapshot->erase("resolvedDefaults");
    OpenedFiles files;
    const approvals::ExecSettings exec = side.policy.settings(store);
    const policy::EngineContext lint_context = side.policy.context(exec, files);
    for (const auto& finding : policy::lint_changes(*before, *side.policy.document(store), lint_context))
      log_warn("the gateway's edit" +
               (finding.pattern.empty() ? "" : ", entry " + finding.pattern + " of agent " + finding.agent) +
               ": " + finding.message);
    return InvokeResult::success(json_string(dump_json(*snapshot)));
  });
}

}  // namespace hostclaw::node_host
