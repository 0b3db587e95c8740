// SPDX-License-Identifier: Apache-2.0
#include "clawlink/http/service.h"

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>

#include "clawlink/store/housekeeping.h"
#include "clawlink/store/queue.h"

namespace hostclaw::clawlink {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kForgetRefusalsAfter{60};
constexpr std::chrono::milliseconds kFirstBrake{100};
constexpr int kMostDoublings = 5;  // 3.2 s
constexpr std::size_t kMostRefusedPeers = 4096;

Reply ending() { return error_reply(503, "the relay is ending", "ENDING"); }

struct Pending {
  Reply reply;
  bool done = false;
  std::function<void()> resume;
};

}  // namespace

RelayService::RelayService(asio::any_io_executor executor, std::unique_ptr<approvals::Database> database,
                           ServiceConfig config, const Clock& clock)
    : executor_(std::move(executor)),
      config_(std::move(config)),
      clock_(clock),
      push_bell_(std::make_shared<Bell>(executor_)),
      house_(executor_) {
  writer_ = std::make_unique<CommitWriter>(
      std::move(database), config_.limits, clock_,
      [this](std::vector<std::function<void()>> answers, Effects effects) {
        asio::post(executor_, [this, answers = std::move(answers), effects = std::move(effects)]() mutable {
          committed(std::move(answers), std::move(effects));
        });
      });
  start([](StoreSession& session) {
    const Result<void> freed = free_connection_leases(session);
    return freed ? Reply() : error_reply(freed.error());
  });
}

RelayService::~RelayService() { stop(); }

void RelayService::stop() {
  stopped_ = true;
  house_.ring();
  push_bell_->ring();
  writer_.reset();
}

void RelayService::committed(std::vector<std::function<void()>> answers, Effects effects) {
  for (const auto& done : answers) done();
  for (const std::string& agent : effects.agents) hub_->ring(Hub::of_agent(agent));
  for (const std::string& task : effects.tasks) hub_->ring(Hub::of_task(task));
  for (const Effects::Joined& joined : effects.joined) hub_->announce(joined.agent_id, joined.frame);
  if (effects.pushes) push_bell_->ring();
  if (effects.look_at_ms == 0 || (look_at_ms_ != 0 && effects.look_at_ms >= look_at_ms_)) return;
  look_at_ms_ = effects.look_at_ms;
  house_.ring();
}

asio::awaitable<Reply> RelayService::run(CommitWriter::Work work) {
  if (!writer_) co_return ending();
  const auto pending = std::make_shared<Pending>();
  writer_->run(std::move(work), [pending](Reply reply) {
    pending->reply = std::move(reply);
    pending->done = true;
    if (pending->resume) std::exchange(pending->resume, nullptr)();
  });
  // The answer comes by the loop, so not before this coroutine waits.
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [&pending](auto handler) {
        const auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
        pending->resume = [waiting] { std::move (*waiting)(); };
      },
      asio::use_awaitable);
  co_return std::move(pending->reply);
}

void RelayService::start(CommitWriter::Work work) {
  if (writer_) writer_->run(std::move(work), {});
}

asio::awaitable<void> RelayService::keep_house() {
  // Of the work as well, which is finished even when nobody waits for it any more.
  const auto house = std::make_shared<House>();
  const auto removed = std::make_shared<Removed>();
  while (!stopped_) {
    look_at_ms_ = 0;
    if (config_.look_at_clock) house->clock = config_.look_at_clock();
    CommitWriter::Work work = [house, removed](StoreSession& session) {
      const Result<Removed> kept = clawlink::keep_house(session, *house);
      *removed = kept ? *kept : Removed();
      return kept ? Reply() : error_reply(kept.error());
    };
    const Reply reply = co_await run(std::move(work));
    if (reply.status != 200) log("housekeeping failed: " + reply.body);
    if (reply.status == 200) tell(*removed);
    // Rung for an earlier moment, it is only slept anew.
    for (;;) {
      const std::int64_t wait_ms =
          (look_at_ms_ != 0 ? look_at_ms_ : clock_.unix_ms() + kSecond) - clock_.unix_ms();
      if (stopped_) break;
      const auto until =
          std::chrono::steady_clock::now() + std::chrono::milliseconds(std::max<std::int64_t>(wait_ms, 1));
      const bool rung = co_await house_.wait_until(until);
      if (!rung) break;
    }
  }
}

void RelayService::tell(const Removed& removed) {
  if (removed.anything())
    log("retention removed tasks that had ended: " + std::to_string(removed.tasks) + ", dead letters: " +
        std::to_string(removed.dead_letters) + ", rows of the record: " + std::to_string(removed.rows));
  const bool ahead = removed.clock_ahead_ms != 0;
  if (ahead && !told_of_clock_)
    log("the clock is " + std::to_string(removed.clock_ahead_ms / kHour) +
        " h ahead of what the machine's uptime tells; nothing is removed for its age before it has held for "
        "a "
        "day");
  told_of_clock_ = ahead;
}

std::chrono::milliseconds RelayService::refused(const std::string& peer) {
  const auto now = std::chrono::steady_clock::now();
  if (refusals_.size() >= kMostRefusedPeers)
    std::erase_if(refusals_,
                  [&](const auto& entry) { return now - entry.second.last > kForgetRefusalsAfter; });
  if (refusals_.size() >= kMostRefusedPeers) refusals_.clear();
  Refusals& refusals = refusals_[peer];
  if (now - refusals.last > kForgetRefusalsAfter) refusals.count = 0;
  refusals.last = now;
  return kFirstBrake * (1 << std::min(refusals.count++, kMostDoublings));
}

}  // namespace hostclaw::clawlink
