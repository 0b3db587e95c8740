// SPDX-License-Identifier: Apache-2.0
// The completion token of every wait: co_await gives (error_code, results...) and never throws.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hostclaw::node_host {

inline constexpr auto kTuple = boost::asio::as_tuple(boost::asio::use_awaitable);

}  // namespace hostclaw::node_host
