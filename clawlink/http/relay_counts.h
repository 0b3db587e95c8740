// SPDX-License-Identifier: Apache-2.0
// What the thread of the network knows about itself, for GET /metrics. Shared by those who count: at the end
// of the loop they may go after everything else. Thread rule: the thread of the network.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

namespace hostclaw::clawlink {

struct RelayCounts {
  // At the moment.
  std::int64_t connections = 0;
  std::int64_t waiting_polls = 0;     // GET /poll and /tasks with ?wait=
  std::int64_t waiting_messages = 0;  // SendMessage until its answer
  std::int64_t event_streams = 0;
  std::int64_t sockets = 0;
  std::int64_t a2a_streams = 0;
  std::int64_t pushing = 0;

  // Since the start.
  std::int64_t pushed = 0;
  std::int64_t push_failures = 0;  // tries
  std::int64_t pushes_given_up = 0;
  std::map<int, std::int64_t> refused;  // by status, as many as this relay answers

  void answered(int status) {
    if (status >= 400) ++refused[status];
  }
};

// One of those at the moment, for as long as it lives.
class Counted {
 public:
  Counted(std::shared_ptr<RelayCounts> counts, std::int64_t RelayCounts::*which)
      : counts_(std::move(counts)), which_(which) {
    ++((*counts_).*which_);
  }
  ~Counted() { --((*counts_).*which_); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  const std::shared_ptr<RelayCounts> counts_;
  std::int64_t RelayCounts::*const which_;
};

}  // namespace hostclaw::clawlink
