// SPDX-License-Identifier: Apache-2.0
#include "run_support.h"

namespace hostclaw::node_host {

namespace asio = boost::asio;

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

ExecutionPlan plan(std::vector<PlannedPipeline> pipelines) {
  ExecutionPlan result;
  result.pipelines = std::move(pipelines);
  result.cwd = "/";
  result.environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/"}};
  return result;
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
