// SPDX-License-Identifier: Apache-2.0
#include "node-host/corridor/deliveries.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

namespace hostclaw::node_host {
namespace {

constexpr std::chrono::milliseconds kDeliveryMoment{50};

}  // namespace

namespace asio = boost::asio;

asio::awaitable<void> Deliveries::mark(std::int64_t row_id) {
  if (row_id == 0) co_return;
  delivered_.push_back(row_id);
  // Whoever comes first waits for the others of this moment.
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

}  // namespace hostclaw::node_host
