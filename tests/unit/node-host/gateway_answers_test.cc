// SPDX-License-Identifier: Apache-2.0
// What a gateway is told of an outcome, in OpenClaw's words.
#include <algorithm>
#include <catch2/catch.hpp>

#include "base/json.h"
#include "node-host/corridor/judge.h"
#include "node-host/doors/gateway/denial_words.h"
#include "node-host/doors/gateway/run_answers.h"
#include "policy/decide/run_request.h"

namespace hostclaw::node_host {
namespace {

using policy::Decision;
using policy::DecisionCode;
using policy::Reason;
using policy::Verdict;

Decision decision_of(Verdict verdict, DecisionCode code, const std::string& detail = {}) {
  Decision decision;
  decision.verdict = verdict;
  decision.set_code(code);
  decision.detail = detail;
  decision.explanation = "Because.";
  decision.next = "hostclaw status";
  return decision;
}

std::string first_line_of(const std::string& text) { return text.substr(0, text.find('\n')); }

std::shared_ptr<Judged> judged_run() {
  auto judged = std::make_shared<Judged>();
  policy::RunEvaluation& evaluation = std::get<JudgedRun>(judged->what).decided.evaluation;
  evaluation.session_key = "agent:main:main";
  evaluation.run_id = "run-1";
  evaluation.command_text = "uname -s";
  return judged;
}

ExecOutcome denied(Decision decision, std::optional<Error> nobody_asked = std::nullopt) {
  ExecOutcome outcome;
  outcome.end = Denied{std::move(decision), std::move(nobody_asked)};
  outcome.judged = judged_run();
  return outcome;
}

ExecOutcome finished(RunOutcome run) {
  ExecOutcome outcome;
  outcome.end = Finished{std::move(run)};
  outcome.judged = judged_run();
  return outcome;
}

Json payload_of(const std::string& payload_string) {
  return Json::parse(Json::parse(payload_string).get<std::string>());
}

}  // namespace

TEST_CASE("words: refusals are told in OpenClaw's sentences, with its reasons") {
  struct Row {
    Verdict verdict;
    DecisionCode code;
    const char* detail;
    const char* line;
    const char* reason;
  };
  const Row rows[] = {
      {Verdict::kAsk, DecisionCode::kAllowlistMiss, "", "SYSTEM_RUN_DENIED: approval required",
       "approval-required"},
      {Verdict::kAsk, DecisionCode::kAskAlways, "", "SYSTEM_RUN_DENIED: approval required",
       "approval-required"},
      {Verdict::kAsk, DecisionCode::kRuleAsk, "", "SYSTEM_RUN_DENIED: approval required",
       "approval-required"},
      {Verdict::kAsk, DecisionCode::kInlineEval, "python3 -c",
       "SYSTEM_RUN_DENIED: approval required (python3 -c requires explicit approval in strictInlineEval "
       "mode)",
       "approval-required"},
      {Verdict::kDeny, DecisionCode::kAllowlistMiss, "", "SYSTEM_RUN_DENIED: allowlist miss",
       "allowlist-miss"},
      {Verdict::kDeny, DecisionCode::kNotAnalysable, "", "SYSTEM_RUN_DENIED: allowlist miss",
       "allowlist-miss"},
      {Verdict::kDeny, DecisionCode::kWindowsCmd, "",
       "SYSTEM_RUN_DENIED: allowlist miss (Windows shell wrappers like cmd.exe /c require approval; approve "
       "once/always or run with --ask on-miss|always)",
       "allowlist-miss"},
      {Verdict::kDeny, DecisionCode::kSecurityDeny, "", "SYSTEM_RUN_DISABLED: security=deny",
       "security=deny"},
      {Verdict::kDeny, DecisionCode::kPolicyMalformed, "", "SYSTEM_RUN_DISABLED: security=deny",
       "security=deny"},
      {Verdict::kDeny, DecisionCode::kExecutionPlanMiss, "", "SYSTEM_RUN_DENIED: execution plan mismatch",
       "execution-plan-miss"},
      {Verdict::kDeny, DecisionCode::kOperandChanged, "",
       "SYSTEM_RUN_DENIED: approval script operand changed before execution", "approval-required"},
      {Verdict::kDeny, DecisionCode::kOperandUnbound, "",
       "SYSTEM_RUN_DENIED: approval missing script operand binding", "approval-required"},
      {Verdict::kDeny, DecisionCode::kPolicyChanged, "",
       "SYSTEM_RUN_DENIED: exec approval policy changed; request approval again", "approval-required"},
      {Verdict::kDeny, DecisionCode::kChangedSinceAsked, "",
       "SYSTEM_RUN_DENIED: exec approval changed before execution", "approval-required"},
      {Verdict::kDeny, DecisionCode::kAnsweredDeny, "", "SYSTEM_RUN_DENIED: a person refused it",
       "approval-required"},
      {Verdict::kDeny, DecisionCode::kUnanswered, "", "SYSTEM_RUN_DENIED: approval required",
       "approval-required"},
      {Verdict::kDeny, DecisionCode::kRuleDeny, "", "SYSTEM_RUN_DENIED: a rule of this node refuses it",
       "rule"},
      {Verdict::kDeny, DecisionCode::kRuleNotExcluded, "git",
       "SYSTEM_RUN_DENIED: a rule of this node could apply", "rule"},
      {Verdict::kDeny, DecisionCode::kAgentMissing, "",
       "SYSTEM_RUN_DENIED: approval state could not be persisted", "approval-state-write-failed"},
      {Verdict::kDeny, DecisionCode::kAskAlways, "",
       "SYSTEM_RUN_DENIED: approval state could not be persisted", "approval-state-write-failed"},
      {Verdict::kDeny, DecisionCode::kScreenRecording, "", "PERMISSION_MISSING: screenRecording",
       "permission:screenRecording"},
  };
  for (const Row& row : rows) {
    INFO(to_string(row.code));
    const DenialWords words = denial_words(decision_of(row.verdict, row.code, row.detail));
    CHECK(words.code == "SYSTEM_RUN_DENIED");
    CHECK(first_line_of(words.message) == row.line);
    CHECK(words.message.ends_with("\nBecause.\nNext: hostclaw status"));
    CHECK(words.event_reason == row.reason);
  }
}

TEST_CASE("words: what cannot be bound is told by its reason, at the run and at prepare") {
  const std::pair<Reason, const char*> rows[] = {
      {Reason::kWrapperMissing, "approval requires a resolved executable"},
      {Reason::kProgramMissing, "approval requires a stable executable path"},
      {Reason::kCwdMissing, "approval requires an existing canonical cwd"},
      {Reason::kCwdBySymlink, "approval requires canonical cwd (no symlink path components)"},
      {Reason::kScriptMissing, "approval requires an existing script operand"},
      {Reason::kStartupFiles, "approval cannot safely bind shell startup files"},
      {Reason::kHiddenCommand, "approval cannot safely bind this interpreter/runtime command"},
  };
  for (const auto& [reason, line] : rows) {
    INFO(line);
    Decision decision = decision_of(Verdict::kDeny, code_of(reason));
    decision.reason = reason;
    const DenialWords words = denial_words(decision);
    CHECK(first_line_of(words.message) == "SYSTEM_RUN_DENIED: " + std::string(line));
    CHECK(words.event_reason == "approval-required");
    decision.verdict = Verdict::kInvalid;
    const DenialWords prepared = prepare_words(decision);
    CHECK(prepared.code == "INVALID_REQUEST");
    CHECK(prepared.message == "SYSTEM_RUN_DENIED: " + std::string(line) + "\nBecause.");
  }
}

TEST_CASE("words: members that a door does not take are named") {
  Decision decision = decision_of(Verdict::kDeny, DecisionCode::kOriginMemberRefused);
  decision.names = {"agentId", "approved"};
  CHECK(first_line_of(denial_words(decision).message) ==
        "SYSTEM_RUN_DENIED: members refused: agentId, approved");
  CHECK(denial_words(decision).event_reason == "origin-member-refused");
}

TEST_CASE("words: what no run may do gets no plan, and the caller reads why") {
  const DenialWords words = prepare_words(decision_of(Verdict::kDeny, DecisionCode::kSelfPolicy));
  CHECK(words.code == "INVALID_REQUEST");
  CHECK(words.message == "Because.");
}

TEST_CASE("words: a malformed request is answered with the sentence alone, and no event") {
  struct Row {
    policy::RequestFault fault;
    const char* line;
  };
  const Row rows[] = {
      {{Reason::kCommandMissing, {}, {}}, "command required"},
      {{Reason::kRawCommandAlone, {}, {}}, "rawCommand requires params.command"},
      {{Reason::kRawCommandDiffers, {}, {}}, "INVALID_REQUEST: rawCommand does not match command"},
      {{Reason::kPlanMalformed, {}, {}}, "systemRunPlan invalid"},
      {{Reason::kApprovalWithoutPlan, {}, {}}, "explicit approval requires matching systemRunPlan"},
      {{Reason::kAssignmentRefused, {"LD_PRELOAD"}, {}},
       "SYSTEM_RUN_DENIED: command env assignment rejected (blocked env assignment keys: LD_PRELOAD)"},
      {{Reason::kVariableRefused, {"PATH"}, {}},
       "SYSTEM_RUN_DENIED: environment override rejected (blocked override keys: PATH)"},
      {{Reason::kVariableRefused, {"ENV", "LD_X"}, {"", "A B"}},
       "SYSTEM_RUN_DENIED: environment override rejected (blocked override keys: ENV, LD_X; invalid "
       "non-portable override keys: , A B)"},
  };
  for (const Row& row : rows) {
    const ExecOutcome outcome = denied(policy::invalid_request(row.fault));
    CHECK(run_answer(outcome).error_code == "INVALID_REQUEST");
    CHECK(run_answer(outcome).error_message == row.line);
    CHECK_FALSE(run_event(outcome).has_value());
    CHECK(prepare_words(policy::invalid_request(row.fault)).message == row.line);
  }
}

TEST_CASE("words: a full queue is no verdict about the command") {
  ExecOutcome outcome = denied(decision_of(Verdict::kDeny, DecisionCode::kAdmissionFull));
  outcome.judged.reset();
  CHECK(run_answer(outcome).error_code == "UNAVAILABLE");
  CHECK(run_answer(outcome).error_message == "this node has too many commands waiting; try again");
  CHECK_FALSE(run_event(outcome).has_value());
}

TEST_CASE(
    "answers: what could not be recorded, and nobody who could be asked, say so and name the next command") {
  const Error full("STORE_FULL", "the disk is full", "df -h");
  const ExecOutcome unwritten = denied(unrecorded(full));
  CHECK(
      run_answer(unwritten).error_message ==
      "SYSTEM_RUN_DENIED: approval state could not be persisted\nSTORE_FULL: the disk is full. Next, on the "
      "node: df -h");
  CHECK(payload_of(run_event(unwritten)->payload_string)["reason"] == "approval-state-write-failed");
  const ExecOutcome unasked =
      denied(decision_of(Verdict::kAsk, DecisionCode::kAllowlistMiss), Error("X", "no room"));
  CHECK(run_answer(unasked).error_message.ends_with(
      "\nNobody could be asked: no room. Next, on the node: hostclaw status"));
}

TEST_CASE("answers: a run that ended is a success of the call, with its streams and what was dropped") {
  RunOutcome run;
  run.exit_code = 3;
  run.standard_output.text = "out";
  run.standard_output.total_bytes = 10;
  run.standard_output.dropped_bytes = 7;
  run.standard_error.text = "err\n";
  run.truncated = true;
  const ExecOutcome outcome = finished(std::move(run));
  const gateway_proto::InvokeResult answer = run_answer(outcome);
  REQUIRE(answer.ok);
  const Json payload = payload_of(answer.payload_string);
  CHECK(payload["exitCode"] == 3);
  CHECK(payload["success"] == false);
  CHECK(payload["stdout"] == "out");
  CHECK(payload["error"].is_null());
  CHECK(payload["output"]["truncated"] == true);
  CHECK(payload["output"]["stdout"]["droppedBytes"] == 7);

  const std::optional<RunEvent> event = run_event(outcome);
  REQUIRE(event.has_value());
  CHECK(event->name == "exec.finished");
  const Json told = payload_of(event->payload_string);
  CHECK(told["runId"] == "run-1");
  CHECK(told["sessionKey"] == "agent:main:main");
  CHECK(told["command"] == "uname -s");
  CHECK(told["output"] == "out\nerr");
}

TEST_CASE("answers: the event of a long run holds its end, in 20 000 units") {
  RunOutcome run;
  run.exit_code = 0;
  run.standard_output.text = "first" + std::string(20'000, 'x') + "\n";
  const Json told = payload_of(run_event(finished(std::move(run)))->payload_string);
  CHECK(told["output"] == "... (truncated) " + std::string(20'000, 'x'));
}

TEST_CASE("answers: a refusal is an error and an event with its reason") {
  const ExecOutcome outcome = denied(decision_of(Verdict::kDeny, DecisionCode::kSecurityDeny));
  CHECK(run_answer(outcome).error_code == "SYSTEM_RUN_DENIED");
  const std::optional<RunEvent> event = run_event(outcome);
  REQUIRE(event.has_value());
  CHECK(event->name == "exec.denied");
  CHECK(payload_of(event->payload_string)["reason"] == "security=deny");
}

}  // namespace hostclaw::node_host
