// The database lives on one thread of its own, so that a slow disk never delays a pong.
// Thread rule: construct and destroy on the io_context thread; on_store() from any coroutine of it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <type_traits>
#include <utility>

#include "approvals/store.h"

namespace hostclaw::node_host {

class StoreThread {
 public:
  explicit StoreThread(std::unique_ptr<approvals::Store> store) : store_(std::move(store)), pool_(1) {}
  ~StoreThread() { join(); }

  // Runs `work(store)` on the store's thread and answers what it returns. `work` must not throw.
  template <class Work>
  auto on_store(Work work) -> boost::asio::awaitable<std::invoke_result_t<Work&, approvals::Store&>> {
    using Value = std::invoke_result_t<Work&, approvals::Store&>;
    co_return co_await boost::asio::co_spawn(
        pool_,
        [this, work = std::move(work)]() mutable -> boost::asio::awaitable<Value> {
          co_return work(*store_);
        },
        boost::asio::use_awaitable);
  }

  void join() { pool_.join(); }

 private:
  std::unique_ptr<approvals::Store> store_;
  boost::asio::thread_pool pool_;
};

}  // namespace hostclaw::node_host
