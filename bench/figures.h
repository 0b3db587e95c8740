// SPDX-License-Identifier: Apache-2.0
// Times of repeated runs as the JSON that the benches print.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace hostclaw::bench {

using Clock = std::chrono::steady_clock;

class Figures {
 public:
  void add(Clock::duration time) { times_.push_back(time); }

  double p50_us() {
    std::sort(times_.begin(), times_.end());
    return times_.empty() ? 0.0
                          : std::chrono::duration<double, std::micro>(times_[times_.size() / 2]).count();
  }

  // {"count": , "p50_us": , "p99_us": , "mean_us": , "per_second": }; `total` is the wall time of all
  // together.
  std::string json(Clock::duration total) {
    std::sort(times_.begin(), times_.end());
    const auto microseconds = [](Clock::duration time) {
      return std::chrono::duration<double, std::micro>(time).count();
    };
    const auto at = [&](double share) {
      const auto index = static_cast<std::size_t>(share * static_cast<double>(times_.size()));
      return times_.empty() ? 0.0 : microseconds(times_[std::min(index, times_.size() - 1)]);
    };
    double sum = 0;
    for (const auto time : times_) sum += microseconds(time);
    char text[256];
    std::snprintf(
        text, sizeof text,
        "{\"count\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"mean_us\": %.1f, \"per_second\": %.1f}",
        times_.size(), at(0.5), at(0.99), times_.empty() ? 0.0 : sum / static_cast<double>(times_.size()),
        static_cast<double>(times_.size()) / std::chrono::duration<double>(total).count());
    return text;
  }

 private:
  std::vector<Clock::duration> times_;
};

}  // namespace hostclaw::bench
