// SPDX-License-Identifier: Apache-2.0
#include "node-host/app/left_behind.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <map>
#include <set>

#include "node-host/loop/use_tuple.h"
#include "node-host/record/run_record.h"
#include "node-host/system/process/orphans.h"

namespace hostclaw::node_host {
namespace {

using SteadyClock = std::chrono::steady_clock;
using ProcessKey = std::pair<std::int64_t, std::uint64_t>;

constexpr std::chrono::seconds kAskedFor{2};
constexpr std::chrono::seconds kGivenUpAfter{10};
constexpr std::chrono::milliseconds kLookAgain{50};
constexpr std::size_t kMostNamed = 64;

}  // namespace

boost::asio::awaitable<std::vector<LeftBehind>> end_left_behind(std::vector<std::string> run_ids,
                                                                std::string key,
                                                                std::function<bool()> asked_to_stop) {
  std::map<std::string, LeftBehind> by_mark;
  std::vector<std::string> marks;
  for (std::string& id : run_ids) {
    marks.push_back(run_mark(key, id));
    by_mark[marks.back()].run_id = std::move(id);
  }
  std::set<ProcessKey> seen;
  boost::asio::steady_timer pause(co_await boost::asio::this_coro::executor);
  const auto began = SteadyClock::now();
  bool looked_again = false;
  while (!marks.empty()) {
    const std::vector<LeftProcess> found = find_left_behind(marks);
    if (found.empty() && looked_again) break;
    looked_again = found.empty();
    const auto waited = SteadyClock::now() - began;
    const bool over = waited >= kGivenUpAfter || asked_to_stop();
    for (const LeftProcess& process : found) {
      const ProcessKey its{process.pid, process.start_ticks};
      LeftBehind& run = by_mark[process.mark];
      const bool fresh = seen.insert(its).second;
      if (fresh && run.programs.size() < kMostNamed)
        run.programs.push_back(process.name + " (" + std::to_string(process.pid) + ")");
      if (fresh) ++run.ended;
      if (over) {
        ++run.alive;
        --run.ended;
      } else if (waited >= kAskedFor) {
        tell_to_end(process, true);
      } else if (fresh) {
        tell_to_end(process, false);
      }
    }
    if (over) break;
    if (looked_again) continue;
    pause.expires_after(kLookAgain);
    (void)co_await pause.async_wait(kTuple);
  }
  std::vector<LeftBehind> runs;
  for (auto& [mark, run] : by_mark)
    if (!run.programs.empty()) runs.push_back(std::move(run));
  co_return runs;
}

}  // namespace hostclaw::node_host
