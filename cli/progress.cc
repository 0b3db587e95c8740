// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>

#include "cli/this_system.h"
#include "cli/times.h"

namespace hostclaw::cli {
namespace {

constexpr std::chrono::milliseconds kSilentAtFirst{500};
constexpr std::chrono::milliseconds kWriteEvery{200};

void write_over(std::size_t before, const std::string& text) {
  std::string out = "\r" + text;
  if (before > text.size()) out.append(before - text.size(), ' ').append("\r" + text);
  std::fwrite(out.data(), 1, out.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

std::string progress_text(const std::string& what, const std::string& unit, std::int64_t done,
                          std::int64_t of, std::int64_t elapsed_ms) {
  std::string text = what + ": ";
  if (unit.empty()) return text + duration_text(elapsed_ms);
  text += std::to_string(done);
  if (of > 0) text += " of " + std::to_string(of);
  text += " " + unit;
  if (of > 0) text += " (" + std::to_string(100 * std::min(done, of) / of) + " %)";
  return text;
}

struct Progress::Line {
  Line(std::string its_what, std::string its_unit, std::int64_t its_of)
      : what(std::move(its_what)), unit(std::move(its_unit)), of(its_of), writer([this] { write(); }) {}
  ~Line() {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      over = true;
    }
    ended.notify_one();
    writer.join();
  }

  void write() {
    const auto began = std::chrono::steady_clock::now();
    std::size_t shown = 0;
    std::unique_lock<std::mutex> lock(mutex);
    auto pause = kSilentAtFirst;
    while (!ended.wait_for(lock, pause, [this] { return over; })) {
      pause = kWriteEvery;
      const auto elapsed =
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
      const std::string text = progress_text(what, unit, done, of, elapsed.count());
      write_over(shown, text);
      shown = text.size();
    }
    if (shown > 0) write_over(shown, "");
  }

  const std::string what;
  const std::string unit;
  const std::int64_t of;
  std::atomic<std::int64_t> done{0};
  std::mutex mutex;
  std::condition_variable ended;
  bool over = false;   // guarded by mutex
  std::thread writer;  // last: it uses the others
};

Progress::Progress(std::string what, std::string unit, std::int64_t of) {
  if (errors_go_to_terminal()) line_ = std::make_unique<Line>(std::move(what), std::move(unit), of);
}

Progress::~Progress() = default;

void Progress::reached(std::int64_t count) {
  if (line_) line_->done.store(count, std::memory_order_relaxed);
}

}  // namespace hostclaw::cli
