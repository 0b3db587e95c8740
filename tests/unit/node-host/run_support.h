// Runs plans on an executor and waits for what children report.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <optional>
#include <string>
#include <vector>

#include "node-host/run_executor.h"
#include "test_support.h"

namespace hostclaw::node_host {

using policy::Builtin;
using policy::Connector;
using policy::ExecutionPlan;
using policy::PlannedCommand;
using policy::PlannedPipeline;
using namespace std::chrono_literals;

PlannedCommand command(std::string executable, std::vector<std::string> argv);
PlannedCommand child(std::vector<std::string> arguments);  // of the test program
PlannedCommand shell(const std::string& text);             // /bin/sh -c text
PlannedCommand builtin(Builtin which, std::vector<std::string> argv);
PlannedCommand missing(const std::string& name);  // what PATH does not hold

PlannedPipeline pipeline(std::vector<PlannedCommand> commands, Connector connector = Connector::kFirst);
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

// A fifo in which children report a line, usually their pid.
class Reports {
 public:
  explicit Reports(Harness& harness);
  const std::string& path() const { return path_; }
  std::string next();
  std::int64_t next_pid() { return std::strtoll(next().c_str(), nullptr, 10); }

 private:
  Harness& harness_;
  TemporaryDirectory directory_;
  std::string path_;
  boost::asio::posix::stream_descriptor stream_;
  std::string buffered_;
};

RunOptions with_timeout(std::chrono::milliseconds timeout);

}  // namespace hostclaw::node_host
