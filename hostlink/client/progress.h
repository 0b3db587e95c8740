// SPDX-License-Identifier: Apache-2.0
// How far a transfer is, on one line of a terminal; nowhere else, and only for what takes a while.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "hostlink/client/session.h"

namespace hostclaw::hostlink {

class Progress {
 public:
  Progress(const Session& session, std::string name, std::uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void at(std::uint64_t bytes);

 private:
  using Clock = std::chrono::steady_clock;
  bool shown_;
  bool has_line_ = false;
  std::string name_;
  std::uint64_t total_;
  Clock::time_point begun_ = Clock::now();
  Clock::time_point last_ = begun_;
};

}  // namespace hostclaw::hostlink
