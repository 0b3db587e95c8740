// SPDX-License-Identifier: Apache-2.0
#include "node-host/corridor/cancel_requests.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "node-host/loop/background.h"
#include "node-host/loop/log.h"

namespace hostclaw::node_host {

namespace asio = boost::asio;

struct CancelRequests::Run::State {
  std::int64_t row_id = 0;
  std::string run_id;
  RunCancellation cancellation;
  std::string cancelled_by;
};

struct CancelRequests::Impl : std::enable_shared_from_this<CancelRequests::Impl> {
  using Entry = std::shared_ptr<Run::State>;

  Impl(asio::any_io_executor on, StoreThread& its_store)
      : executor(std::move(on)), store(its_store), timer(executor) {}

  void add(Entry entry) {
    runs.push_back(std::move(entry));
    // What was asked between the row and this moment has to be found, however little was written since.
    fresh = true;
    if (!waiting && !looking) wait();
  }

  void remove(const Entry& entry) {
    std::erase(runs, entry);
    if (runs.empty()) timer.cancel();
  }

  void wait() {
    waiting = true;
    timer.expires_after(kEvery);
    timer.async_wait([weak = weak_from_this()](const boost::system::error_code&) {
      const auto self = weak.lock();
      if (!self) return;
      self->waiting = false;
      if (!self->runs.empty()) self->begin_look();
    });
  }

  void begin_look() {
    looking = true;
    start_background(executor, "the look for requests to end a run",
                     [self = shared_from_this()]() { return self->look(); });
  }

  struct Found {
    std::int64_t changes = 0;
    std::vector<std::optional<std::string>> asked_by;  // of each run
  };

  static Result<Found> find(approvals::Store& store, const std::vector<Entry>& runs,
                            std::optional<std::int64_t> seen) {
    const auto changes = store.foreign_change_count();
    if (!changes) return changes.error();
    Found found{*changes, {}};
    if (seen == *changes) return found;
    for (const Entry& run : runs) {
      auto asked = store.cancel_request(run->row_id, run->run_id);
      if (!asked) return asked.error();
      found.asked_by.push_back(std::move(*asked));
    }
    return found;
  }

  asio::awaitable<void> look() {
    const std::vector<Entry> looked = runs;
    const std::optional<std::int64_t> known = std::exchange(fresh, false) ? std::nullopt : seen;
    const auto found = co_await store.on_store(
        [&looked, known](approvals::Store& its_store) { return find(its_store, looked, known); });
    looking = false;
    // A store that cannot tell is asked again.
    seen = found ? std::optional(found->changes) : std::nullopt;
    for (std::size_t i = 0; found && i < found->asked_by.size(); ++i)
      if (const auto& who = found->asked_by[i]) end(*looked[i], *who);
    if (!runs.empty() && !waiting) wait();
  }

  static void end(Run::State& run, const std::string& who) {
    if (!run.cancelled_by.empty() || run.cancellation.cancelled()) return;
    run.cancelled_by = who;
    log_info("run " + run.run_id + " is ended by " + who);
    run.cancellation.cancel();
  }

  asio::any_io_executor executor;
  StoreThread& store;
  asio::steady_timer timer;
  std::vector<Entry> runs;
  std::optional<std::int64_t> seen;  // the counter of the database at the last look
  bool fresh = false;
  bool waiting = false;
  bool looking = false;
};

CancelRequests::CancelRequests(asio::any_io_executor executor, StoreThread& store)
    : impl_(std::make_shared<Impl>(std::move(executor), store)) {}

CancelRequests::~CancelRequests() { impl_->timer.cancel(); }

CancelRequests::Run::Run(CancelRequests& requests, std::string run_id, RunCancellation cancellation)
    : requests_(requests), state_(std::make_shared<State>()) {
  state_->run_id = std::move(run_id);
  state_->cancellation = std::move(cancellation);
}

CancelRequests::Run::~Run() { requests_.impl_->remove(state_); }

void CancelRequests::Run::begins(std::int64_t row_id) {
  state_->row_id = row_id;
  requests_.impl_->add(state_);
}

const std::string& CancelRequests::Run::cancelled_by() const { return state_->cancelled_by; }

}  // namespace hostclaw::node_host
