// SPDX-License-Identifier: Apache-2.0
#include "node-host/corridor/desk.h"

#include <algorithm>
#include <utility>

#include "node-host/loop/log.h"

namespace hostclaw::node_host {
namespace {

constexpr std::size_t kMostWaitingCallers = 1024;

}  // namespace

// What became of the question that was asked before; nullopt: nothing that settles it.
std::optional<DeskAnswer> Desk::look_at_question(approvals::Questions& questions, const DeskCase& what,
                                                 const Asking& asking, DeskAnswer& answer) {
  using Kind = DeskAnswer::Kind;
  using approvals::QuestionState;
  const std::int64_t now = clock_.unix_ms();
  // What is overdue counts as expired even while the store cannot say so.
  if (auto expired = questions.expire(now); !expired)
    log_warn("a question could not be closed: " + expired.error().message);
  const auto question = questions.find(asking.question_id);
  if (!question) answer.failure = question.error();
  QuestionState state = question ? question->state : QuestionState::kExpired;
  if (state == QuestionState::kPending && now >= asking.deadline_ms) state = QuestionState::kExpired;
  if (question && !question->answered_by.door.empty())
    answer.answered_by = question->answered_by.door + " " + question->answered_by.who;
  const bool same = what.askable.question.key == asking.key;
  const auto settled = [&](Kind kind) {
    answer.kind = kind;
    return answer;
  };
  if (state == QuestionState::kPending && same)
    return settled(asking.out_of_patience ? Kind::kOpen : Kind::kWaits);
  if (state == QuestionState::kDenied) return settled(Kind::kDenied);
  if (state == QuestionState::kExpired || state == QuestionState::kWithdrawn)
    return settled(Kind::kUnanswered);
  if (!same) return settled(Kind::kChanged);
  return std::nullopt;
}

DeskAnswer Desk::seek(approvals::Store& store, DeskCase what, Asking& asking) {
  using Kind = DeskAnswer::Kind;
  DeskAnswer answer;
  approvals::Questions questions(store);
  const std::int64_t now = clock_.unix_ms();
  if (!asking.question_id.empty()) {
    if (auto settled = look_at_question(questions, what, asking, answer)) return *std::move(settled);
  }

  const auto grants = questions.covering(what.askable.request, now);
  if (!grants) {
    answer.failure = grants.error();
    return answer;
  }
  if (!grants->empty()) {
    for (const approvals::Grant& grant : *grants) answer.grant_ids.push_back(grant.id);
    const approvals::Actor& by = grants->front().created_by;
    if (answer.answered_by.empty()) answer.answered_by = by.door + " " + by.who;
    answer.consumes = std::move(what.askable.request);
    const bool for_this = std::all_of(grants->begin(), grants->end(), [](const approvals::Grant& grant) {
      return grant.scope == approvals::GrantScope::kPlan;
    });
    answer.kind = for_this ? Kind::kGranted : Kind::kCovered;
    return answer;
  }
  if (!what.asks_here) return answer;

  std::size_t callers = 0;
  for (const auto& [id, count] : waiting_callers_) callers += static_cast<std::size_t>(count);
  if (callers >= kMostWaitingCallers) {
    answer.failure =
        make_error("QUESTION_TOO_MANY", std::to_string(callers) + " requests wait for a person already",
                   "hostclaw approvals pending");
    return answer;
  }
  // Also when an identical request has just used up the answer that both waited for.
  approvals::NewQuestion& question = what.askable.question;
  question.invoke_id = what.request_id;
  question.details["door"] = what.origin.door;
  if (!what.origin.principal.name.empty()) question.details["principal"] = what.origin.principal.name;
  if (Json details = what.origin.details(); !details.is_null())
    question.details["caller"] = std::move(details);
  question.details["files"] = what.files();
  question.deadline_ms = now + what.wait_ms;
  question.caller_deadline_ms = what.caller_deadline_ms > 0 ? what.caller_deadline_ms : question.deadline_ms;
  const auto asked = questions.ask(question, now);
  if (!asked) {
    answer.failure = asked.error();
    return answer;
  }
  settled(asking);
  ++waiting_callers_[asked->question.id];
  const std::int64_t deadline = asked->question.asked.deadline_ms;
  const std::int64_t patience = what.patience_ms > 0 ? std::min(deadline, now + what.patience_ms) : deadline;
  asking = {asked->question.id, question.key, now, deadline, patience, false};
  answer.kind = Kind::kWaits;
  return answer;
}

Result<void> Desk::caller_left(approvals::Store& store, const Asking& asking) {
  return stop_waiting(asking) ? approvals::Questions(store).caller_left(asking.question_id) : Result<void>();
}

// True when nobody else waits for the same answer.
bool Desk::stop_waiting(const Asking& asking) {
  const auto it = waiting_callers_.find(asking.question_id);
  if (it == waiting_callers_.end()) return false;
  if (--it->second > 0) return false;
  waiting_callers_.erase(it);
  return true;
}

}  // namespace hostclaw::node_host
