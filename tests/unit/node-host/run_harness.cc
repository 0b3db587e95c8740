// SPDX-License-Identifier: Apache-2.0
#include "run_harness.h"

namespace hostclaw::node_host {

namespace asio = boost::asio;

PlannedCommand command(std::string executable, std::vector<std::string> argv) {
  PlannedCommand result;
  result.argv = std::move(argv);
  result.executable = std::move(executable);
  return result;
}

PlannedPipeline pipeline(std::vector<PlannedCommand> commands, Connector connector) {
  PlannedPipeline result;
  result.connector = connector;
  result.commands = std::move(commands);
  result.stderr_to_pipe.resize(result.commands.size());
  return result;
}

ExecutionPlan plan(PlannedCommand only) { return plan(std::vector{pipeline({std::move(only)})}); }

RunOptions with_timeout(std::chrono::milliseconds timeout) {
  RunOptions options;
  options.timeout = timeout;
  return options;
}

Harness::Harness(RunExecutor::Settings settings) : executor(context.get_executor(), settings) {}

Harness::~Harness() {
  try {
    shutdown();
  } catch (...) {  // the test has failed already
  }
}

std::shared_ptr<Running> Harness::start(ExecutionPlan plan, RunOptions options,
                                        std::shared_ptr<OpenedFiles> files) {
  auto running = std::make_shared<Running>();
  running->cancellation = options.cancellation;
  asio::co_spawn(context, executor.run(std::move(plan), std::move(files), std::move(options)),
                 [running](const std::exception_ptr& error, RunOutcome outcome) {
                   if (!error) running->outcome = std::move(outcome);
                 });
  return running;
}

void Harness::wait_until(const std::function<bool()>& done) {
  const auto give_up = std::chrono::steady_clock::now() + 20s;
  while (!done()) {
    context.restart();
    if (context.run_one_until(give_up) == 0) FAIL("nothing more happens");
  }
}

RunOutcome& Harness::finish(const std::shared_ptr<Running>& running) {
  wait_until([&] { return running->outcome.has_value(); });
  return *running->outcome;
}

RunOutcome Harness::run(ExecutionPlan plan, RunOptions options, std::shared_ptr<OpenedFiles> files) {
  return finish(start(std::move(plan), std::move(options), std::move(files)));
}

void Harness::shutdown() {
  bool done = false;
  asio::co_spawn(context, executor.shutdown(), [&done](const std::exception_ptr&) { done = true; });
  wait_until([&] { return done; });
}

}  // namespace hostclaw::node_host
