// SPDX-License-Identifier: Apache-2.0
#include "node-host/corridor/admission.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "node-host/run/run_wakeup.h"

namespace hostclaw::node_host {

namespace asio = boost::asio;

struct Admission::Waiter {
  Waiter(const asio::any_io_executor& executor, bool comes_back)
      : wakeup(executor), keeps_its_turn(comes_back) {}
  Wakeup wakeup;
  const bool keeps_its_turn;  // it was let in before
  std::optional<Entry> end;   // granted or refused
};

struct Admission::State {
  State(asio::any_io_executor runs_on, Limits bounds) : executor(std::move(runs_on)), limits(bounds) {}

  struct Party {
    std::size_t running = 0;
    std::deque<std::shared_ptr<Waiter>> waiting;
    bool idle() const { return running == 0 && waiting.empty(); }
  };

  bool has_room(const Party& party) const {
    return running < limits.max_running ||
           (party.running == 0 && running < limits.max_running + limits.own_places);
  }

  void take(Party& party) {
    ++running;
    ++party.running;
  }

  void give_back(const std::string& who) {
    const auto it = parties.find(who);
    --running;
    --it->second.running;
    if (it->second.idle()) parties.erase(it);
    grant();
  }

  // Places go round: who got one goes to the end of the line.
  void grant() {
    for (std::size_t looked = 0; looked < turns.size();) {
      std::string who = std::move(turns.front());
      turns.pop_front();
      Party& party = parties.at(who);
      if (!has_room(party)) {
        turns.push_back(std::move(who));
        ++looked;
        continue;
      }
      looked = 0;
      const std::shared_ptr<Waiter> next = party.waiting.front();
      party.waiting.pop_front();
      --waiting;
      take(party);
      if (!party.waiting.empty()) turns.push_back(std::move(who));
      next->end = Entry::kAdmitted;
      next->wakeup.notify();
    }
  }

  void line_up(const std::string& who, const std::shared_ptr<Waiter>& waiter) {
    Party& party = parties[who];
    if (party.waiting.empty()) turns.push_back(who);
    party.waiting.push_back(waiter);
    ++waiting;
  }

  void step_out(const std::string& who, const std::shared_ptr<Waiter>& waiter) {
    const auto it = parties.find(who);
    if (it == parties.end()) return;
    Party& party = it->second;
    if (std::erase(party.waiting, waiter) == 0) return;
    --waiting;
    if (party.waiting.empty()) std::erase(turns, who);
    if (party.idle()) parties.erase(it);
  }

  // Makes room in the queue for `who` at the cost of a principal that has more in it.
  bool make_room(const std::string& who) {
    const auto own = parties.find(who);
    const std::size_t mine = own == parties.end() ? 0 : own->second.waiting.size();
    const auto longest = std::max_element(parties.begin(), parties.end(), [](const auto& a, const auto& b) {
      return a.second.waiting.size() < b.second.waiting.size();
    });
    if (longest == parties.end() || longest->second.waiting.size() <= mine + 1) return false;
    auto& line = longest->second.waiting;
    const auto newest =
        std::find_if(line.rbegin(), line.rend(), [](const auto& waiter) { return !waiter->keeps_its_turn; });
    if (newest == line.rend()) return false;
    const std::string loser = longest->first;
    const std::shared_ptr<Waiter> refused = *newest;
    step_out(loser, refused);
    refused->end = Entry::kFull;
    refused->wakeup.notify();
    return true;
  }

  asio::any_io_executor executor;
  Limits limits;
  std::size_t running = 0;
  std::size_t waiting = 0;
  std::map<std::string, Party> parties;  // who has a place or waits for one
  std::deque<std::string> turns;         // of those who wait; the next one first
};

Admission::Admission(asio::any_io_executor executor, Limits limits)
    : state_(std::make_shared<State>(std::move(executor), limits)) {}

std::size_t Admission::running() const { return state_->running; }
std::size_t Admission::waiting() const { return state_->waiting; }

Admission::Place::Place(Admission& admission, std::string who)
    : state_(admission.state_), who_(std::move(who)) {}

Admission::Place::~Place() {
  if (waiter_ && waiter_->end == Entry::kAdmitted) held_ = true;
  if (waiter_) state_->step_out(who_, waiter_);
  leave();
}

void Admission::Place::leave() {
  if (!held_) return;
  held_ = false;
  state_->give_back(who_);
}

asio::awaitable<Admission::Entry> Admission::Place::enter(RunCancellation cancellation) {
  if (cancellation.cancelled()) co_return Entry::kCancelled;
  State& state = *state_;
  if (state.has_room(state.parties[who_]) && state.parties[who_].waiting.empty()) {
    state.take(state.parties[who_]);
    held_ = known_ = true;
    co_return Entry::kAdmitted;
  }
  if (!known_ && state.waiting >= state.limits.max_waiting && !state.make_room(who_)) {
    if (const auto it = state.parties.find(who_); it->second.idle()) state.parties.erase(it);
    co_return Entry::kFull;
  }
  waiter_ = std::make_shared<Waiter>(state.executor, known_);
  state.line_up(who_, waiter_);
  {
    const CancelListener listener(cancellation, [waiter = waiter_] { waiter->wakeup.notify(); });
    const auto settled = [this, &cancellation] {
      return waiter_->end.has_value() || cancellation.cancelled();
    };
    co_await waiter_->wakeup.wait(settled, std::nullopt);
  }
  const std::shared_ptr<Waiter> waiter = std::exchange(waiter_, nullptr);
  if (!waiter->end) {
    state.step_out(who_, waiter);
    co_return Entry::kCancelled;
  }
  if (*waiter->end != Entry::kAdmitted) co_return *waiter->end;
  held_ = known_ = true;
  if (!cancellation.cancelled()) co_return Entry::kAdmitted;
  leave();
  co_return Entry::kCancelled;
}

}  // namespace hostclaw::node_host
