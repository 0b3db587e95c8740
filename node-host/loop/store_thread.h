// SPDX-License-Identifier: Apache-2.0
// The database lives on one thread of its own, so that a slow disk never delays a pong.
// Thread rule: construct and destroy on the io_context thread; start() and on_store() from it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "approvals/store/store.h"
#include "node-host/loop/loop_inbox.h"

namespace hostclaw::node_host {

// What was started on the store's thread, and its answer.
template <class Work>
class StoreWork {
 public:
  using Value = std::invoke_result_t<Work&, approvals::Store&>;

  // Waits for the answer. Once.
  boost::asio::awaitable<Value> answer() {
    const std::shared_ptr<State> state = state_;
    if (!state->done) {
      co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void()>(
          [&state](auto handler) {
            const auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
            state->waiter = [waiting] { std::move (*waiting)(); };
          },
          boost::asio::use_awaitable);
    }
    co_return std::move(*state->value);
  }

 private:
  friend class StoreThread;
  struct State {
    std::optional<Value> value;  // the store's thread's until `done`
    bool done = false;
    std::function<void()> waiter;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

class StoreThread {
 public:
  // Told on the store's thread when the database was lost or found again (approvals::Store::follow_file): the
  // error, or what is in use now. Requires: does not use this object.
  using OnFile = std::function<void(const Result<void>& there, approvals::Store& store)>;

  StoreThread(boost::asio::any_io_executor executor, std::unique_ptr<approvals::Store> store,
              OnFile on_file = {})
      : inbox_(std::move(executor)), store_(std::move(store)), on_file_(std::move(on_file)), pool_(1) {}
  ~StoreThread() { join(); }

  // Runs `work(store)` on the store's thread, after what was started before. `work` must not throw, and what
  // it refers to must live until it has run: own it, or wait for the answer. Before it, the store looks
  // whether its file is still there.
  template <class Work>
  StoreWork<Work> start(Work work) {
    StoreWork<Work> started;
    inbox_.expect();
    boost::asio::post(pool_, [this, state = started.state_, work = std::move(work)]() mutable {
      follow_file();
      state->value.emplace(work(*store_));
      inbox_.post([state] {
        state->done = true;
        if (state->waiter) std::exchange(state->waiter, nullptr)();
      });
    });
    return started;
  }

  // The same, waited for.
  template <class Work>
  boost::asio::awaitable<typename StoreWork<Work>::Value> on_store(Work work) {
    StoreWork<Work> started = start(std::move(work));
    co_return co_await started.answer();
  }

  void join() { pool_.join(); }

 private:
  void follow_file() {
    const std::int64_t epoch = store_->epoch();
    const Result<void> there = store_->follow_file();
    const std::string problem = there ? std::string() : there.error().code + there.error().message;
    if (problem == problem_ && epoch == store_->epoch()) return;
    problem_ = problem;
    if (on_file_) on_file_(there, *store_);
  }

  LoopInbox inbox_;
  std::unique_ptr<approvals::Store> store_;
  const OnFile on_file_;
  std::string problem_;  // why the store was of no use when it was looked last; the store's thread's
  boost::asio::thread_pool pool_;
};

// An object that belongs to the store's thread: made on the io_context thread, from then on it can be reached
// by work on the store's thread only. It goes when the last work that was started has been done and this
// handle is gone.
// Requires: `thread` outlives this handle.
template <class T>
class StoreOwned {
 public:
  template <class... Arguments>
  explicit StoreOwned(StoreThread& thread, Arguments&&... arguments)
      : thread_(thread), object_(std::make_shared<T>(std::forward<Arguments>(arguments)...)) {}

  // As StoreThread::start, with work(object, store).
  template <class Work>
  auto start(Work work) {
    return thread_.start(Bound<Work>{object_, std::move(work)});
  }

  template <class Work>
  boost::asio::awaitable<std::invoke_result_t<Work&, T&, approvals::Store&>> on_store(Work work) {
    auto started = start(std::move(work));
    co_return co_await started.answer();
  }

  template <class Work>
  struct Bound {
    std::shared_ptr<T> object;
    Work work;
    auto operator()(approvals::Store& store) { return work(*object, store); }
  };

 private:
  StoreThread& thread_;
  std::shared_ptr<T> object_;
};

}  // namespace hostclaw::node_host
