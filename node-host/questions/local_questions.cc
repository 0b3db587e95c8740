// SPDX-License-Identifier: Apache-2.0
#include "node-host/questions/local_questions.h"

#include "approvals/shown/secret_masking.h"
#include "approvals/shown/shown_text.h"
#include "base/sha256.h"
#include "base/text.h"

namespace hostclaw::node_host {
namespace {

using approvals::GrantScope;

// Parts behind their lengths: two different lists of parts never give the same digest.
class KeyDigest {
 public:
  KeyDigest& add(std::string_view part) {
    digest_.update(std::to_string(part.size()) + ":");
    digest_.update(part);
    return *this;
  }
  KeyDigest& add(std::uint64_t number) { return add(std::to_string(number)); }
  KeyDigest& add(const policy::FileIdentity& file) {
    return add(std::uint64_t{file.known}).add(file.known ? file.device : 0).add(file.known ? file.inode : 0);
  }
  std::string hex() { return digest_.hex(); }

 private:
  Sha256 digest_;
};

std::string key_of(const policy::RunDecision& granted, const std::string& who) {
  const policy::ExecutionPlan& plan = granted.evaluation.plan;
  KeyDigest digest;
  digest.add(who)
      .add(granted.request.agent_id)
      .add(granted.request.session_key)
      .add(plan.cwd)
      .add(plan.cwd_identity);
  digest.add(granted.request.overrides.size());
  for (const auto& [name, value] : granted.request.overrides) digest.add(name).add(value);
  for (const policy::PlannedPipeline& pipeline : plan.pipelines) {
    digest.add("pipeline").add(static_cast<std::uint64_t>(pipeline.connector));
    digest.add(std::uint64_t{pipeline.negate}).add(pipeline.commands.size());
    for (std::size_t i = 0; i < pipeline.commands.size(); ++i) {
      const policy::PlannedCommand& command = pipeline.commands[i];
      digest.add(std::uint64_t{i < pipeline.stderr_to_pipe.size() && pipeline.stderr_to_pipe[i]});
      digest.add(static_cast<std::uint64_t>(command.builtin));
      digest.add(command.executable).add(command.identity).add(command.argv.size());
      for (const std::string& word : command.argv) digest.add(word);
      if (!command.script) continue;
      digest.add("script").add(command.script->index).add(command.script->path);
      digest.add(command.script->sha256.value_or(""));
    }
  }
  return digest.hex();
}

// What a standing grant may stand in for: it was given for a program or its arguments, so it says nothing
// about a question that is asked for another reason.
GrantScope widest_for(const policy::RunEvaluation& refused) {
  if (refused.needs_person) return GrantScope::kPlan;
  switch (refused.decision.code) {
    case policy::DecisionCode::kAllowlistMiss:
    case policy::DecisionCode::kAllowlistMissArguments:
      return GrantScope::kExecutable;
    case policy::DecisionCode::kRuleAsk:
    case policy::DecisionCode::kCarriedCode:
      return GrantScope::kExact;
    default:
      return GrantScope::kPlan;
  }
}

bool changes_directory(const policy::ExecutionPlan& plan) {
  for (const policy::PlannedPipeline& pipeline : plan.pipelines) {
    for (const policy::PlannedCommand& command : pipeline.commands) {
      if (command.builtin == policy::Builtin::kCd) return true;
    }
  }
  return false;
}

Json details_of(const policy::RunDecision& refused, const policy::RunDecision& granted) {
  const policy::Decision& decision = refused.evaluation.decision;
  Json details = {{"why", approvals::mask_secrets_in_text(decision.explanation)}, {"code", decision.code}};
  if (!refused.evaluation.rules.empty()) details["rule"] = refused.evaluation.rules.front();
  if (!granted.request.overrides.empty()) {
    Json& names = details["variables"] = Json::array();
    for (const auto& [name, value] : granted.request.overrides) names.push_back(name);
  }
  Json risks = Json::array();
  if (!granted.analysis.ok)
    risks.push_back("a shell runs this text; what it will do was not understood: " + granted.analysis.reason);
  if (decision.code == policy::DecisionCode::kCarriedCode)
    risks.push_back("the program is told to run other code");
  if (refused.evaluation.needs_person) risks.push_back("it concerns the suppression of audit findings");
  for (const policy::PlannedPipeline& pipeline : granted.evaluation.plan.pipelines) {
    for (const policy::PlannedCommand& command : pipeline.commands) {
      if (!command.script || !command.script->sha256) continue;
      details["script"] = command.script->path;
      details["scriptSha256"] = *command.script->sha256;
    }
  }
  if (!risks.empty()) details["risks"] = std::move(risks);
  return details;
}

}  // namespace

Askable askable(const policy::RunDecision& refused, const policy::RunDecision& granted,
                const std::string& who) {
  const policy::RunEvaluation& evaluation = granted.evaluation;
  Askable out;
  approvals::NewQuestion& question = out.question;
  question.key = key_of(granted, who);
  question.agent_id = evaluation.agent_id;
  question.session_key = granted.request.session_key;
  question.run_id = evaluation.run_id;
  question.shown_text = approvals::shown_command(approvals::mask_secrets(evaluation.argv).argv);
  question.command_text = approvals::shown_command(evaluation.argv);
  for (const policy::PlannedPipeline& pipeline : evaluation.plan.pipelines) {
    for (const policy::PlannedCommand& command : pipeline.commands) {
      if (command.builtin == policy::Builtin::kNone)
        question.commands.push_back(
            {command.called_as.empty() ? command.executable : command.called_as, command.argv});
    }
  }
  question.cwd = evaluation.plan.cwd;
  question.details = details_of(refused, granted);
  question.widest = widest_for(refused.evaluation);
  if (changes_directory(evaluation.plan))
    question.lasting_refused = "it changes the directory, and a grant is for the directory it was given in";
  out.request = {question.key, question.agent_id, question.session_key,
                 question.cwd, question.commands, question.widest};
  if (!question.lasting_refused.empty()) out.request.widest = GrantScope::kPlan;
  return out;
}

}  // namespace hostclaw::node_host
