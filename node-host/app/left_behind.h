// SPDX-License-Identifier: Apache-2.0
// After a kill -9 the commands of a node run on, past their time-outs and with nobody who reads them. The
// next start ends them. Thread rule: the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

namespace hostclaw::node_host {

struct LeftBehind {
  std::string run_id;
  std::vector<std::string> programs;  // "name (pid)", at most 64
  std::size_t ended = 0;
  std::size_t alive = 0;  // still there when it was given up
};

// Ends the processes that runs which never ended left behind: SIGTERM, two seconds later SIGKILL, until two
// looks one after the other find none, ten seconds are over or `asked_to_stop` says so. `key` as for
// run_mark(). Answers the runs that had any. What a run that ended left in the background on purpose is not
// touched.
boost::asio::awaitable<std::vector<LeftBehind>> end_left_behind(std::vector<std::string> run_ids,
                                                                std::string key,
                                                                std::function<bool()> asked_to_stop);

}  // namespace hostclaw::node_host
