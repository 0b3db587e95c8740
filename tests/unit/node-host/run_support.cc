#include "run_support.h"

#include <boost/asio/detached.hpp>

namespace hostclaw::node_host {

namespace asio = boost::asio;

PlannedCommand command(std::string executable, std::vector<std::string> argv) {
  PlannedCommand result;
  result.argv = std::move(argv);
  result.executable = std::move(executable);
  return result;
}

PlannedCommand child(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), test_child());
  return command(test_child(), std::move(arguments));
}

PlannedCommand shell(const std::string& text) { return command("/bin/sh", {"sh", "-c", text}); }

PlannedCommand builtin(Builtin which, std::vector<std::string> argv) {
  PlannedCommand result;
  result.argv = std::move(argv);
  result.builtin = which;
  return result;
}

PlannedCommand missing(const std::string& name) { return command("", {name}); }

PlannedPipeline pipeline(std::vector<PlannedCommand> commands, Connector connector) {
  PlannedPipeline result;
  result.connector = connector;
  result.commands = std::move(commands);
  result.stderr_to_pipe.resize(result.commands.size());
  return result;
}

ExecutionPlan plan(std::vector<PlannedPipeline> pipelines) {
  ExecutionPlan result;
  result.pipelines = std::move(pipelines);
  result.cwd = "/";
  result.environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/"}};
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

Reports::Reports(Harness& harness) : harness_(harness), stream_(harness.context) {
  path_ = directory_ / "fifo";
  REQUIRE(::mkfifo(path_.c_str(), 0600) == 0);
  stream_.assign(::open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
}

std::string Reports::next() {
  for (;;) {
    const auto end = buffered_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffered_.substr(0, end);
      buffered_.erase(0, end + 1);
      return line;
    }
    bool readable = false;
    stream_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [&readable](const boost::system::error_code&) { readable = true; });
    harness_.wait_until([&] { return readable; });
    char buffer[256];
    const ssize_t count = ::read(stream_.native_handle(), buffer, sizeof buffer);
    if (count > 0) buffered_.append(buffer, static_cast<std::size_t>(count));
  }
}

}  // namespace hostclaw::node_host
