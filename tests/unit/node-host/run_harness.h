// SPDX-License-Identifier: Apache-2.0
// Runs plans on an executor, on any system.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node-host/run/run_executor.h"

namespace hostclaw::node_host {

using policy::Connector;
using policy::ExecutionPlan;
using policy::PlannedCommand;
using policy::PlannedPipeline;
using namespace std::chrono_literals;

PlannedCommand command(std::string executable, std::vector<std::string> argv);
PlannedPipeline pipeline(std::vector<PlannedCommand> commands, Connector connector = Connector::kFirst);
// With the environment and directory that tests of this system use: run_support.cc, windows_plan.cc.
ExecutionPlan plan(std::vector<PlannedPipeline> pipelines);
ExecutionPlan plan(PlannedCommand only);

// A run that was started and may not be finished.
struct Running {
  RunCancellation cancellation;
  std::optional<RunOutcome> outcome;
};

class Harness {
 public:
  explicit Harness(RunExecutor::Settings settings = {});
  ~Harness();

  RunOutcome run(ExecutionPlan plan, RunOptions options = {}, std::shared_ptr<OpenedFiles> files = nullptr);
  RunOutcome run(PlannedCommand only, RunOptions options = {}) { return run(plan(std::move(only)), options); }

  std::shared_ptr<Running> start(ExecutionPlan plan, RunOptions options = {},
                                 std::shared_ptr<OpenedFiles> files = nullptr);
  RunOutcome& finish(const std::shared_ptr<Running>& running);
  // Handles events until `done` holds; fails the test after 20 seconds.
  void wait_until(const std::function<bool()>& done);
  void shutdown();

  boost::asio::io_context context;
  RunExecutor executor;
};

RunOptions with_timeout(std::chrono::milliseconds timeout);

}  // namespace hostclaw::node_host
