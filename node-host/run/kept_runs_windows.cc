// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/kept_runs.h"

namespace hostclaw::node_host {

namespace asio = boost::asio;

class KeptRuns::Keeper {};

bool runs_can_be_kept() { return false; }
int keep_run() { return 1; }

KeptRuns::KeptRuns(asio::any_io_executor executor, Settings settings, RunRoster& roster)
    : executor_(std::move(executor)), settings_(std::move(settings)), roster_(roster) {}
KeptRuns::~KeptRuns() = default;

asio::awaitable<RunOutcome> KeptRuns::run(policy::ExecutionPlan, std::shared_ptr<OpenedFiles>, RunOptions) {
  RunOutcome outcome;
  outcome.launch_error = "a run cannot be kept on this system";
  co_return outcome;
}

std::vector<KeptRun> KeptRuns::found() { return {}; }

asio::awaitable<RunOutcome> KeptRuns::rejoin(KeptRun, RunCancellation) {
  RunOutcome outcome;
  outcome.cancelled = true;
  co_return outcome;
}

void KeptRuns::forget(const std::string&) {}
void KeptRuns::leave_all() { left_ = true; }

}  // namespace hostclaw::node_host
