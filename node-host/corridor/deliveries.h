// SPDX-License-Identifier: Apache-2.0
// Results that reached their callers, marked in the record together: one commit for all of a moment.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <vector>

#include "node-host/loop/store_thread.h"

namespace hostclaw::node_host {

class Deliveries {
 public:
  explicit Deliveries(StoreThread& store) : store_(store) {}
  // `row_id` 0: there is nothing to mark.
  boost::asio::awaitable<void> mark(std::int64_t row_id);

 private:
  StoreThread& store_;
  std::vector<std::int64_t> delivered_;  // not yet marked
};

}  // namespace hostclaw::node_host
