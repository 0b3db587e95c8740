// SPDX-License-Identifier: Apache-2.0
// The one way to start work that nobody waits for. Thread rule: the executor's.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <exception>
#include <functional>
#include <string_view>

namespace hostclaw::node_host {

// Starts `work` on `executor`. What it throws is a broken invariant of ours: it is logged with `name` and
// this process aborts, so that whoever supervises starts it again; dropped, it would leave a place taken for
// ever. Requires: `name` is a string literal.
void start_background(const boost::asio::any_io_executor& executor, std::string_view name,
                      std::function<boost::asio::awaitable<void>()> work);

// The same for what was caught elsewhere.
[[noreturn]] void abort_on(std::string_view name, const std::exception_ptr& failed);

}  // namespace hostclaw::node_host
