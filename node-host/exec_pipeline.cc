#include "node-host/exec_pipeline.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "approvals/audit_chain.h"
#include "approvals/policy_cache.h"
#include "approvals/questions.h"
#include "approvals/rule_store.h"
#include "approvals/secret_masking.h"
#include "approvals/settings.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"
#include "node-host/exec_approvals.h"
#include "node-host/late_ends.h"
#include "node-host/local_questions.h"
#include "node-host/log.h"
#include "node-host/question_files.h"
#include "node-host/run_record.h"
#include "node-host/system/host_facts.h"
#include "node-host/system/system_error.h"
#include "node-host/uuid.h"
#include "policy/environment.h"
#include "policy/lint.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using gateway_proto::InvokeResult;
using policy::Verdict;

// OpenClaw's bound for `output` in exec.finished, in UTF-16 units.
constexpr std::size_t kEventOutputUnits = 20'000;
constexpr std::size_t kRecordedTailBytes = 16'384;
// A prepared plan is good for as long as OpenClaw keeps an approval.
constexpr std::chrono::minutes kPlanLifetime{30};
// Markers are shown for the one `get` that follows a `prepare`.
constexpr std::chrono::seconds kMarkerLifetime{60};
constexpr std::chrono::milliseconds kDeliveryMoment{50};
constexpr std::size_t kMaxPreparedPlans = 1024;
constexpr std::size_t kMostWaitingCallers = 1024;

Error invalid_request(std::string message) {
  return make_error("INVALID_REQUEST", "Error: INVALID_REQUEST: " + message);
}

InvokeResult failure_of(const Error& error) {
  const bool request = error.code == "INVALID_REQUEST";
  return InvokeResult::failure(request ? "INVALID_REQUEST" : "UNAVAILABLE", error.message);
}

std::string event_output(const RunOutcome& outcome) {
  std::string joined;
  std::string_view text;
  for (const std::string* part :
       {&outcome.standard_output.text, &outcome.standard_error.text, &outcome.launch_error}) {
    if (part->empty()) continue;
    if (text.empty()) {
      text = *part;  // mostly the only one, and it may be long
      continue;
    }
    joined = std::string(text) + '\n' + *part;
    text = joined;
  }
  const std::string_view trimmed = trim(text);
  const std::string_view kept = utf16_suffix(trimmed, kEventOutputUnits);
  return kept.size() == trimmed.size() ? std::string(kept) : "... (truncated) " + std::string(kept);
}

std::string state_of(const RunOutcome& outcome) {
  if (outcome.cancelled) return "cancelled";
  if (!outcome.launch_error.empty()) return "launch-failed";
  return outcome.timed_out ? "timed-out" : "finished";
}

JsonObjectText stream_counts(const StreamOutput& stream) {
  JsonObjectText counts(JsonPlace::kInString);
  counts.add("totalBytes", static_cast<std::int64_t>(stream.total_bytes));
  counts.add("keptBytes", static_cast<std::int64_t>(stream.kept_bytes));
  counts.add("droppedBytes", static_cast<std::int64_t>(stream.dropped_bytes));
  counts.add("replacedSequences", static_cast<std::int64_t>(stream.replaced));
  return counts;
}

std::string failure_and_next(const Error& failure) {
  return failure.message +
         ". Next, on the node: " + (failure.next.empty() ? "hostclaw status" : failure.next);
}

// What takes the place of an allowing decision that could not be recorded.
policy::Decision unrecorded(const Error& failure) {
  policy::Decision decision;
  decision.verdict = Verdict::kDeny;
  decision.code = "RECORD_FAILED";
  decision.layer = "record";
  decision.explanation = failure.code + ": " + failure.message;
  decision.event_reason = "approval-state-write-failed";
  decision.wire_code = "SYSTEM_RUN_DENIED";
  decision.wire_message = "SYSTEM_RUN_DENIED: approval state could not be persisted\n" + failure.code + ": " +
                          failure_and_next(failure);
  return decision;
}

// What takes the place of a decision about files that could not be looked at for want of descriptors.
policy::Decision exhausted(int reason) {
  const std::string name = error_name(reason);
  policy::Decision decision;
  decision.verdict = Verdict::kDeny;
  decision.code = "HOST_EXHAUSTED";
  decision.layer = "host";
  decision.explanation = "this host has run out of " + std::string(exhausted_what(name)) + " (" + name + ")";
  decision.wire_code = "UNAVAILABLE";
  decision.wire_message =
      "UNAVAILABLE: " + decision.explanation + "; no policy was asked. Next, on the node: hostclaw doctor";
  return decision;
}

// What system.run answers, as a JSON string.
std::string run_payload(const RunOutcome& outcome) {
  JsonObjectText payload(JsonPlace::kInString);
  if (outcome.exit_code) payload.add("exitCode", std::int64_t{*outcome.exit_code});
  payload.add("timedOut", outcome.timed_out).add("success", outcome.success());
  payload.add("stdout", outcome.standard_output.text).add("stderr", outcome.standard_error.text);
  if (outcome.launch_error.empty()) {
    payload.add_json("error", "null");
  } else {
    payload.add("error", outcome.launch_error);
  }
  // Members of ours; OpenClaw ignores what it does not know.
  if (outcome.signal) payload.add("signal", std::int64_t{*outcome.signal});
  JsonObjectText output(JsonPlace::kInString);
  output.add("truncated", outcome.truncated);
  output.add("stdout", stream_counts(outcome.standard_output));
  output.add("stderr", stream_counts(outcome.standard_error));
  payload.add("output", std::move(output));
  return payload.take_string();
}

// What both events tell of a request.
JsonObjectText event_payload(const policy::RunEvaluation& evaluation) {
  JsonObjectText payload(JsonPlace::kInString);
  payload.add("sessionKey", evaluation.session_key).add("runId", evaluation.run_id).add("host", "node");
  payload.add("command", evaluation.command_text);
  payload.add("suppressNotifyOnExit", evaluation.suppress_notify_on_exit);
  return payload;
}

std::string finished_payload(const policy::RunEvaluation& evaluation, const RunOutcome& outcome,
                             std::string_view output) {
  JsonObjectText payload = event_payload(evaluation);
  if (outcome.exit_code) payload.add("exitCode", std::int64_t{*outcome.exit_code});
  payload.add("timedOut", outcome.timed_out).add("success", outcome.success()).add("output", output);
  return payload.take_string();
}

approvals::RunRow row_of(const policy::RunEvaluation& evaluation, const std::string& invoke_id) {
  approvals::RunRow row;
  row.run_id = evaluation.run_id;
  row.invoke_id = invoke_id;
  row.agent_id = evaluation.agent_id;
  row.session_key = evaluation.session_key;
  row.command_text = evaluation.command_text;
  row.argv_json = dump_json(Json(evaluation.argv));
  row.verdict = std::string(policy::to_string(evaluation.decision.verdict));
  row.code = evaluation.decision.code;
  row.reason = evaluation.decision.explanation;
  row.started_at_ms = unix_ms_now();
  return row;
}

Result<void> append_row(approvals::Store& store, std::int64_t at_ms, std::string_view kind,
                        const Json& fields) {
  const auto appended = approvals::append_audit_row(store.database(), at_ms, kind, fields);
  if (!appended) return appended.error();
  return {};
}

std::string text_at(const Json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? std::string(trim(it->get_ref<const std::string&>()))
                                               : std::string();
}

}  // namespace

// Plans this node has answered, by what binds them. A plan that comes back is judged again; what is
// remembered only stands in for what a gateway drops on the way (2026.4.20 drops the policy snapshot). Store
// thread only.
struct ExecPipeline::PreparedPlans {
  struct Plan {
    policy::RememberedPlan remembered;
    std::chrono::steady_clock::time_point expires;
  };
  struct Marker {
    std::string agent;
    policy::GrantToStore entry;
    // By which the command was allowed: another one may not allow it.
    std::shared_ptr<const policy::PolicyDocument> document;
    std::chrono::steady_clock::time_point expires;
  };

  void remember(const policy::PrepareEvaluation& prepared) {
    forget_expired();
    const auto plan = prepared.payload.find("plan");
    if (plan == prepared.payload.end() || plans.size() >= kMaxPreparedPlans) return;
    plans[policy::plan_key(*plan)] =
        Plan{prepared.remember, std::chrono::steady_clock::now() + kPlanLifetime};
  }

  const policy::RememberedPlan* find(const Json& params) {
    if (!params.is_object()) return nullptr;
    const auto plan = params.find("systemRunPlan");
    if (plan == params.end()) return nullptr;
    forget_expired();
    const auto it = plans.find(policy::plan_key(*plan));
    return it != plans.end() ? &it->second.remembered : nullptr;
  }

  void show(const std::string& agent, const std::vector<policy::GrantToStore>& entries,
            const std::shared_ptr<const policy::PolicyDocument>& document) {
    forget_expired();
    for (const policy::GrantToStore& entry : entries) {
      markers.push_back(Marker{agent, entry, document, std::chrono::steady_clock::now() + kMarkerLifetime});
    }
  }

  void forget_expired() {
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(plans, [&](const auto& item) { return item.second.expires < now; });
    std::erase_if(markers, [&](const Marker& marker) { return marker.expires < now; });
  }

  std::unordered_map<std::string, Plan> plans;
  std::vector<Marker> markers;
};

// The question of one request, from the first decision to the last.
struct ExecPipeline::Asking {
  std::string question_id;  // empty: none yet
  std::string key;
  std::int64_t asked_at_ms = 0;
  std::int64_t deadline_ms = 0;
};

// What was decided. Written by judge() alone; from then on both threads read it, and `files` are the
// io_context thread's.
struct ExecPipeline::Decided {
  policy::RunDecision judged;
  policy::RunEvaluation& evaluation() { return judged.evaluation; }
  const policy::RunEvaluation& evaluation() const { return judged.evaluation; }
  bool allowed() const { return evaluation().decision.verdict == Verdict::kAllow; }
  std::shared_ptr<OpenedFiles> files;
  approvals::RunRow row;
  DecisionContext context;              // of the row
  std::optional<Error> asking_failure;  // nobody could be asked
  bool waits = false;                   // for the answer to a question; nothing is recorded yet
  // The grant that allows it, to be used up with the row.
  std::optional<approvals::GrantRequest> consumes;
};

// Records what was decided; answers the id of the row. Started right behind the decision, so that what is to
// be spawned is opened meanwhile.
struct ExecPipeline::Recording {
  ExecPipeline& pipeline;
  std::shared_ptr<const Decided> decided;
  Result<std::int64_t> operator()(approvals::Store& store) const {
    return pipeline.record_decision(store, *decided);
  }
};

ExecPipeline::ExecPipeline(StoreThread& store, RunExecutor& executor, Settings settings)
    : store_(store),
      executor_(executor),
      settings_(std::move(settings)),
      answers_(store),
      child_environment_(policy::sanitized_environment(settings_.host_environment, host_policy_platform())),
      cache_(std::make_unique<approvals::PolicyCache>()),
      rules_(std::make_unique<approvals::RuleCache>()),
      prepared_(std::make_unique<PreparedPlans>()) {}

ExecPipeline::~ExecPipeline() = default;

policy::EngineContext ExecPipeline::context(const approvals::ExecSettings& exec, OpenedFiles& files) const {
  policy::EngineContext context;
  context.platform = host_policy_platform();
  context.settings = exec.engine;
  context.host_cwd = settings_.host_cwd;
  context.home = settings_.home;
  context.running_as_root = settings_.running_as_root;
  context.files = &files;
  context.now_ms = unix_ms_now();
  context.host_environment = settings_.host_environment;
  if (exec.path_override) {
    context.host_environment = policy::with_overrides(std::move(context.host_environment),
                                                      {{"PATH", *exec.path_override}}, context.platform);
  } else {
    context.child_environment = &child_environment_;
  }
  return context;
}

approvals::ExecSettings ExecPipeline::exec_settings(approvals::Store& store) {
  approvals::ExecSettings exec = approvals::read_exec_settings(store).settings;
  rules_->apply(store, exec.engine);
  if (!rules_->problem().empty()) log_error("nothing may run: " + rules_->problem());
  return exec;
}

// A decision that asks for a person: is there an answer, or somebody to ask? Leaves in `decided` what then
// holds.
void ExecPipeline::seek_answer(approvals::Store& store, const ExecRequest& request,
                               const approvals::ExecSettings& exec, const policy::PolicyDocument& document,
                               policy::EngineContext& context, Asking& asking, Decided& decided) {
  const auto decide_as = [&](policy::LocalAnswer answer) {
    context.answer = answer;
    return policy::decide_run(request.params, document, context);
  };
  const bool asks_here = exec.ask_via != approvals::AskVia::kGateway;
  policy::RunDecision granted = decide_as(policy::LocalAnswer::kGranted);
  if (granted.evaluation.decision.verdict != Verdict::kAllow) {
    // No answer could make it run, so nobody is asked.
    if (asks_here) decided.judged = std::move(granted);
    return;
  }
  Askable what = askable(decided.judged, granted);
  approvals::Questions questions(store);
  const std::int64_t now = unix_ms_now();

  if (!asking.question_id.empty()) {
    // What is overdue counts as expired even while the store cannot say so.
    if (auto expired = questions.expire(now); !expired)
      log_warn("a question could not be closed: " + expired.error().message);
    const auto question = questions.find(asking.question_id);
    if (!question) decided.asking_failure = question.error();
    auto state = question ? question->state : approvals::QuestionState::kExpired;
    if (state == approvals::QuestionState::kPending && now >= asking.deadline_ms)
      state = approvals::QuestionState::kExpired;
    if (question && !question->answered_by.door.empty())
      decided.context.answered_by = question->answered_by.door + " " + question->answered_by.who;
    if (state == approvals::QuestionState::kPending && what.question.key == asking.key) {
      decided.waits = true;
      return;
    }
    if (state == approvals::QuestionState::kDenied) {
      decided.judged = decide_as(policy::LocalAnswer::kDenied);
      return;
    }
    if (state == approvals::QuestionState::kExpired || state == approvals::QuestionState::kWithdrawn) {
      decided.judged = decide_as(policy::LocalAnswer::kUnanswered);
      return;
    }
    if (what.question.key != asking.key) {
      decided.judged = decide_as(policy::LocalAnswer::kChanged);
      return;
    }
  }

  const auto grants = questions.covering(what.request, now);
  if (!grants) {
    decided.asking_failure = grants.error();
    return;
  }
  if (!grants->empty()) {
    for (const approvals::Grant& grant : *grants) decided.context.grant_ids.push_back(grant.id);
    const approvals::Actor& by = grants->front().created_by;
    if (decided.context.answered_by.empty()) decided.context.answered_by = by.door + " " + by.who;
    decided.consumes = std::move(what.request);
    const bool for_this = std::all_of(grants->begin(), grants->end(), [](const approvals::Grant& grant) {
      return grant.scope == approvals::GrantScope::kPlan;
    });
    decided.judged = for_this ? std::move(granted) : decide_as(policy::LocalAnswer::kCovered);
    return;
  }
  if (!asks_here) return;

  std::size_t callers = 0;
  for (const auto& [id, count] : waiting_callers_) callers += static_cast<std::size_t>(count);
  if (callers >= kMostWaitingCallers) {
    decided.asking_failure =
        make_error("QUESTION_TOO_MANY", std::to_string(callers) + " requests wait for a person already",
                   "hostclaw approvals pending");
    return;
  }
  // Also when an identical request has just used up the answer that both waited for.
  what.question.invoke_id = request.invoke_id;
  what.question.details["door"] = request.door;
  what.question.details["files"] = question_files(what.question.commands, *decided.files);
  what.question.deadline_ms = now + exec.ask_wait_ms;
  what.question.caller_deadline_ms =
      request.caller_deadline_ms > 0 ? request.caller_deadline_ms : what.question.deadline_ms;
  const auto asked = questions.ask(what.question, now);
  if (!asked) {
    decided.asking_failure = asked.error();
    return;
  }
  stop_waiting(asking);
  ++waiting_callers_[asked->question.id];
  asking = {asked->question.id, what.question.key, now, asked->question.asked.deadline_ms};
  decided.waits = true;
}

// True when nobody else waits for the same answer.
bool ExecPipeline::stop_waiting(const Asking& asking) {
  const auto it = waiting_callers_.find(asking.question_id);
  if (it == waiting_callers_.end()) return false;
  if (--it->second > 0) return false;
  waiting_callers_.erase(it);
  return true;
}

void ExecPipeline::judge(approvals::Store& store, const ExecRequest& request, Asking& asking,
                         Decided& decided) {
  decided.files = std::make_shared<OpenedFiles>();
  const approvals::ExecSettings exec = exec_settings(store);
  const auto document = cache_->current(store);
  policy::EngineContext engine_context = context(exec, *decided.files);
  engine_context.remembered = prepared_->find(request.params);
  engine_context.older_peer = request.older_peer;
  decided.judged = policy::decide_run(request.params, *document, engine_context);
  if (decided.evaluation().decision.verdict == Verdict::kAsk)
    seek_answer(store, request, exec, *document, engine_context, asking, decided);
  if (const int reason = decided.files->exhausted(); reason != 0)
    decided.evaluation().decision = exhausted(reason);
  // What was decided by a database that is not there any more, or by none, is nobody's decision.
  if (const auto there = store.usable(); !there) decided.evaluation().decision = unrecorded(there.error());
  // Where the store cannot say what was answered, nothing else allows in its place.
  if (decided.asking_failure && decided.allowed())
    decided.evaluation().decision = unrecorded(*decided.asking_failure);
  if (decided.waits) {
    // It is decided anew when there is an answer; while a person thinks, nobody's file is held.
    decided.files.reset();
    return;
  }
  stop_waiting(asking);

  policy::RunEvaluation& evaluation = decided.evaluation();
  if (evaluation.run_id.empty()) evaluation.run_id = new_uuid();
  approvals::RunRow& row = decided.row;
  row = row_of(evaluation, request.invoke_id);
  row.state = decided.allowed() ? "running" : "decided";
  if (decided.allowed()) {
    row.cwd = evaluation.plan.cwd;
    if (!evaluation.plan.empty() && !evaluation.plan.pipelines.front().commands.empty()) {
      row.resolved_path = evaluation.plan.pipelines.front().commands.front().executable;
    }
  } else {
    row.ended_at_ms = row.started_at_ms;
    row.cwd = text_at(request.params, "cwd");
  }

  DecisionContext& recorded = decided.context;
  recorded.door = request.door;
  recorded.hash_key = settings_.hash_key;
  if (evaluation.approved_by_gateway && recorded.answered_by.empty()) recorded.answered_by = "gateway";
  recorded.question_id = asking.question_id;
  if (!asking.question_id.empty()) recorded.waited_ms = row.started_at_ms - asking.asked_at_ms;
}

// Grant, row, audit row and usage commit together: no run without its row, and a grant that a human gave is
// stored before the run it allows or nothing runs.
Result<std::int64_t> ExecPipeline::record_decision(approvals::Store& store, const Decided& decided) {
  if (decided.waits) return 0;
  const policy::RunEvaluation& evaluation = decided.evaluation();
  const approvals::RunRow& row = decided.row;
  const Json fields = decision_fields(decided.judged, row, decided.context);
  std::int64_t row_id = 0;
  auto written = store.transaction([&]() -> Result<void> {
    if (decided.consumes) {
      auto used = approvals::Questions(store).consume(*decided.consumes, row.started_at_ms);
      if (!used) return used.error();
      if (used->empty()) return make_error("STORE_CONFLICT", "the grant was revoked at this very moment");
    }
    if (decided.allowed() && !evaluation.grants.empty()) {
      auto stored = approvals::store_grants(store, evaluation.agent_id, evaluation.grants);
      if (!stored) return stored.error();
    }
    auto inserted = store.insert_run(row);
    if (!inserted) return inserted.error();
    row_id = *inserted;
    auto kept = append_row(store, row.started_at_ms, "decision", fields);
    if (kept) kept = approvals::record_observation(store, evaluation, row.started_at_ms);
    if (kept && decided.allowed() && !evaluation.matched.empty())
      kept = approvals::record_usage(store, evaluation.matched, evaluation.command_text, row.started_at_ms);
    return kept;
  });
  if (!written) return written.error();
  late_ends_.record(store);
  return row_id;
}

// True when there is something new to decide on; false when the caller does not wait any more.
asio::awaitable<bool> ExecPipeline::wait_for_answer(const Asking& asking, const ExecRequest& request,
                                                    RunCancellation cancellation) {
  const auto look = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor);
  cancellation.on_cancel([look] { look->cancel(); });
  const std::uint64_t joined = answers_.join();
  for (;;) {
    if (cancellation.cancelled() || (request.caller_left && request.caller_left())) co_return false;
    if (unix_ms_now() >= asking.deadline_ms) co_return true;
    if (co_await answers_.settled(asking.question_id, joined)) co_return true;
    look->expires_after(AnswerWatch::kEvery);
    co_await look->async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

asio::awaitable<void> ExecPipeline::record_late_ends() {
  co_await store_.on_store([this](approvals::Store& store) {
    late_ends_.record(store);
    return true;
  });
}

// Leaves in `asking` what a person is asked; null when the caller has gone meanwhile.
asio::awaitable<std::shared_ptr<const ExecPipeline::Decided>> ExecPipeline::decide(
    const ExecRequest& request, RunCancellation cancellation, Asking& asking,
    std::optional<StoreWork<Recording>>& recording) {
  for (;;) {
    const auto decided = std::make_shared<Decided>();
    auto judging = store_.start([this, &request, &asking, decided](approvals::Store& store) {
      judge(store, request, asking, *decided);
      return true;
    });
    recording = store_.start(Recording{*this, decided});
    co_await judging.answer();
    if (!decided->waits) co_return decided;
    log_info("a person is asked: " + approvals::mask_secrets_in_text(decided->evaluation().command_text) +
             " -- next: hostclaw approvals resolve " + asking.question_id + " allow-once|allow-always|deny");
    if (request.pause) request.pause();
    if (co_await wait_for_answer(asking, request, cancellation) &&
        (!request.resume || co_await request.resume()) && !(request.caller_left && request.caller_left()))
      continue;
    // The question stays: an answer then serves the identical retry.
    const auto left = co_await store_.on_store([this, &asking](approvals::Store& store) {
      return stop_waiting(asking) ? approvals::Questions(store).caller_left(asking.question_id)
                                  : Result<void>();
    });
    if (!left) log_error("a caller's leaving could not be recorded: " + left.error().message);
    co_return nullptr;
  }
}

asio::awaitable<ExecReply> ExecPipeline::run(ExecRequest request, RunCancellation cancellation) {
  ExecReply reply;
  Asking asking;
  std::optional<StoreWork<Recording>> recording;
  const auto decided = co_await decide(request, cancellation, asking, recording);
  if (!decided) {
    reply.cancelled = true;
    co_return reply;
  }
  const policy::RunEvaluation& evaluation = decided->evaluation();
  std::optional<Result<std::int64_t>> recorded;
  RunOutcome outcome;
  if (decided->allowed()) {
    RunOptions options;
    if (evaluation.timeout_ms) options.timeout = std::chrono::milliseconds(*evaluation.timeout_ms);
    options.limits = settings_.output;
    options.mark = run_mark(settings_.hash_key, evaluation.run_id);
    options.cancellation = cancellation;
    // No spawn precedes its row.
    options.before_spawn = [&recording, &recorded]() -> asio::awaitable<std::optional<Error>> {
      recorded = co_await recording->answer();
      co_return *recorded ? std::nullopt : std::optional(recorded->error());
    };
    outcome = co_await executor_.run(evaluation.plan, decided->files, std::move(options));
  }
  if (!recorded) recorded = co_await recording->answer();
  const std::int64_t row_id = *recorded ? **recorded : 0;
  if (!*recorded) {
    log_error("a decision could not be recorded: " + recorded->error().code + ": " +
              recorded->error().message);
  }
  if (decided->asking_failure) {
    log_error("nobody could be asked: " + decided->asking_failure->code + ": " +
              decided->asking_failure->message);
  }
  if (!decided->allowed() || !*recorded) {
    policy::Decision decision = evaluation.decision;
    if (decided->allowed()) decision = unrecorded(recorded->error());
    if (decision.verdict == Verdict::kAsk && asking.question_id.empty()) {
      std::optional<Error> failure = decided->asking_failure;
      if (!*recorded) failure = recorded->error();
      if (failure) decision.wire_message += "\nNobody could be asked: " + failure_and_next(*failure);
    }
    co_return refuse(request, evaluation, decision, row_id);
  }

  approvals::RunRow row = decided->row;
  row.row_id = row_id;
  row.state = state_of(outcome);
  row.exit_code = outcome.exit_code;
  row.signal = outcome.signal;
  row.stdout_bytes = static_cast<std::int64_t>(outcome.standard_output.total_bytes);
  row.stderr_bytes = static_cast<std::int64_t>(outcome.standard_error.total_bytes);
  row.dropped_bytes =
      static_cast<std::int64_t>(outcome.standard_output.dropped_bytes + outcome.standard_error.dropped_bytes);
  row.ended_at_ms = unix_ms_now();
  std::string output = event_output(outcome);
  row.output_tail = to_valid_utf8(
      std::string_view(output).substr(output.size() - std::min(output.size(), kRecordedTailBytes)));
  Json fields = end_fields(row, outcome);
  auto ending =
      store_.start([this, row = std::move(row), fields = std::move(fields)](approvals::Store& store) {
        auto kept = record_end(store, row, fields);
        if (!kept) late_ends_.keep(row, fields);
        return kept;
      });
  // The event goes out while the end is written; the result waits for that.
  if (!outcome.cancelled && request.notify)
    request.notify("exec.finished", finished_payload(evaluation, outcome, output));
  reply.run_id = evaluation.run_id;
  reply.row_id = row_id;
  reply.cancelled = outcome.cancelled;
  if (!outcome.cancelled) reply.result = InvokeResult::success(run_payload(outcome));
  const Result<void> ended = co_await ending.answer();
  if (!ended) {
    log_error("the end of run " + evaluation.run_id + " could not be recorded yet: " + ended.error().message);
  }
  co_return reply;
}

ExecReply ExecPipeline::refuse(const ExecRequest& request, const policy::RunEvaluation& evaluation,
                               const policy::Decision& decision, std::int64_t row_id) {
  ExecReply reply;
  reply.run_id = evaluation.run_id;
  reply.row_id = row_id;
  reply.result = InvokeResult::failure(decision.wire_code, decision.wire_message);
  if (!decision.event_reason.empty() && request.notify) {
    JsonObjectText payload = event_payload(evaluation);
    payload.add("reason", decision.event_reason);
    request.notify("exec.denied", payload.take_string());
  }
  log_info(std::string(policy::to_string(decision.verdict)) + " " + decision.code + ": " +
           approvals::mask_secrets_in_text(evaluation.command_text));
  return reply;
}

asio::awaitable<void> ExecPipeline::mark_delivered(std::int64_t row_id) {
  if (row_id == 0) co_return;
  delivered_.push_back(row_id);
  // Whoever comes first waits for the others of this moment: one commit for all of them.
  if (delivered_.size() > 1) co_return;
  asio::steady_timer moment(co_await asio::this_coro::executor, kDeliveryMoment);
  co_await moment.async_wait(asio::as_tuple(asio::use_awaitable));
  const std::vector<std::int64_t> rows = std::exchange(delivered_, {});
  (void)co_await store_.on_store([&rows](approvals::Store& store) {
    return store.transaction([&]() -> Result<void> {
      for (const std::int64_t row : rows) {
        if (auto marked = store.mark_delivered(row); !marked) return marked;
      }
      return {};
    });
  });
}

asio::awaitable<std::string> ExecPipeline::describe_policy() {
  co_return co_await store_.on_store([this](approvals::Store& store) {
    const auto document = cache_->current(store);
    if (document->malformed) {
      return "policy: deny everything, because the stored approvals document is malformed: " +
             document->malformed_reason + " -- next: hostclaw approvals set --file FILE";
    }
    const Json effective = policy::resolved_defaults(*document, approvals::engine_settings(store));
    std::size_t entries = 0;
    for (const auto& [agent, agent_policy] : document->agents) entries += agent_policy.allowlist.size();
    return "policy: security=" + effective.value("security", "deny") +
           " ask=" + effective.value("ask", "always") +
           " askFallback=" + effective.value("askFallback", "deny") + ", " + std::to_string(entries) +
           " allowlist entries";
  });
}

asio::awaitable<InvokeResult> ExecPipeline::prepare(Json params, bool older_peer) {
  co_return co_await store_.on_store([this, &params, older_peer](approvals::Store& store) {
    OpenedFiles files;
    const auto document = cache_->current(store);
    const approvals::ExecSettings exec = exec_settings(store);
    policy::EngineContext engine_context = context(exec, files);
    engine_context.older_peer = older_peer;
    policy::PrepareEvaluation prepared = policy::prepare_run(params, *document, engine_context);
    if (!prepared.ok) return InvokeResult::failure(prepared.wire_code, prepared.wire_message);
    // The gateway ends a refused call here and may end one that it asks about: this is the only trace of it.
    const Verdict verdict = prepared.run.decision.verdict;
    if (verdict == Verdict::kDeny || verdict == Verdict::kAsk) {
      policy::RunDecision judged = policy::decide_run(params, *document, engine_context);
      judged.evaluation = prepared.run;
      record_prepared(store, judged, text_at(params, "cwd"));
    }
    if (verdict == Verdict::kAsk)
      prepare_for_answers(store, params, exec, *document, engine_context, prepared);
    gateway_policies_.note(store, prepared.run.agent_id, params);
    prepared_->remember(prepared);
    prepared_->show(prepared.run.agent_id, prepared.visible_markers, document);
    return InvokeResult::success(prepared.payload);
  });
}

// The gateway need not ask where a grant covers the command, nor where this node asks by itself: it is told
// so for this very command, judged as it will come back.
void ExecPipeline::prepare_for_answers(approvals::Store& store, const Json& params,
                                       const approvals::ExecSettings& exec,
                                       const policy::PolicyDocument& document, policy::EngineContext& context,
                                       policy::PrepareEvaluation& prepared) {
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
  if (refused.evaluation.decision.verdict != Verdict::kAsk ||
      granted.evaluation.decision.verdict != Verdict::kAllow)
    return;
  bool told = exec.ask_via == approvals::AskVia::kLocal;
  if (!told) {
    const auto grants =
        approvals::Questions(store).covering(askable(refused, granted).request, unix_ms_now());
    told = grants && !grants->empty();
  }
  if (told) prepared.payload["execPolicy"] = {{"security", "full"}, {"ask", "off"}};
}

void ExecPipeline::record_prepared(approvals::Store& store, const policy::RunDecision& judged,
                                   const std::string& cwd) {
  approvals::RunRow row = row_of(judged.evaluation, "");
  row.run_id = new_uuid();
  row.cwd = cwd;
  row.state = "decided";
  row.ended_at_ms = row.started_at_ms;
  DecisionContext recorded;
  recorded.stage = "prepare";
  recorded.door = "gateway";
  recorded.hash_key = settings_.hash_key;
  const Json fields = decision_fields(judged, row, recorded);
  auto kept = store.transaction([&]() -> Result<void> {
    if (judged.evaluation.decision.verdict == Verdict::kDeny) {
      if (auto inserted = store.insert_run(row); !inserted) return inserted.error();
    }
    return append_row(store, row.started_at_ms, "decision", fields);
  });
  if (!kept) log_error("a decision could not be recorded: " + kept.error().message);
}

asio::awaitable<InvokeResult> ExecPipeline::which(Json params) {
  co_return co_await store_.on_store([this, &params](approvals::Store& store) {
    OpenedFiles files;
    const auto found = policy::which(params, context(approvals::read_exec_settings(store).settings, files));
    return found ? InvokeResult::success(*found) : failure_of(found.error());
  });
}

asio::awaitable<InvokeResult> ExecPipeline::get_approvals(Json params) {
  co_return co_await store_.on_store([this, &params](approvals::Store& store) {
    if (params.is_object()) {
      const auto it = params.find("includeResolvedDefaults");
      if (it != params.end() && !it->is_boolean()) {
        return failure_of(invalid_request("includeResolvedDefaults must be boolean"));
      }
    }
    auto snapshot = approvals_snapshot(store, *cache_);
    if (!snapshot) return InvokeResult::failure("UNAVAILABLE", snapshot.error().message);
    prepared_->forget_expired();
    const auto document = cache_->current(store);
    for (const PreparedPlans::Marker& marker : prepared_->markers) {
      if (marker.document != document) continue;
      // Shown, never stored: the hash below is that of the document without them.
      OrderedJson entry{{"id", new_uuid()}, {"pattern", marker.entry.pattern}, {"source", "allow-always"}};
      if (marker.entry.arg_pattern) entry["argPattern"] = *marker.entry.arg_pattern;
      (*snapshot)["file"]["agents"][marker.agent]["allowlist"].push_back(std::move(entry));
    }
    return InvokeResult::success(json_string(dump_json(*snapshot)));
  });
}

asio::awaitable<InvokeResult> ExecPipeline::set_approvals(OrderedJson params, std::string actor) {
  co_return co_await store_.on_store([this, &params, &actor](approvals::Store& store) {
    ReplaceRequest request{std::move(params), {"gateway", actor}, {}};
    for (const PreparedPlans::Marker& marker : prepared_->markers) request.shown_only.push_back(marker.entry);
    const auto before = cache_->current(store);
    auto snapshot = replace_approvals(store, *cache_, std::move(request));
    if (!snapshot) return failure_of(snapshot.error());
    OpenedFiles files;
    const policy::EngineContext lint_context = context(exec_settings(store), files);
    for (const auto& finding : policy::lint_changes(*before, *cache_->current(store), lint_context))
      log_warn("the gateway's edit: " + finding.message);
    return InvokeResult::success(json_string(dump_json(*snapshot)));
  });
}

}  // namespace hostclaw::node_host
