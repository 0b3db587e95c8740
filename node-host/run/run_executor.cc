// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/run_executor.h"

#include <boost/asio/steady_timer.hpp>
#include <list>
#include <set>

#include "node-host/run/kept_runs.h"
#include "node-host/run/live_output.h"
#include "node-host/run/run_session.h"
#include "node-host/run/run_wakeup.h"
#include "node-host/system/process/orphans.h"
#include "node-host/system/process/run_roster.h"

namespace hostclaw::node_host {

namespace asio = boost::asio;

struct RunCancellation::State {
  bool cancelled = false;
  std::function<void()> notify;
};

RunCancellation::RunCancellation() : state_(std::make_shared<State>()) {}

void RunCancellation::cancel() {
  if (state_->cancelled) return;
  state_->cancelled = true;
  const auto notify = std::exchange(state_->notify, nullptr);
  if (notify) notify();
}

bool RunCancellation::cancelled() const { return state_->cancelled; }

void RunCancellation::on_cancel(std::function<void()> notify) {
  if (!state_->cancelled) state_->notify = std::move(notify);
}

struct RunExecutor::Impl : std::enable_shared_from_this<RunExecutor::Impl> {
  Impl(asio::any_io_executor on, Settings with)
      : executor(std::move(on)),
        settings(std::move(with)),
        roster(settings.roster),
        null_input(open_null_input()),
        kept(executor,
             {settings.kept, settings.live_output, settings.control_groups, settings.kill_grace,
              settings.give_up},
             roster),
        sweep_timer(executor),
        all_done(executor) {
    if (!settings.live_output.empty() && !settings.shares_live_output) {
      std::vector<std::int64_t> rows;
      for (const KeptRun& run : kept.found()) rows.push_back(run.row);
      LiveOutput::clear(settings.live_output, rows);
    }
    become_reaper_of_orphans();
  }

  struct Waiter {
    explicit Waiter(const asio::any_io_executor& on) : wakeup(on) {}
    Wakeup wakeup;
    bool granted = false;
  };

  // A place among the running; given to the next in line when it goes.
  class Place {
   public:
    explicit Place(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    ~Place() { impl_->leave(); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    std::shared_ptr<Impl> impl_;
  };

  // True when the caller has a place; false when it was cancelled first.
  asio::awaitable<bool> enter(RunCancellation cancellation) {
    if (stopping || cancellation.cancelled()) co_return false;
    if (running < settings.max_concurrent && queue.empty()) {
      ++running;
      co_return true;
    }
    auto waiter = std::make_shared<Waiter>(executor);
    queue.push_back(waiter);
    const CancelListener listener(cancellation, [waiter] { waiter->wakeup.notify(); });
    auto done = [this, waiter, cancellation] {
      return waiter->granted || stopping || cancellation.cancelled();
    };
    const std::shared_ptr<Waiter> keep_order(waiter.get(), [this, self = shared_from_this()](Waiter* gone) {
      queue.remove_if([gone](const auto& queued) { return queued.get() == gone; });
    });
    co_await waiter->wakeup.wait(done, std::nullopt);
    if (!waiter->granted) co_return false;
    if (!stopping && !cancellation.cancelled()) co_return true;
    leave();
    co_return false;
  }

  void leave() {
    if (!queue.empty() && !stopping) {
      const auto next = queue.front();
      queue.pop_front();
      next->granted = true;
      next->wakeup.notify();
      return;
    }
    --running;
    if (running == 0) all_done.notify();
  }

  asio::awaitable<RunOutcome> run(policy::ExecutionPlan plan, std::shared_ptr<OpenedFiles> files,
                                  RunOptions options) {
    RunOutcome outcome;
    outcome.cancelled = true;
    if (!co_await enter(options.cancellation)) co_return outcome;
    const Place place(shared_from_this());
    if (options.cancellation.cancelled()) co_return outcome;
    for (RunSession* other : sessions) other->joined_by_another();
    if (options.kept && runs_can_be_kept() && !settings.kept.empty()) {
      outcome = co_await kept.run(std::move(plan), std::move(files), std::move(options));
      co_return outcome;
    }
    const bool alone = sessions.empty() && !reap_orphans(Sweep::kQuick);
    const RunSession::Context context{executor, settings, null_input.get(), alone, &roster};
    const RunCancellation cancellation = options.cancellation;
    RunSession session(context, std::move(plan), std::move(files), std::move(options));
    const CancelListener listener(cancellation, [&session] { session.cancel(); });
    sessions.insert(&session);
    const std::shared_ptr<RunSession> listed(&session, [this](RunSession* gone) { sessions.erase(gone); });
    outcome = co_await session.run();
    sweep(Sweep::kQuick);
    co_return outcome;
  }

  // Orphans that were left to this process end at any time; while there are any, look once a second.
  void sweep(Sweep how) {
    if (sweeping || !reap_orphans(how)) return;
    sweeping = true;
    sweep_timer.expires_after(std::chrono::seconds(1));
    sweep_timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (!self) return;
      self->sweeping = false;
      if (!error) self->sweep(Sweep::kThorough);
    });
  }

  asio::awaitable<void> shutdown() {
    stopping = true;
    for (const auto& waiter : queue) waiter->wakeup.notify();
    for (RunSession* session : sessions) session->cancel();
    kept.leave_all();
    auto done = [this] { return running == 0 && queue.empty(); };
    while (!done()) {
      const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
      co_await all_done.wait(done, soon);
    }
    sweep_timer.cancel();
  }

  asio::any_io_executor executor;
  Settings settings;
  RunRoster roster;
  UniqueFd null_input;
  KeptRuns kept;
  std::size_t running = 0;
  std::list<std::shared_ptr<Waiter>> queue;
  std::set<RunSession*> sessions;
  bool stopping = false;
  bool sweeping = false;
  asio::steady_timer sweep_timer;
  Wakeup all_done;
};

RunExecutor::RunExecutor(asio::any_io_executor executor, Settings settings)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(settings))) {}

RunExecutor::~RunExecutor() {
  impl_->stopping = true;
  impl_->sweep_timer.cancel();
}

asio::awaitable<RunOutcome> RunExecutor::run(policy::ExecutionPlan plan, std::shared_ptr<OpenedFiles> files,
                                             RunOptions options) {
  const auto impl = impl_;
  try {
    co_return co_await impl->run(std::move(plan), std::move(files), std::move(options));
  } catch (const std::exception&) {
    // Out of memory or an event queue that is full; the session's end has taken its programs down.
    RunOutcome outcome;
    outcome.launch_error = launch_error_text("EIO");
    co_return outcome;
  }
}

asio::awaitable<RunOutcome> RunExecutor::rejoin(KeptRun run, RunCancellation cancellation) {
  const auto impl = impl_;
  co_return co_await impl->kept.rejoin(std::move(run), std::move(cancellation));
}

void RunExecutor::forget_kept(const std::string& run_id) { impl_->kept.forget(run_id); }

std::vector<KeptRun> RunExecutor::kept_runs() { return impl_->kept.found(); }

std::size_t RunExecutor::running() const { return impl_->running; }
std::size_t RunExecutor::queued() const { return impl_->queue.size(); }

asio::awaitable<void> RunExecutor::shutdown() {
  const auto impl = impl_;
  co_await impl->shutdown();
}

}  // namespace hostclaw::node_host
