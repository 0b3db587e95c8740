// SPDX-License-Identifier: Apache-2.0
// The keeper of one run: a process of its own (kept_runs.h).
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <thread>

#include "node-host/run/kept_files.h"
#include "node-host/run/kept_order.h"
#include "node-host/run/kept_runs.h"
#include "node-host/run/run_session.h"
#include "node-host/system/process/process_start.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;

constexpr int kOrder = 0;
constexpr int kLock = 1;
constexpr int kNotAnOrder = 2;
constexpr std::size_t kLargestOrder = 67'108'864;
// A full disk may have room again before somebody misses the end.
constexpr int kTimesWritten = 600;
constexpr std::uint64_t kLookForStopEvery = 1'048'576;
constexpr std::uint64_t kLooksPerCount = 8;

std::string read_order() {
  std::string bytes;
  char block[65'536];
  for (;;) {
    const ssize_t count = ::read(kOrder, block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || bytes.size() > kLargestOrder) return bytes;
    bytes.append(block, static_cast<std::size_t>(count));
  }
}

// Of all kept runs below that directory together.
std::uint64_t kept_of_all(const std::string& directory) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& run : std::filesystem::directory_iterator(directory, error)) {
    for (const char* name : {"stdout", "stderr"}) {
      std::error_code missing;
      const auto size = std::filesystem::file_size(run.path() / name, missing);
      if (!missing) bytes += size;
    }
  }
  return bytes;
}

// The first bytes of a stream, as many as may be; what does not fit is left out whole.
class SpoolFile {
 public:
  SpoolFile(const std::string& path, const KeptOutput& output)
      : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)),
        left_(output.max_bytes),
        stop_file_(output.stop_file),
        all_(output.all),
        most_of_all_(output.max_bytes_of_all) {}

  void write(std::string_view bytes) {
    if (since_look_ >= kLookForStopEvery) {
      since_look_ = 0;
      if (!stop_file_.empty() && ::access(stop_file_.c_str(), F_OK) == 0) left_ = 0;
      // A daemon would say so; there may be none.
      if (left_ > 0 && ++looks_ % kLooksPerCount == 0 && !all_.empty() && kept_of_all(all_) >= most_of_all_)
        left_ = 0;
    }
    const auto fits = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_));
    if (fits == 0) return;
    left_ -= fits;
    since_look_ += fits;
    // What a full disk did not take leaves no gap.
    if (!write_all(file_.get(), bytes.substr(0, fits))) left_ = 0;
  }

 private:
  UniqueFd file_;
  std::uint64_t left_;
  std::uint64_t since_look_ = kLookForStopEvery;
  std::string stop_file_;
  std::string all_;
  std::uint64_t most_of_all_;
  std::uint64_t looks_ = 0;
};

bool write_end(const std::string& directory, const std::string& text) {
  const std::string path = directory + kKeptEndName;
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());
  const UniqueFd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  return file && write_all(file.get(), text) && ::fsync(file.get()) == 0 &&
         ::rename(fresh.c_str(), path.c_str()) == 0;
}

// What the decision looked at is what is there now; what is wrong otherwise.
std::string changed_file(const KeptOrder& order, OpenedFiles& files) {
  for (const auto& [path, state] : order.states) {
    if (files.state(path) == state) continue;
    return path == order.plan.cwd ? kDirectoryChanged : kExecutableChanged;
  }
  return {};
}

asio::awaitable<void> keep(RunExecutor& executor, KeptOrder order, RunCancellation cancellation) {
  auto files = std::make_shared<OpenedFiles>();
  RunOutcome outcome;
  outcome.launch_error = changed_file(order, *files);
  if (outcome.launch_error.empty()) {
    SpoolFile out(order.output.standard_output, order.output);
    SpoolFile err(order.output.standard_error, order.output);
    RunOptions options;
    options.timeout = order.timeout;
    options.limits = order.limits;
    options.cancellation = cancellation;
    options.mark = order.mark;
    options.rest_of_mark = order.rest_of_mark;
    options.row = [row = order.row] { return row; };
    options.on_output = [&](Stream stream, std::string_view bytes) {
      (stream == Stream::kStandardOutput ? out : err).write(bytes);
    };
    options.kill_grace = order.kill_grace;
    options.leaves_background = order.leaves_background;
    outcome = co_await executor.run(std::move(order.plan), std::move(files), std::move(options));
  }
  outcome.ended_at_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
  const std::string end = dump_json(json_of(outcome));
  for (int times = 0; times < kTimesWritten && !write_end(order.directory, end); ++times) {
    if (::access(order.directory.c_str(), F_OK) != 0) break;  // nobody will look there
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace

int keep_run() {
  auto order = order_from(read_order());
  if (!order) {
    std::fprintf(stderr, "error: %s: %s\n", order.error().code.c_str(), order.error().message.c_str());
    return kNotAnOrder;
  }
  ignore_broken_pipes();
  keep_memory_private();
  // Beside words of the run, variables: nobody reads them here a second time.
  if (const UniqueFd nothing = open_null_input()) ::dup2(nothing.get(), kOrder);
  // Nobody could end a keeper whose number is not known.
  if (!write_all(kLock, "{\"pid\":" + std::to_string(::getpid()) + "}\n")) return kNotAnOrder;
  asio::io_context io{1};
  RunExecutor::Settings settings;
  settings.give_up = order->give_up;
  settings.live_output = order->live_output;
  settings.shares_live_output = true;
  if (!order->control_groups.empty())
    settings.control_groups = std::make_shared<ControlGroups>(order->control_groups,
                                                              ControlGroups::prefix_of(order->output.run_id));
  RunExecutor executor(io.get_executor(), settings);
  RunCancellation cancellation;
  asio::signal_set asked(io, SIGTERM, SIGINT, SIGHUP);
  asked.async_wait([&cancellation](const boost::system::error_code& error, int) {
    if (!error) cancellation.cancel();
  });
  bool done = false;
  asio::co_spawn(io, keep(executor, std::move(*order), cancellation), [&](const std::exception_ptr& failed) {
    done = !failed;
    io.stop();
  });
  io.run();
  return done ? 0 : 1;
}

}  // namespace hostclaw::node_host
