// SPDX-License-Identifier: Apache-2.0
// Detached commands: runs of the corridor whose caller does not wait. They are kept
// (node-host/run/kept_runs.h) and survive the daemon where the system allows that. Each has a directory of
// its own below
// `<output_tmpdir>/jobs`: job.json (what it is and how it ended), stdout and stderr (the first bytes of each,
// up to job_max_spool_bytes; the rest is counted). Directories 0700, files 0600. Thread rule: the io_context
// thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hostlink/door/door_core.h"
#include "hostlink/proto/messages.h"

namespace hostclaw::hostlink {

class Jobs {
 public:
  explicit Jobs(DoorCore& core);
  ~Jobs();

  // Reads what an earlier daemon left; what neither went on nor was over then is lost. Errors: STORE_*.
  Result<void> open();

  // Judges and starts one; answers when it has begun, or why not.
  boost::asio::awaitable<std::string> detach(Caller caller, Request request, std::int64_t& row_id);
  // list, status, tail, cancel. A caller sees the jobs of its own token.
  boost::asio::awaitable<std::string> serve(const Caller& caller, const Request& request);

  std::size_t running() const;
  std::size_t running_of(const std::string& token) const;
  // Where runs can be kept, those that run go on, and the next daemon hears of their end. Elsewhere ends
  // them. Waits until nothing here waits for one. After the runner's shutdown.
  boost::asio::awaitable<void> finish();

 private:
  struct Job;
  std::shared_ptr<Job> find(const Caller& caller, const std::string& id) const;
  void take_up(const std::shared_ptr<Job>& job, std::shared_ptr<node_host::TakenUp> run);
  void end(Job& job, const node_host::RunOutcome* run);
  void count_spool(Job& job);
  std::uint64_t room_for(const std::string& token);
  void watch();
  boost::asio::awaitable<void> watch_spools();
  void forget_old();
  void forget(std::map<std::string, std::shared_ptr<Job>>::iterator job);

  DoorCore& core_;
  std::map<std::string, std::shared_ptr<Job>> jobs_;
  std::set<std::shared_ptr<Job>> starting_;          // judged, or a person is asked about them
  std::uint64_t spooled_ = 0;                        // bytes of output kept, of all jobs together
  std::map<std::string, std::uint64_t> spooled_of_;  // the same of each token's
  std::uint64_t next_ = 0;
  boost::asio::steady_timer spool_timer_;
  bool watching_ = false;
  std::size_t go_on_ = 0;  // when this ended
};

}  // namespace hostclaw::hostlink
