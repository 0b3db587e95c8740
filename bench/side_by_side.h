// SPDX-License-Identifier: Apache-2.0
// Figures beside what they are compared with, taken in turns, so that a busy moment meets all of them; and a
// line of JSON for each: {"name", "unit", "figure", "beside", "ratio", "target", "result"}.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "bench/figures.h"
#include "bench/programs.h"

namespace hostclaw::bench {

using Timed = std::function<Clock::duration()>;
template <class Work>
Timed timed(Work work) {
  return [work] {
    const auto begin = Clock::now();
    work();
    return Clock::now() - begin;
  };
}

// The times of each. Rounds below 0 warm up.
inline std::vector<Figures> times_in_turns(int rounds, const std::vector<Timed>& all) {
  std::vector<Figures> figures(all.size());
  for (int round = -rounds / 10; round < rounds; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (stopped != 0) throw Trouble("stopped");
      const auto time = all[i]();
      if (round >= 0) figures[i].add(time);
    }
  }
  return figures;
}

// The p50 of each in microseconds.
inline std::vector<double> take_turns(int rounds, const std::vector<Timed>& all) {
  std::vector<double> medians;
  for (Figures& one : times_in_turns(rounds, all)) medians.push_back(one.p50_us());
  return medians;
}

enum class Judged {
  kFigureAtMost,
  kMoreAtMost,  // figure - beside
  kRatioAtMost,
  kRatioAtLeast,
  kTold,  // without a target
};
// `beside` 0: there is nothing beside it.
inline void report(const char* name, const char* unit, double figure, double beside, Judged judged,
                   double limit = 0) {
  const double ratio = beside != 0 ? figure / beside : 0;
  const bool of_ratio = judged == Judged::kRatioAtMost || judged == Judged::kRatioAtLeast;
  const double value = of_ratio ? ratio : judged == Judged::kMoreAtMost ? figure - beside : figure;
  const bool met = judged == Judged::kRatioAtLeast ? value >= limit : value <= limit;
  char besides[96] = "null, \"ratio\": null";
  if (beside != 0) std::snprintf(besides, sizeof besides, "%.1f, \"ratio\": %.2f", beside, ratio);
  std::printf(R"({"name": "%s", "unit": "%s", "figure": %.1f, "beside": %s)", name, unit, figure, besides);
  if (judged == Judged::kTold) {
    std::printf(", \"target\": null, \"result\": \"told\"}\n");
  } else {
    const std::string of = of_ratio ? "ratio" : judged == Judged::kMoreAtMost ? "figure - beside" : unit;
    std::printf(", \"target\": \"%s %s %g\", \"result\": \"%s\"}\n", of.c_str(),
                judged == Judged::kRatioAtLeast ? ">=" : "<=", limit, met ? "met" : "not met");
  }
  std::fflush(stdout);
}

}  // namespace hostclaw::bench
