// SPDX-License-Identifier: Apache-2.0
// The relay's database on a thread of its own, with group commit: the thread takes all work that waits, does
// it in one transaction, commits once, and only then are the answers given. So an answer is never ahead of
// the disk, and many who wait share one flush of it.
//
// Each piece of work is a savepoint of that transaction: one that fails undoes itself alone. When the commit
// fails, everybody in it is told so.
//
// Thread rule: run() from any thread; `done` and `on_effects` are called on the thread of the database, and
// have to hand over quickly. The destructor finishes what was started. Cost: one flush of the disk for all
// that came during the one before.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "clawlink/model/reply.h"
#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

class CommitWriter {
 public:
  using Work = std::function<Reply(StoreSession& session)>;
  struct Job {
    Work work;
    std::function<void(Reply reply)> done;
  };
  // Finished jobs of one commit, and what they have changed.
  using OnCommit = std::function<void(std::vector<std::function<void()>> answers, Effects effects)>;

  // Requires: `clock` outlives this object; `on_commit` does not use it.
  CommitWriter(std::unique_ptr<approvals::Database> database, RelayLimits limits, const Clock& clock,
               OnCommit on_commit);
  ~CommitWriter();
  CommitWriter(const CommitWriter&) = delete;
  CommitWriter& operator=(const CommitWriter&) = delete;

  void run(Work work, std::function<void(Reply)> done);
  const RelayLimits& limits() const { return limits_; }

 private:
  void work_on();
  void commit(std::vector<Job> jobs);
  Reply do_one(const Work& work, StoreSession& session);

  const std::unique_ptr<approvals::Database> database_;
  const RelayLimits limits_;
  const Clock& clock_;
  const OnCommit on_commit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job> waiting_;
  std::int64_t stamps_again_ms_ = 0;  // of the thread of the database
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace hostclaw::clawlink
