// SPDX-License-Identifier: Apache-2.0
// A relay's database in a private directory, with a clock that a test moves.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "approvals/platform/private_files.h"
#include "clawlink/store/agents.h"
#include "clawlink/store/housekeeping.h"
#include "clawlink/store/queue.h"
#include "clawlink/store/schema.h"
#include "clawlink/store/tasks.h"
#include "tests/support/fake_clock.h"

namespace hostclaw::clawlink::testing {

template <class T>
T must(Result<T> result) {
  if (!result) FAIL(result.error().code << ": " << result.error().message);
  return std::move(*result);
}
inline void must(const Result<void>& result) {
  if (!result) FAIL(result.error().code << ": " << result.error().message);
}
template <class T>
std::string code_of(const Result<T>& result) {
  return result ? std::string("ok") : result.error().code;
}

class RelayDatabase {
 public:
  RelayDatabase() : directory_(must(approvals::make_private_temporary_directory())) { open(); }
  ~RelayDatabase() {
    database_.reset();
    approvals::remove_directory_tree(directory_);
  }
  RelayDatabase(const RelayDatabase&) = delete;
  RelayDatabase& operator=(const RelayDatabase&) = delete;

  void open() {
    database_.reset();
    database_ = must(open_relay_database(directory_));
  }
  const std::string& directory() const { return directory_; }
  approvals::Database& database() { return *database_; }
  std::unique_ptr<approvals::Database> release() { return std::move(database_); }

  // Runs `body(session)` in a transaction, as the writer does.
  template <class Body>
  auto in(Body body) {
    StoreSession session{*database_, limits, clock.unix_ms()};
    auto outcome = database_->transaction([&] { return body(session); });
    if (outcome) effects = std::move(session.effects);
    return outcome;
  }

  void join(const std::string& id) {
    Agent agent;
    agent.agent_id = agent.name = id;
    must(in([&](StoreSession& session) { return put_agent(session, agent); }));
  }
  Task delegate(const std::string& from, const std::string& to, const std::string& text,
                const std::string& priority = "normal") {
    NewTask wanted;
    wanted.from_agent = from;
    wanted.to_agent = to;
    wanted.text = text;
    wanted.priority = priority;
    return must(in([&](StoreSession& session) { return create_task(session, wanted); }));
  }
  std::vector<Leased> lease(const std::string& agent, std::size_t most = 100,
                            std::int64_t lease_ms = 10'000) {
    LeaseWish wish;
    wish.agent = agent;
    wish.most = most;
    wish.lease_ms = lease_ms;
    return must(in([&](StoreSession& session) { return lease_messages(session, wish); }));
  }
  Task task(const std::string& id) {
    auto found = must(in([&](StoreSession& session) { return find_task(session, id); }));
    REQUIRE(found);
    return *found;
  }
  // Housekeeping at the moment that the clock shows.
  void keep() {
    removed = must(in([&](StoreSession& session) { return keep_house(session, house); }));
  }
  void later(std::int64_t ms) {
    clock.advance(std::chrono::milliseconds(ms));
    keep();
  }

  RelayLimits limits;
  test::FakeClock clock;
  Effects effects;  // of the last work
  House house;
  Removed removed;  // by the last housekeeping

 private:
  std::string directory_;
  std::unique_ptr<approvals::Database> database_;
};

inline Json body_of(const Leased& message) { return Json::parse(message.body); }

}  // namespace hostclaw::clawlink::testing
