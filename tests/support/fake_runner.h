// SPDX-License-Identifier: Apache-2.0
// Runs nothing: says what it was asked to run and answers what the test wants. It keeps the promises of a
// Runner: before_spawn is awaited before anything counts as spawned, and a cancelled run says so.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/this_coro.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "node-host/run/run_executor.h"
#include "node-host/run/run_wakeup.h"

namespace hostclaw::test {

class FakeRunner final : public node_host::Runner {
 public:
  node_host::RunOutcome answers;                // of every run that ends by itself
  bool holds = false;                           // runs go on until release() or their cancellation
  std::function<void()> on_opened;              // called, about to ask for permission
  std::function<void()> on_permitted;           // the row is there
  std::vector<std::string> spawned;             // the first word of each run that was permitted
  std::weak_ptr<node_host::OpenedFiles> files;  // of the last run

  std::size_t running() const { return held_.size(); }
  // Ends the run that was held first.
  void release() {
    const auto first = held_.front();
    held_.erase(held_.begin());
    first->released = true;
    first->wakeup.notify();
  }

  boost::asio::awaitable<node_host::RunOutcome> run(policy::ExecutionPlan plan,
                                                    std::shared_ptr<node_host::OpenedFiles> judged_files,
                                                    node_host::RunOptions options) override {
    files = judged_files;
    node_host::RunOutcome outcome;
    outcome.cancelled = options.cancellation.cancelled();
    if (outcome.cancelled) co_return outcome;
    if (on_opened) on_opened();
    if (const auto refused = co_await options.before_spawn()) {
      outcome.launch_error = refused->message;
      co_return outcome;
    }
    spawned.push_back(plan.pipelines.front().commands.front().argv.front());
    if (on_permitted) on_permitted();
    if (holds) {
      const auto held = std::make_shared<Held>(co_await boost::asio::this_coro::executor);
      held_.push_back(held);
      const node_host::CancelListener listener(options.cancellation, [held] { held->wakeup.notify(); });
      const auto over = [&] { return held->released || options.cancellation.cancelled(); };
      co_await held->wakeup.wait(over, std::nullopt);
      std::erase(held_, held);
    }
    outcome = answers;
    outcome.cancelled = options.cancellation.cancelled();
    co_return outcome;
  }

  boost::asio::awaitable<node_host::RunOutcome> rejoin(node_host::KeptRun,
                                                       node_host::RunCancellation) override {
    co_return answers;
  }
  void forget_kept(const std::string&) override {}

 private:
  struct Held {
    explicit Held(const boost::asio::any_io_executor& executor) : wakeup(executor) {}
    node_host::Wakeup wakeup;
    bool released = false;
  };
  std::vector<std::shared_ptr<Held>> held_;
};

}  // namespace hostclaw::test
