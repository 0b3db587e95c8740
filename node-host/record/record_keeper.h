// SPDX-License-Identifier: Apache-2.0
// What happens to the record beside its being written: retention, the limit of the database, and mirrors
// elsewhere.
//
// Both read over a connection of their own, on a thread that lives only while there is something to do, so
// that no decision waits for either; retention removes rows in small lots on the store's thread. Settings are
// looked at when this starts and within seconds of a change. Mirrors are sent each row at least once, in
// order: after a crash some are sent again.
//
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "approvals/audit/audit_settings.h"
#include "approvals/store/database_limit.h"
#include "node-host/loop/store_thread.h"
#include "node-host/record/record_mirrors.h"

namespace hostclaw::node_host {

class RecordKeeper {
 public:
  // Requires: `store` outlives this object; `state_directory` is where its database is.
  RecordKeeper(boost::asio::any_io_executor executor, StoreThread& store, std::string state_directory,
               approvals::AuditOptions audit);
  ~RecordKeeper();

  // Spawn it once.
  boost::asio::awaitable<void> run();
  // Sends what is written up to now to the mirrors, for a second or so at the most, and ends run().
  boost::asio::awaitable<void> finish();

 private:
  boost::asio::awaitable<void> take_settings();
  boost::asio::awaitable<bool> open_reader();
  boost::asio::awaitable<void> close_reader();
  boost::asio::awaitable<void> apply_retention();
  boost::asio::awaitable<std::int64_t> time_for_retention();
  boost::asio::awaitable<void> hold_limit();
  boost::asio::awaitable<std::int64_t> shrink(std::int64_t bytes_in_use);
  boost::asio::awaitable<void> mirror_new_rows();
  boost::asio::awaitable<void> keep_states(bool now);
  void tell(const Error& problem);

  StoreThread& store_;
  const std::string state_directory_;
  const approvals::AuditOptions audit_;
  boost::asio::steady_timer pause_;
  boost::asio::steady_timer ended_;
  approvals::AuditSettings settings_;
  bool settings_known_ = false;
  std::int64_t seen_changes_ = 0;
  std::int64_t epoch_ = 0;  // of the store
  bool store_is_usable_ = true;
  std::unique_ptr<StoreThread> reader_;
  std::unique_ptr<RecordMirrors> mirrors_;  // touched on the reader's thread, or while nothing runs there
  std::int64_t kept_position_ = -1;
  std::string kept_problems_;
  std::chrono::steady_clock::time_point states_kept_at_{};
  std::chrono::steady_clock::time_point retention_at_{};
  approvals::DatabaseLimit limit_;
  std::chrono::steady_clock::time_point size_at_{};        // looked at again
  std::chrono::steady_clock::time_point limit_told_at_{};  // said again
  bool at_limit_ = false;
  std::chrono::steady_clock::time_point last_moment_ = std::chrono::steady_clock::time_point::max();
  std::string told_;
  bool running_ = false;
  bool stopping_ = false;
};

}  // namespace hostclaw::node_host
