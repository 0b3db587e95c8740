// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/writer.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

namespace hostclaw::clawlink {
namespace {

// More would make the first of them wait for long.
constexpr std::size_t kMostInOneCommit = 512;
constexpr std::int64_t kNoStampsFor = 30 * kSecond;

}  // namespace

CommitWriter::CommitWriter(std::unique_ptr<approvals::Database> database, RelayLimits limits,
                           const Clock& clock, OnCommit on_commit)
    : database_(std::move(database)),
      limits_(limits),
      clock_(clock),
      on_commit_(std::move(on_commit)),
      thread_([this] { work_on(); }) {}

CommitWriter::~CommitWriter() {
  {
    const std::lock_guard hold(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void CommitWriter::run(Work work, std::function<void(Reply)> done) {
  {
    const std::lock_guard hold(mutex_);
    waiting_.push_back({std::move(work), std::move(done)});
  }
  wake_.notify_one();
}

void CommitWriter::work_on() {
  for (;;) {
    std::vector<Job> jobs;
    {
      std::unique_lock hold(mutex_);
      wake_.wait(hold, [this] { return ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      const auto taken = std::min(waiting_.size(), kMostInOneCommit);
      jobs.assign(std::make_move_iterator(waiting_.begin()),
                  std::make_move_iterator(waiting_.begin() + static_cast<std::ptrdiff_t>(taken)));
      waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken));
    }
    commit(std::move(jobs));
  }
}

Reply CommitWriter::do_one(const Work& work, StoreSession& session) {
  Reply reply;
  const Result<void> kept = database_->transaction([&]() -> Result<void> {
    try {
      reply = work(session);
    } catch (const std::exception& thrown) {
      // Of JSON alone: a peer's body with a member of a type that was not looked at.
      reply = error_reply(400, std::string("the request cannot be read: ") + thrown.what(), "BAD_REQUEST");
    }
    if (!reply.commits) return make_error("UNDONE", "");
    return {};
  });
  if (!kept && reply.commits) return error_reply(kept.error());
  return reply;
}

void CommitWriter::commit(std::vector<Job> jobs) {
  std::vector<Reply> replies(jobs.size());
  Effects effects;
  const Result<void> committed = database_->transaction([&]() -> Result<void> {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      StoreSession session{*database_, limits_, clock_.unix_ms()};
      session.stamps = session.now_ms >= stamps_again_ms_;
      replies[i] = do_one(jobs[i].work, session);
      if (replies[i].commits) effects.add(std::move(session.effects));
    }
    return {};
  });
  if (!committed) {
    effects = {};
    stamps_again_ms_ = clock_.unix_ms() + kNoStampsFor;
    for (Reply& reply : replies) {
      // Whoever was refused is refused all the same.
      if (reply.commits) reply = error_reply(committed.error());
    }
  }
  std::vector<std::function<void()>> answers;
  answers.reserve(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (!jobs[i].done) continue;
    answers.push_back([done = std::move(jobs[i].done), reply = std::move(replies[i])]() mutable {
      done(std::move(reply));
    });
  }
  on_commit_(std::move(answers), std::move(effects));
}

}  // namespace hostclaw::clawlink
