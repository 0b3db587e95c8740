// SPDX-License-Identifier: Apache-2.0
#include "node-host/questions/answer_watch.h"

#include <optional>

#include "approvals/questions/questions.h"
#include "base/clock.h"

namespace hostclaw::node_host {
namespace {

struct LookResult {
  std::int64_t changes = 0;
  std::optional<std::set<std::string>> open;  // absent: nothing changed since
};

// A counter of the database tells whether another process wrote anything; only then are questions read.
Result<LookResult> look_at_questions(approvals::Store& store, bool read_anyway, std::int64_t seen) {
  const auto changes = store.foreign_change_count();
  if (!changes) return changes.error();
  LookResult result{*changes, std::nullopt};
  if (!read_anyway && *changes == seen) return result;
  const auto ids = approvals::Questions(store).pending_ids();
  if (!ids) return ids.error();
  result.open = std::set<std::string>(ids->begin(), ids->end());
  return result;
}

}  // namespace

std::uint64_t AnswerWatch::join() {
  stale_ = true;
  return looks_begun_;
}

boost::asio::awaitable<bool> AnswerWatch::settled(const std::string& question_id, std::uint64_t joined) {
  const auto now = std::chrono::steady_clock::now();
  if (!looking_ && now >= next_look_) {
    looking_ = true;
    next_look_ = now + kEvery;
    const std::uint64_t number = ++looks_begun_;
    const bool read_anyway = stale_ || failed_;
    stale_ = false;
    const std::int64_t seen = seen_changes_;
    auto looked = co_await store_.on_store(
        [read_anyway, seen](approvals::Store& store) { return look_at_questions(store, read_anyway, seen); });
    looking_ = false;
    looks_done_ = number;
    failed_ = !looked;
    if (looked) {
      seen_changes_ = looked->changes;
      if (looked->open) open_ = std::move(*looked->open);
    }
  }
  co_return looks_done_ > joined && (failed_ || !open_.contains(question_id));
}

}  // namespace hostclaw::node_host
