// SPDX-License-Identifier: Apache-2.0
#include "node-host/loop/background.h"

#include <boost/asio/co_spawn.hpp>
#include <cstdlib>
#include <string>

#include "node-host/loop/log.h"

namespace hostclaw::node_host {

void abort_on(std::string_view name, const std::exception_ptr& failed) {
  std::string what = "unknown";
  try {
    if (failed) std::rethrow_exception(failed);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
  }
  log_error("internal error in " + std::string(name) + ": " + what);
  std::abort();
}

void start_background(const boost::asio::any_io_executor& executor, std::string_view name,
                      std::function<boost::asio::awaitable<void>()> work) {
  boost::asio::co_spawn(executor, std::move(work), [name](const std::exception_ptr& failed) {
    if (failed) abort_on(name, failed);
  });
}

}  // namespace hostclaw::node_host
