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

  double p50_us() { return at_us(0.5); }
  double p99_us() { return at_us(0.99); }

  // {"count": , "p50_us": , "p99_us": , "mean_us": , "per_second": }; `total` is the wall time of all
  // together.
  std::string json(Clock::duration total) {
    double sum = 0;
    for (const auto time : times_) sum += microseconds(time);
    char text[256];
    std::snprintf(
        text, sizeof text,
        "{\"count\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"mean_us\": %.1f, \"per_second\": %.1f}",
        times_.size(), at_us(0.5), at_us(0.99),
        times_.empty() ? 0.0 : sum / static_cast<double>(times_.size()),
        static_cast<double>(times_.size()) / std::chrono::duration<double>(total).count());
    return text;
  }

 private:
  static double microseconds(Clock::duration time) {
    return std::chrono::duration<double, std::micro>(time).count();
  }
  double at_us(double share) {
    if (times_.empty()) return 0;
    std::sort(times_.begin(), times_.end());
    const auto index = static_cast<std::size_t>(share * static_cast<double>(times_.size()));
    return microseconds(times_[std::min(index, times_.size() - 1)]);
  }

  std::vector<Clock::duration> times_;
};

}  // namespace hostclaw::bench
