// SPDX-License-Identifier: Apache-2.0
#include "clawlink/discovery/avahi_thread.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>

namespace hostclaw::clawlink {
namespace {

constexpr std::chrono::milliseconds kMostStep{60'000};
constexpr std::chrono::seconds kStopGrace{2};

// What wakes the loop has been seen; whoever wrote it says more by `stopping`.
void drain_wake_pipe(AvahiWatch*, int pipe, AvahiWatchEvent, void*) {
  char bytes[16];
  while (::read(pipe, bytes, sizeof bytes) > 0) {
  }
}

}  // namespace

struct AvahiLoop::Shared {
  ~Shared() {
    for (const int end : wake)
      if (end >= 0) ::close(end);
  }
  std::atomic<bool> stopping{false};
  int wake[2] = {-1, -1};
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;  // guarded by mutex
};

AvahiLoop::AvahiLoop(const AvahiLibrary& library, AvahiSimplePoll* simple, Shared& shared)
    : library_(library), simple_(simple), shared_(shared) {
  const AvahiPoll* const api = poll();
  api->watch_new(api, shared_.wake[0], AVAHI_WATCH_IN, drain_wake_pipe, nullptr);
}

bool AvahiLoop::stopped() const { return shared_.stopping; }

bool AvahiLoop::step(AvahiClock::time_point end) {
  if (stopped()) return false;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - AvahiClock::now());
  const auto time = std::clamp(left, std::chrono::milliseconds(0), kMostStep);
  return library_.simple_poll_iterate(simple_, static_cast<int>(time.count())) == 0 && !stopped();
}

AvahiThread::AvahiThread(const AvahiLibrary& library, std::function<void(AvahiLoop&)> work)
    : shared_(std::make_shared<AvahiLoop::Shared>()) {
  if (::pipe2(shared_->wake, O_CLOEXEC | O_NONBLOCK) != 0) return;
  AvahiSimplePoll* const simple = library.simple_poll_new();
  if (simple == nullptr) return;
  try {
    thread_ = std::thread([shared = shared_, &library, simple, work = std::move(work)] {
      {
        AvahiLoop loop(library, simple, *shared);
        work(loop);
      }
      library.simple_poll_free(simple);
      const std::lock_guard lock(shared->mutex);
      shared->ended = true;
      shared->changed.notify_all();
    });
  } catch (const std::system_error&) {
    library.simple_poll_free(simple);
  }
}

AvahiThread::~AvahiThread() {
  shared_->stopping = true;
  if (!started()) return;
  // A full pipe wakes it just as well.
  [[maybe_unused]] const ssize_t written = ::write(shared_->wake[1], "", 1);
  if (wait(kStopGrace)) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

bool AvahiThread::wait(std::chrono::milliseconds at_most) {
  std::unique_lock lock(shared_->mutex);
  return shared_->changed.wait_for(lock, at_most, [this] { return shared_->ended; });
}

}  // namespace hostclaw::clawlink
