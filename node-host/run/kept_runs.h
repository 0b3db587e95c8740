// SPDX-License-Identifier: Apache-2.0
// Runs that outlive this process: each is kept by a process of its own (`hostclaw keep-run`), which starts
// the judged programs, spools their output, ends them when their time is over and writes down how they ended.
// Who started it, or the next process of this program, waits for that. POSIX only; elsewhere a run ends with
// this process.
//
// A kept run has a directory of its own below KeptRuns::Settings::directory, named as the run: run.json
// (which run it is), keeper (locked as long as the keeper lives; its process id), end.json (how it ended). It
// goes when the end has been taken.
//
// The keeper gets the plan, and for each judged file what it looked like to the decision, in an unnamed file:
// it opens the files anew and refuses what is another one. Nothing of it is on a command line.
//
// Thread rule: the executor's io_context thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "node-host/run/run_executor.h"
#include "node-host/run/run_wakeup.h"
#include "node-host/system/process/run_ancestry.h"
#include "node-host/system/process/run_roster.h"

namespace hostclaw::node_host {

// The directory of kept runs in the state directory.
inline constexpr const char* kKeptRunsName = "node.kept";

// False where a run cannot outlive this process.
bool runs_can_be_kept();

// The keeper: does what the file behind its standard input says; answers its exit status.
int keep_run();

class KeptRuns {
 public:
  struct Settings {
    std::string directory;                          // empty: no run is kept
    std::string live_output;                        // as RunExecutor::Settings
    std::shared_ptr<ControlGroups> control_groups;  // as there
    std::chrono::milliseconds kill_grace{300};
    std::chrono::milliseconds give_up{10'000};
  };

  // Requires: `roster` outlives this object.
  KeptRuns(boost::asio::any_io_executor executor, Settings settings, RunRoster& roster);
  ~KeptRuns();

  // Starts it and waits for its end. After leave_all() the outcome says that it goes on.
  boost::asio::awaitable<RunOutcome> run(policy::ExecutionPlan plan, std::shared_ptr<OpenedFiles> files,
                                         RunOptions options);

  // Those that an earlier process left: running, or ended meanwhile. What has neither a keeper nor an end is
  // removed.
  std::vector<KeptRun> found();
  boost::asio::awaitable<RunOutcome> rejoin(KeptRun run, RunCancellation cancellation);

  // Its end is on record: what is kept of it goes.
  void forget(const std::string& run_id);

  // Nobody waits here any more; they go on.
  void leave_all();

 private:
  class Keeper;
  struct Started;
  boost::asio::awaitable<RunOutcome> until_end(std::shared_ptr<Keeper> keeper, RunCancellation cancellation,
                                               KeptRun run);
  void end_groups_of(const std::string& run_id);

  boost::asio::any_io_executor executor_;
  Settings settings_;
  RunRoster& roster_;
  std::set<Wakeup*> waiting_;
  bool left_ = false;
};

}  // namespace hostclaw::node_host
