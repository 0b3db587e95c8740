// SPDX-License-Identifier: Apache-2.0
#include "node-host/corridor/judge.h"

#include <algorithm>
#include <utility>

#include "approvals/shown/secret_masking.h"
#include "approvals/shown/shown_text.h"
#include "base/utf8.h"
#include "node-host/corridor/file_decision.h"
#include "node-host/loop/log.h"
#include "node-host/loop/uuid.h"
#include "node-host/questions/local_questions.h"
#include "node-host/questions/question_files.h"
#include "node-host/system/host/system_error.h"

namespace hostclaw::node_host {
namespace {

// How long an agent whose gateway asks nobody waits: enough for somebody who watches, and below the 30 s
// after which such a gateway gives an invocation up without having said so.
constexpr std::int64_t kUnaskedWaitMs = 20'000;

// What is left of the caller's time has to suffice for the run or the refusal.
std::int64_t patience_of(const ExecRequest& request, std::int64_t now_ms) {
  if (request.limits.caller_deadline_ms <= 0) return kUnaskedWaitMs;
  return std::clamp<std::int64_t>((request.limits.caller_deadline_ms - now_ms) * 4 / 5, 1, kUnaskedWaitMs);
}

using policy::DecisionCode;
using policy::LocalAnswer;
using policy::Verdict;

int strictness(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAllow:
      return 0;
    case Verdict::kAsk:
      return 1;
    case Verdict::kDeny:
      return 2;
    case Verdict::kInvalid:
      return 3;
  }
  return 3;
}

policy::Decision not_granted(const Origin& origin) {
  policy::Decision decision;
  decision.verdict = Verdict::kDeny;
  decision.set_code(DecisionCode::kOriginNotGranted);
  decision.detail = "exec";
  decision.explanation = origin.who() + " may not have commands run.";
  decision.next = facts_of(decision.code).next;
  return decision;
}

// With the caller's policy and, for a caller that is part of a run, that run's: the stricter one holds.
policy::RunDecision decide(const RunAsked& asked, const Origin& origin,
                           const policy::PolicyDocument& document, const policy::EngineContext& context) {
  policy::RunDecision decided = policy::decide_run(asked.command, origin.asker(), document, context);
  if (origin.within) {
    policy::RunDecision other = policy::decide_run(asked.command, origin.asker_within(), document, context);
    const Verdict own = decided.evaluation.decision.verdict;
    if (strictness(other.evaluation.decision.verdict) > strictness(own)) decided = std::move(other);
  }
  if (!origin.may_run && decided.evaluation.decision.verdict != Verdict::kInvalid)
    decided.evaluation.decision = not_granted(origin);
  return decided;
}

}  // namespace

const policy::Decision& Judged::decision() const {
  if (const auto* file = std::get_if<JudgedFile>(&what)) return file->decision;
  return std::get<JudgedRun>(what).decided.evaluation.decision;
}

std::string Judged::shown_command() const { return approvals::mask_secrets_in_text(row.command_text); }

namespace {

// A frame may hold 25 MiB: of a text that is longer, a row keeps beginning and end with length and hash
// between.
constexpr std::size_t kMostTextOfRow = 65'536;

void keep_little(approvals::RunRow& row) {
  constexpr std::size_t kLittle = 256;
  row.command_text = utf8_prefix(row.command_text, kLittle);
  row.argv_json = "[]";
}

std::string bounded_text(const std::string& text) {
  if (text.size() <= kMostTextOfRow) return text;
  return approvals::bounded_words({text}, {kMostTextOfRow, 1}).front();
}

bool is_long(const std::vector<std::string>& argv) {
  std::size_t size = 0;
  for (const std::string& word : argv) size += word.size() + 1;
  return size > kMostTextOfRow;
}

}  // namespace

policy::Decision unrecorded(const Error& failure) {
  policy::Decision decision;
  decision.verdict = Verdict::kDeny;
  decision.set_code(policy::DecisionCode::kRecordFailed);
  decision.explanation = failure.code + ": " + failure.message;
  decision.next = failure.next;
  return decision;
}

policy::Decision exhausted(int reason) {
  const std::string name = error_name(reason);
  policy::Decision decision;
  decision.verdict = Verdict::kDeny;
  decision.set_code(policy::DecisionCode::kHostExhausted);
  decision.explanation = "this host has run out of " + std::string(exhausted_what(name)) + " (" + name + ")";
  decision.next = facts_of(decision.code).next;
  return decision;
}

policy::Decision not_answering(const std::string& path) {
  policy::Decision decision;
  decision.verdict = Verdict::kDeny;
  decision.set_code(policy::DecisionCode::kFilesNotAnswering);
  decision.explanation =
      path + " did not answer in time: the file system there hangs, or its server is away.";
  decision.next = facts_of(decision.code).next;
  return decision;
}

approvals::RunRow row_of(const policy::RunEvaluation& evaluation, const Origin& origin,
                         const std::string& request_id, std::int64_t now_ms) {
  approvals::RunRow row;
  row.run_id = evaluation.run_id;
  row.invoke_id = request_id;
  row.door = origin.door;
  row.principal = origin.principal.name;
  row.agent_id = evaluation.agent_id;
  row.session_key = evaluation.session_key;
  row.command_text = bounded_text(evaluation.command_text);
  // Half a command is another one: whoever goes by words (a rule that is suggested) then gets none.
  row.argv_json = is_long(evaluation.argv) ? "[]" : dump_json(Json(evaluation.argv));
  row.verdict = std::string(policy::to_string(evaluation.decision.verdict));
  row.code = to_string(evaluation.decision.code);
  row.reason = bounded_text(evaluation.decision.explanation);
  row.started_at_ms = now_ms;
  return row;
}

Judgement Judge::judge(approvals::Store& store, const ExecRequest& request, Asking asking) {
  Judgement judgement;
  Judged& judged = judgement.judged;
  auto files = std::make_shared<OpenedFiles>();
  judged.asking = std::move(asking);
  judged.context.caller = request.origin.details();
  judged.context.hash_key = hash_key_;
  if (const auto* asked = std::get_if<FileAsked>(&request.what)) {
    judged.what = judge_file(store, request, *asked, judged);
  } else {
    judged.what = judge_run(store, request, std::get<RunAsked>(request.what), *files, judged);
  }
  // Where nothing may begin for want of room, what a refusal writes is small.
  if (!store.accepts_work()) keep_little(judged.row);
  // It is decided anew when there is an answer; while a person thinks, nobody's file is held.
  if (judged.waits) return judgement;
  if (judged.open) {
    if (auto left = desk_.caller_left(store, judged.asking); !left)
      log_warn("a caller's leaving could not be recorded: " + left.error().message);
  } else {
    desk_.settled(judged.asking);
  }
  judged.context.question_id = judged.asking.question_id;
  if (!judged.asking.question_id.empty())
    judged.context.waited_ms = judged.row.started_at_ms - judged.asking.asked_at_ms;
  if (judged.allowed()) judgement.files = std::move(files);
  return judgement;
}

JudgedFile Judge::judge_file(approvals::Store& store, const ExecRequest& request, const FileAsked& asked,
                             Judged& judged) {
  JudgedFile file{decide_file(asked, request.origin), asked.operation, asked.real_path};
  if (const auto there = store.accepts_work(); !there) file.decision = unrecorded(there.error());
  const bool allowed = file.decision.verdict == Verdict::kAllow;
  approvals::RunRow& row = judged.row;
  row.run_id = new_uuid();
  row.invoke_id = request.id;
  row.door = request.origin.door;
  row.principal = request.origin.principal.name;
  row.agent_id = request.origin.agent;
  row.session_key = request.origin.session;
  row.command_text = bounded_text(asked.operation + " " + asked.path);
  row.argv_json =
      is_long({asked.operation, asked.path}) ? "[]" : dump_json(Json{asked.operation, asked.path});
  row.resolved_path = asked.real_path;
  row.verdict = std::string(policy::to_string(file.decision.verdict));
  row.code = to_string(file.decision.code);
  row.reason = bounded_text(file.decision.explanation);
  row.started_at_ms = clock_.unix_ms();
  row.state = allowed ? "running" : "decided";
  if (!allowed) row.ended_at_ms = row.started_at_ms;
  return file;
}

JudgedRun Judge::judge_run(approvals::Store& store, const ExecRequest& request, const RunAsked& asked,
                           OpenedFiles& files, Judged& judged) {
  JudgedRun run;
  const approvals::ExecSettings exec = policy_.settings(store);
  const auto document = policy_.document(store);
  policy::EngineContext context = policy_.context(exec, files);
  context.remembered = asked.prepared.get();
  context.older_peer = asked.peer_cannot_bind;
  run.decided = decide(asked, request.origin, *document, context);
  policy::RunEvaluation& evaluation = run.decided.evaluation;
  if (evaluation.decision.verdict == Verdict::kAsk && files.not_answering().empty())
    seek_answer(store, request, asked, exec, *document, context, files, run, judged);
  const auto replace = [&](policy::Decision decision) {
    evaluation.decision = std::move(decision);
    judged.waits = judged.open = false;
  };
  if (const int reason = files.exhausted(); reason != 0) replace(exhausted(reason));
  if (!files.not_answering().empty()) replace(not_answering(files.not_answering()));
  // What was decided by a database that is not there any more, or by none, is nobody's decision.
  if (const auto there = store.accepts_work(); !there) replace(unrecorded(there.error()));
  // Where the store cannot say what was answered, nothing else allows in its place.
  if (judged.asking_failure && evaluation.decision.verdict == Verdict::kAllow)
    evaluation.decision = unrecorded(*judged.asking_failure);
  if (evaluation.run_id.empty()) evaluation.run_id = new_uuid();
  judged.row = row_of(evaluation, request.origin, request.id, clock_.unix_ms());
  if (judged.waits) return run;
  approvals::RunRow& row = judged.row;
  if (evaluation.decision.verdict == Verdict::kAllow) {
    row.state = "running";
    row.cwd = evaluation.plan.cwd;
    if (!evaluation.plan.empty() && !evaluation.plan.pipelines.front().commands.empty())
      row.resolved_path = evaluation.plan.pipelines.front().commands.front().executable;
  } else {
    row.state = "decided";
    row.ended_at_ms = row.started_at_ms;
    row.cwd = bounded_text(asked.command.cwd);
  }
  if (evaluation.approved_by_gateway && judged.context.answered_by.empty())
    judged.context.answered_by = request.origin.door;
  return run;
}

// A decision that asks for a person: is there an answer, or somebody to ask? Leaves in `run` what then holds.
void Judge::seek_answer(approvals::Store& store, const ExecRequest& request, const RunAsked& asked,
                        const approvals::ExecSettings& exec, const policy::PolicyDocument& document,
                        policy::EngineContext& context, OpenedFiles& files, JudgedRun& run, Judged& judged) {
  const auto decide_as = [&](LocalAnswer answer) {
    context.answer = answer;
    return decide(asked, request.origin, document, context);
  };
  const bool by_setting = exec.ask_via != approvals::AskVia::kGateway;
  const bool asks_here = by_setting || request.unasked;
  policy::RunDecision granted = decide_as(LocalAnswer::kGranted);
  if (granted.evaluation.decision.verdict != Verdict::kAllow) {
    // No answer could make it run, so nobody is asked.
    if (asks_here) run.decided = std::move(granted);
    return;
  }
  Askable what = askable(run.decided, granted, request.origin.who());
  const std::vector<approvals::AskedCommand> programs = what.question.commands;
  DeskCase brought{request.origin,
                   request.id,
                   request.limits.caller_deadline_ms,
                   std::move(what),
                   asks_here,
                   exec.ask_wait_ms,
                   by_setting ? 0 : patience_of(request, clock_.unix_ms()),
                   [&] { return question_files(programs, files); }};
  DeskAnswer answer = desk_.seek(store, std::move(brought), judged.asking);
  judged.asking_failure = std::move(answer.failure);
  judged.context.answered_by = std::move(answer.answered_by);
  judged.context.grant_ids = std::move(answer.grant_ids);
  judged.consumes = std::move(answer.consumes);
  switch (answer.kind) {
    case DeskAnswer::Kind::kNobody:
      break;
    case DeskAnswer::Kind::kWaits:
      judged.waits = true;
      break;
    case DeskAnswer::Kind::kOpen:
      judged.open = true;
      break;
    case DeskAnswer::Kind::kGranted:
      run.decided = std::move(granted);
      break;
    case DeskAnswer::Kind::kCovered:
      run.decided = decide_as(LocalAnswer::kCovered);
      break;
    case DeskAnswer::Kind::kDenied:
      run.decided = decide_as(LocalAnswer::kDenied);
      break;
    case DeskAnswer::Kind::kUnanswered:
      run.decided = decide_as(LocalAnswer::kUnanswered);
      break;
    case DeskAnswer::Kind::kChanged:
      run.decided = decide_as(LocalAnswer::kChanged);
      break;
  }
}

}  // namespace hostclaw::node_host
