// SPDX-License-Identifier: Apache-2.0
#include "node-host/corridor/corridor.h"

#include <chrono>
#include <utility>

#include "node-host/loop/background.h"
#include "node-host/loop/log.h"

namespace hostclaw::node_host {

namespace asio = boost::asio;
using policy::Verdict;

// Writes down what was decided; answers the id of the row.
struct Corridor::Beginning {
  std::shared_ptr<const Judged> judged;
  Result<std::int64_t> operator()(StoreSide& side, approvals::Store& store) const {
    return side.journal.begin(store, *judged);
  }
};

// A decision and its row, which is being written meanwhile.
struct Corridor::Decided {
  std::shared_ptr<const Judged> judged;
  std::shared_ptr<OpenedFiles> files;  // for whoever acts on it
  StoreWork<StoreOwned<StoreSide>::Bound<Beginning>> beginning;
  std::optional<Result<std::int64_t>> row;  // once somebody waited for it

  asio::awaitable<void> recorded() {
    if (!row) row = co_await beginning.answer();
  }
};

namespace {

ExecOutcome not_admitted(Admission::Entry entry) {
  ExecOutcome outcome;
  if (entry != Admission::Entry::kFull) return outcome;
  Denied denied;
  denied.decision.verdict = Verdict::kDeny;
  const policy::DecisionCodeFacts& facts = facts_of(policy::DecisionCode::kAdmissionFull);
  denied.decision.set_code(facts.code);
  denied.decision.explanation = facts.meaning;
  denied.decision.next = facts.next;
  outcome.end = std::move(denied);
  return outcome;
}

void note_operator(RunOutcome& outcome, const std::string& who) {
  if (!outcome.cancelled || who.empty()) return;
  outcome.cancelled_by = who;
  outcome.launch_error = "This run was ended on the node by its operator (" + who +
                         "). Do not start it again unless you are told to.";
}

}  // namespace

Corridor::Corridor(asio::any_io_executor executor, StoreThread& store, Runner& runner, Settings settings,
                   const Clock& clock)
    : executor_(executor),
      hash_key_(settings.hash_key),
      store_side_(store, std::move(settings.host), std::move(settings.hash_key), clock),
      runner_(runner),
      output_(settings.output),
      clock_(clock),
      admission_(executor, settings.admission),
      waiting_(store, clock),
      cancel_requests_(std::move(executor), store),
      deliveries_(store) {}

asio::awaitable<ExecOutcome> Corridor::walk(ExecRequest request) {
  Admission::Place place(admission_, request.origin.who());
  if (const auto entry = co_await place.enter(request.cancellation); entry != Admission::Entry::kAdmitted)
    co_return not_admitted(entry);

  Asking asking;  // named: gcc 12 copies aggregates that are temporaries of an await byte by byte
  Decided decided = co_await decide(request, asking);
  while (decided.judged->waits) {
    asking = decided.judged->asking;
    if (!co_await ask(request, *decided.judged, asking, place)) co_return ExecOutcome{};
    decided = co_await decide(request, asking);
  }

  RunOutcome run;
  if (decided.judged->allowed()) run = co_await perform(request, decided);
  co_await decided.recorded();
  if (!*decided.row) co_return deny(request, decided, decided.row->error());
  if (!decided.judged->allowed()) co_return deny(request, decided, std::nullopt);

  ExecOutcome outcome{Finished{std::move(run)}, decided.judged, decided.judged->row.run_id, **decided.row};
  // Its end is somebody else's to tell.
  if (outcome.finished()->run.goes_on) co_return outcome;
  co_await end(request, outcome);
  co_return outcome;
}

// The row is written right behind the decision, before anybody knows here what was decided.
asio::awaitable<Corridor::Decided> Corridor::decide(const ExecRequest& request, const Asking& asking) {
  const auto judged = std::make_shared<Judged>();
  auto judging = store_side_.start([&request, &asking, judged](StoreSide& side, approvals::Store& store) {
    Judgement judgement = side.judge.judge(store, request, asking);
    *judged = std::move(judgement.judged);
    return std::move(judgement.files);
  });
  Decided decided{judged, nullptr, store_side_.start(Beginning{judged}), std::nullopt};
  decided.files = co_await judging.answer();
  co_return decided;
}

// Waits for a person, without a place meanwhile. False: the caller does not wait any more.
asio::awaitable<bool> Corridor::ask(const ExecRequest& request, const Judged& judged, Asking& asking,
                                    Admission::Place& place) {
  log_info("a person is asked: " + judged.shown_command() + " -- next: hostclaw approvals resolve " +
           judged.asking.question_id + " allow-once|allow-always|deny");
  place.leave();
  if (request.sinks.asks) request.sinks.asks();
  const auto left = [&request] { return request.sinks.caller_left && request.sinks.caller_left(); };
  const bool answered = co_await waiting_.answered(asking, request);
  if (answered) {
    const Admission::Entry entry = co_await place.enter(request.cancellation);
    if (entry == Admission::Entry::kAdmitted && !left()) {
      if (request.sinks.resumes) request.sinks.resumes();
      co_return true;
    }
  }
  const auto done = co_await store_side_.on_store([&judged](StoreSide& side, approvals::Store& store) {
    return side.desk.caller_left(store, judged.asking);
  });
  if (!done) log_error("a caller's leaving could not be recorded: " + done.error().message);
  co_return false;
}

// An access to a file is the door's doing; it begins when it is on record.
asio::awaitable<RunOutcome> Corridor::act(const ExecRequest& request, const FileAsked& asked,
                                          Decided& decided) {
  RunOutcome outcome;
  co_await decided.recorded();
  if (!*decided.row) co_return outcome;
  const auto started = std::chrono::steady_clock::now();
  if (request.cancellation.cancelled()) {
    outcome.cancelled = true;
    co_return outcome;
  }
  const FileAsked::Done done = co_await asked.act();
  outcome.duration = std::chrono::steady_clock::now() - started;
  outcome.standard_output.total_bytes = done.bytes;
  if (done.failure) {
    outcome.launch_error = done.failure->message;
  } else {
    outcome.exit_code = 0;
  }
  co_return outcome;
}

// Of the kinds of requests, only a run spawns.
asio::awaitable<RunOutcome> Corridor::perform(const ExecRequest& request, Decided& decided) {
  if (const auto* asked = std::get_if<FileAsked>(&request.what))
    co_return co_await act(request, *asked, decided);
  const JudgedRun& run = std::get<JudgedRun>(decided.judged->what);
  const policy::RunEvaluation& evaluation = run.decided.evaluation;
  RunOptions options;
  if (evaluation.timeout_ms) options.timeout = std::chrono::milliseconds(*evaluation.timeout_ms);
  options.limits = request.form.output.value_or(output_);
  options.kill_grace = request.form.kill_grace;
  options.leaves_background = request.form.leaves_background;
  options.input = request.form.input;
  options.control = request.form.control;
  options.terminal = request.form.terminal;
  options.on_terminal = request.sinks.terminal;
  options.on_output = request.sinks.output;
  options.cancellation = request.cancellation;
  options.kept = request.form.kept;
  if (options.kept) options.kept->run_id = evaluation.run_id;
  CancelRequests::Run by_hand(cancel_requests_, evaluation.run_id, request.cancellation);
  // No spawn precedes its row.
  options.before_spawn = [&request, &decided, &by_hand]() -> asio::awaitable<std::optional<Error>> {
    co_await decided.recorded();
    if (!*decided.row) co_return decided.row->error();
    by_hand.begins(**decided.row);
    if (request.sinks.begins) request.sinks.begins(decided.judged->row.run_id);
    co_return std::nullopt;
  };
  options.mark = run_mark(hash_key_, evaluation.run_id);
  options.row = [&decided] { return decided.row && *decided.row ? **decided.row : 0; };
  RunOutcome outcome = co_await runner_.run(evaluation.plan, std::move(decided.files), std::move(options));
  note_operator(outcome, by_hand.cancelled_by());
  co_return outcome;
}

// The door is told while the end is written; whoever waits for the outcome waits for that.
asio::awaitable<void> Corridor::end(const ExecRequest& request, ExecOutcome& outcome) {
  const RunOutcome& run = outcome.finished()->run;
  const std::int64_t now = clock_.unix_ms();
  auto ending = store_side_.start([&outcome, &run, now](StoreSide& side, approvals::Store& store) {
    approvals::RunRow row = outcome.judged->row;
    row.row_id = outcome.row_id;
    return side.journal.end(store, std::move(row), run, now);
  });
  // Whose caller has ended it is told nothing; whose operator has, the caller still waits.
  const bool nobody_waits = run.cancelled && run.cancelled_by.empty();
  if (!nobody_waits && request.sinks.ended) request.sinks.ended(outcome);
  const Result<void> ended = co_await ending.answer();
  outcome.end_recorded = ended.has_value();
  if (!ended)
    log_error("the end of run " + outcome.run_id + " could not be recorded yet: " + ended.error().message);
  if (nobody_waits) outcome.end = Cancelled{};
}

ExecOutcome Corridor::deny(const ExecRequest& request, const Decided& decided,
                           std::optional<Error> record_failure) {
  const Judged& judged = *decided.judged;
  if (record_failure) {
    log_error("a decision could not be recorded: " + record_failure->code + ": " + record_failure->message);
  }
  if (judged.asking_failure) {
    log_error("nobody could be asked: " + judged.asking_failure->code + ": " +
              judged.asking_failure->message);
  }
  Denied denied{judged.decision(), std::nullopt, {}};
  if (judged.open && !record_failure) denied.open_question = judged.asking.question_id;
  if (judged.allowed()) denied.decision = unrecorded(*record_failure);
  if (denied.decision.verdict == Verdict::kAsk && judged.asking.question_id.empty())
    denied.nobody_asked = record_failure ? record_failure : judged.asking_failure;
  log_info(std::string(policy::to_string(denied.decision.verdict)) + " " +
           std::string(to_string(denied.decision.code)) + ": " + judged.shown_command());
  ExecOutcome outcome{std::move(denied), decided.judged, judged.row.run_id,
                      record_failure ? 0 : **decided.row};
  if (request.sinks.ended) request.sinks.ended(outcome);
  return outcome;
}

std::shared_ptr<TakenUp> Corridor::take_up(KeptRun run) {
  auto taken = std::make_shared<TakenUp>(executor_);
  taken_up_[run.run_id] = taken;
  start_background(executor_, "a run that went on",
                   [this, taken, run = std::move(run)]() { return follow(taken, run); });
  return taken;
}

std::shared_ptr<TakenUp> Corridor::taken_up(const std::string& run_id) const {
  const auto found = taken_up_.find(run_id);
  return found == taken_up_.end() ? nullptr : found->second;
}

void Corridor::forget_kept(const std::string& run_id) {
  runner_.forget_kept(run_id);
  taken_up_.erase(run_id);
}

asio::awaitable<void> Corridor::follow(std::shared_ptr<TakenUp> taken, KeptRun run) {
  taken->row_id = run.row;
  {
    CancelRequests::Run by_hand(cancel_requests_, run.run_id, taken->cancellation);
    if (run.row > 0) by_hand.begins(run.row);
    taken->outcome = co_await runner_.rejoin(run, taken->cancellation);
    note_operator(taken->outcome, by_hand.cancelled_by());
  }
  const RunOutcome& outcome = taken->outcome;
  if (!outcome.goes_on) {
    const std::int64_t ended = outcome.ended_at_ms > 0 ? outcome.ended_at_ms : clock_.unix_ms();
    const auto recorded_before = co_await store_side_.on_store(
        [&run, &outcome, ended](StoreSide& side, approvals::Store& store) -> Result<bool> {
          auto row = store.run(run.run_id);
          if (!row) return row.error();
          // Or the database is another one.
          if (!*row || (*row)->ended_at_ms > 0) return true;
          if (auto kept = side.journal.end(store, std::move(**row), outcome, ended); !kept)
            return kept.error();
          return false;
        });
    taken->recorded = recorded_before.has_value();
    if (!recorded_before) {
      log_error("the end of run " + run.run_id +
                " could not be recorded yet: " + recorded_before.error().message);
    } else if (*recorded_before) {
      runner_.forget_kept(run.run_id);
    } else {
      log_info("run " + run.run_id + ", which had gone on without this node, has ended");
    }
  }
  taken->over = true;
  taken->changed.cancel();
}

asio::awaitable<void> Corridor::write_late_ends() {
  co_await store_side_.on_store([](StoreSide& side, approvals::Store& store) {
    side.journal.write_late_ends(store);
    return true;
  });
}

asio::awaitable<std::string> Corridor::describe_policy() {
  co_return co_await store_side_.on_store(
      [](StoreSide& side, approvals::Store& store) { return side.policy.describe(store); });
}

}  // namespace hostclaw::node_host
