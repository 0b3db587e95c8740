// SPDX-License-Identifier: Apache-2.0
// Work that may take its time, away from the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <type_traits>

namespace hostclaw::hostlink {

// Does `work` on a thread of `pool` and comes back. `work` must not throw.
template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> on_pool(boost::asio::thread_pool& pool, Work work) {
  std::optional<std::invoke_result_t<Work&>> result;
  auto doing = [&work, &result]() -> boost::asio::awaitable<void> {
    result.emplace(work());
    co_return;
  };
  co_await boost::asio::co_spawn(pool.get_executor(), doing, boost::asio::use_awaitable);
  co_return std::move(*result);
}

}  // namespace hostclaw::hostlink
