// SPDX-License-Identifier: Apache-2.0
// One look at the store for everybody who waits for the answer to a question. Answers are written by other
// processes, so somebody has to look; a hundred who wait cost as much as one.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <set>
#include <string>

#include "node-host/loop/store_thread.h"

namespace hostclaw::node_host {

class AnswerWatch {
 public:
  // How often it is looked, while somebody waits; also how often a waiter may call settled().
  static constexpr std::chrono::milliseconds kEvery{150};

  // Requires: `store` outlives this object.
  explicit AnswerWatch(StoreThread& store) : store_(store) {}

  // Before the first settled() for a question that was just stored; looks that began earlier do not know it.
  std::uint64_t join();

  // Whether the question is no longer open, or the store cannot tell. Looks at the store when that is due
  // and nobody else does. `joined` is what join() answered.
  boost::asio::awaitable<bool> settled(const std::string& question_id, std::uint64_t joined);

  std::uint64_t looks() const { return looks_begun_; }

 private:
  StoreThread& store_;
  std::uint64_t looks_begun_ = 0;
  std::uint64_t looks_done_ = 0;
  bool looking_ = false;
  bool stale_ = true;    // there are questions that the last look cannot know
  bool failed_ = false;  // the last look
  std::chrono::steady_clock::time_point next_look_{};
  std::int64_t seen_changes_ = 0;
  std::set<std::string> open_;
};

}  // namespace hostclaw::node_host
