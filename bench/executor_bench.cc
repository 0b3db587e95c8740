// SPDX-License-Identifier: Apache-2.0
// What the executor adds to the bare cost of starting a program (spawn_loop): judging the files, pipes,
// events, reaping, the look for orphans.
//
//   executor_bench [--count N]
//
// Prints {"sequential", "at_once", "one_mebibyte"}; compare with spawn_loop of the same minute.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <cstring>

#include "bench/figures.h"
#include "node-host/run/run_executor.h"
#include "node-host/system/host/host_facts.h"

namespace {

using namespace hostclaw;
using bench::Clock;
using bench::Figures;

policy::ExecutionPlan plan_of(std::vector<std::string> argv) {
  policy::PlannedCommand command;
  command.executable = argv.front();
  command.argv = std::move(argv);
  policy::PlannedPipeline pipeline;
  pipeline.commands.push_back(std::move(command));
  pipeline.stderr_to_pipe.push_back(false);
  policy::ExecutionPlan plan;
  plan.pipelines.push_back(std::move(pipeline));
  plan.cwd = "/";
  plan.environment = node_host::current_environment();
  return plan;
}

std::string measure(const std::vector<std::string>& argv, int count, int in_flight) {
  boost::asio::io_context context;
  node_host::RunExecutor executor(context.get_executor(), {});
  const auto plan = plan_of(argv);
  Figures figures;
  int started = 0;
  int finished = 0;
  std::function<void()> next = [&] {
    if (started++ >= count) return;
    const auto begin = Clock::now();
    auto files = std::make_shared<node_host::OpenedFiles>();
    auto judged = plan;
    auto& command = judged.pipelines.front().commands.front();
    command.identity = files->facts(command.executable).identity;
    boost::asio::co_spawn(context, executor.run(std::move(judged), std::move(files), {}),
                          [&, begin](const std::exception_ptr&, const node_host::RunOutcome& outcome) {
                            if (!outcome.success()) {
                              std::fprintf(stderr, "a run failed: %s\n", outcome.launch_error.c_str());
                              std::exit(1);
                            }
                            figures.add(Clock::now() - begin);
                            ++finished;
                            next();
                          });
  };
  const auto begin = Clock::now();
  for (int i = 0; i < in_flight; ++i) next();
  // Not run(): it would wait for the executor's next look for orphans.
  while (finished < count) context.run_one();
  return figures.json(Clock::now() - begin);
}

}  // namespace

int main(int argc, char** argv) {
  int count = 500;
  for (int i = 1; i + 1 < argc; i += 2)
    if (std::strcmp(argv[i], "--count") == 0) count = std::max(1, std::atoi(argv[i + 1]));
  const std::string sequential = measure({"/bin/true"}, count, 1);
  const std::string at_once = measure({"/bin/true"}, count, 16);
  const std::string large = measure({"/usr/bin/head", "-c", "1048576", "/dev/zero"}, count / 10 + 1, 1);
  std::printf("{\"sequential\": %s, \"at_once\": {\"in_flight\": 16, \"runs\": %s}, \"one_mebibyte\": %s}\n",
              sequential.c_str(), at_once.c_str(), large.c_str());
  return 0;
}
