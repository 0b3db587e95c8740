// SPDX-License-Identifier: Apache-2.0
// What every connection of the relay uses: the database behind its writer, the hub of who waits,
// housekeeping, and the brake for whoever guesses tokens. Thread rule: the thread of the network, on which
// `executor` runs.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "approvals/store/retention_clock.h"
#include "clawlink/http/relay_counts.h"
#include "clawlink/http/request.h"
#include "clawlink/http/routes.h"
#include "clawlink/http/waiting.h"
#include "clawlink/store/retention.h"
#include "clawlink/store/writer.h"

namespace hostclaw::clawlink {

struct ServiceConfig {
  RouteConfig routes;
  RelayLimits limits;
  bool is_loopback = true;  // the listener is reached from this machine alone
  bool uses_tls = false;
  std::string public_url;  // what cards say; empty: as the caller reached it, on loopback alone
  std::function<void(const std::string& line)> log = {};
  // For retention, by which a clock that jumps makes nothing old; empty: the clock is believed.
  std::function<approvals::ClockLook()> look_at_clock = {};
};

class RelayService {
 public:
  // Requires: `clock` outlives this object.
  RelayService(boost::asio::any_io_executor executor, std::unique_ptr<approvals::Database> database,
               ServiceConfig config, const Clock& clock);
  ~RelayService();
  RelayService(const RelayService&) = delete;
  RelayService& operator=(const RelayService&) = delete;
  bool stopped() const { return stopped_; }

  // Does `work` in a transaction that many share; answers once it is on the disk.
  boost::asio::awaitable<Reply> run(CommitWriter::Work work);
  // The same for what nobody waits for.
  void start(CommitWriter::Work work);

  // Runs until stop(): leases, deadlines, expiry. Call it once.
  boost::asio::awaitable<void> keep_house();
  // No new work is taken; what was started is finished and committed. Blocks for that.
  void stop();

  const std::shared_ptr<Hub>& hub() { return hub_; }
  const std::shared_ptr<RelayCounts>& counts() const { return counts_; }
  // Rung when push notifications are due, and at the end.
  const std::shared_ptr<Bell>& push_bell() const { return push_bell_; }
  const ServiceConfig& config() const { return config_; }
  const Clock& clock() const { return clock_; }
  boost::asio::any_io_executor executor() const { return executor_; }
  void log(const std::string& line) const {
    if (config_.log) config_.log(line);
  }

  // How long an address that was refused has to wait for the answer; grows with each refusal.
  std::chrono::milliseconds refused(const std::string& peer);

 private:
  void committed(std::vector<std::function<void()>> answers, Effects effects);
  void tell(const Removed& removed);

  boost::asio::any_io_executor executor_;
  const ServiceConfig config_;
  const Clock& clock_;
  const std::shared_ptr<Hub> hub_ = std::make_shared<Hub>();
  const std::shared_ptr<RelayCounts> counts_ = std::make_shared<RelayCounts>();
  const std::shared_ptr<Bell> push_bell_;
  Bell house_;
  std::int64_t look_at_ms_ = 0;
  bool told_of_clock_ = false;
  bool stopped_ = false;
  struct Refusals {
    int count = 0;
    std::chrono::steady_clock::time_point last;
  };
  std::map<std::string, Refusals> refusals_;
  std::unique_ptr<CommitWriter> writer_;
};

}  // namespace hostclaw::clawlink
