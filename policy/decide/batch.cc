// SPDX-License-Identifier: Apache-2.0
#include "policy/decide/batch.h"

#include "policy/request/environment.h"

namespace hostclaw::policy {
namespace {

std::string answer(const Json& id, std::string_view verdict, std::string_view code, std::string_view reason,
                   Json argv = Json::array()) {
  return dump_json(
      Json{{"id", id}, {"verdict", verdict}, {"code", code}, {"reason", reason}, {"argv", std::move(argv)}});
}

Json spawned(const ExecutionPlan& plan) {
  Json out = Json::array();
  for (const PlannedPipeline& pipeline : plan.pipelines) {
    for (const PlannedCommand& command : pipeline.commands) out.push_back(command.argv);
  }
  return out;
}

std::string text_member(const Json& row, const char* name) {
  const auto it = row.find(name);
  return it != row.end() && it->is_string() ? it->get<std::string>() : "";
}

PolicyDocument document_of(const OrderedJson& row, Strictness strictness) {
  int next = 0;
  const IdSource new_id = [&next] { return "batch-" + std::to_string(++next); };
  const auto it = row.find("document");
  OrderedJson file = it == row.end() || it->is_null() ? OrderedJson{{"version", 1}} : *it;
  if (strictness == Strictness::kOfficial) file = tolerated_document(file);
  Result<PolicyDocument> document = read_document(file, new_id);
  return document ? std::move(*document) : deny_all_document(document.error().message);
}

}  // namespace

EngineSettings batch_settings(EngineSettings base, Strictness strictness) {
  const bool official = strictness == Strictness::kOfficial;
  base.strictness = strictness;
  base.fallback_security = official ? Security::kFull : Security::kAllowlist;
  base.fallback_ask = official ? Ask::kOff : Ask::kOnMiss;
  base.fallback_ask_fallback = Security::kDeny;
  base.security_limit = Security::kFull;
  base.ask_floor = Ask::kOff;
  return base;
}

std::string check_batch_line(std::string_view json_line, const EngineContext& base) {
  const Result<OrderedJson> ordered = parse_ordered_json(json_line);
  const Result<Json> row = parse_json(json_line);
  if (!row || !ordered)
    return answer(nullptr, "invalid", "LINE_INVALID", (row ? ordered.error() : row.error()).message);
  if (!row->is_object()) return answer(nullptr, "invalid", "LINE_INVALID", "a line must be an object");
  const Json id = row->value("id", Json());
  const auto params = row->find("params");
  if (params == row->end())
    return answer(id, "invalid", to_string(DecisionCode::kRequestInvalid), "params are missing");

  Strictness strictness = base.settings.strictness;
  if (const auto it = row->find("strictness"); it != row->end() && !it->is_null()) {
    const std::optional<Strictness> given = strictness_from(text_member(*row, "strictness"));
    if (!given) return answer(id, "invalid", "LINE_INVALID", "strictness must be hardened or official");
    strictness = *given;
  }
  EngineContext context = base;
  context.remembered = nullptr;
  context.settings = batch_settings(base.settings, strictness);
  Environment environment;
  if (const auto it = row->find("pathEnv"); it != row->end() && it->is_string()) {
    context.host_environment =
        with_overrides(context.host_environment, {{"PATH", it->get<std::string>()}}, context.platform);
    context.child_environment = nullptr;
  }
  if (text_member(*row, "runAs") == "root") context.running_as_root = true;
  const RunEvaluation run = evaluate_run(*params, document_of(*ordered, strictness), context);
  const Decision& decision = run.decision;
  return answer(id, to_string(decision.verdict), to_string(decision.code), decision.explanation,
                decision.verdict == Verdict::kAllow ? spawned(run.plan) : Json::array());
}

}  // namespace hostclaw::policy
