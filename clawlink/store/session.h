// SPDX-License-Identifier: Apache-2.0
// What one piece of work on the relay's database has in its hands: the database inside an open transaction,
// the moment, the limits; and what it leaves for the network's thread to do once it is committed.
//
// The functions of this folder take a StoreSession first. They belong to the thread of the database, run
// inside its transaction and answer errors; whoever gets one has to fail as well, so that the work is rolled
// back. Errors of all of them: STORE_*; what else is said where it is declared.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "approvals/database/sqlite.h"
#include "base/json.h"
#include "base/result.h"
#include "clawlink/model/limits.h"

namespace hostclaw::clawlink {

// Of committed work alone; what was rolled back has none.
struct Effects {
  std::set<std::string> agents;  // something waits for them
  std::set<std::string> tasks;   // they have a new event
  bool pushes = false;           // push notifications are due
  std::int64_t look_at_ms = 0;   // housekeeping has to look again by then; 0: no new moment
  struct Joined {
    std::string agent_id;
    std::string frame;  // for everybody else's sockets
  };
  std::vector<Joined> joined;

  void look_at(std::int64_t at_ms) {
    if (look_at_ms == 0 || at_ms < look_at_ms) look_at_ms = at_ms;
  }
  void add(Effects&& other) {
    agents.merge(other.agents);
    tasks.merge(other.tasks);
    pushes = pushes || other.pushes;
    if (other.look_at_ms != 0) look_at(other.look_at_ms);
    for (Joined& one : other.joined) joined.push_back(std::move(one));
  }
};

struct StoreSession {
  approvals::Database& database;
  const RelayLimits& limits;
  std::int64_t now_ms;
  Effects effects = {};
  // False: the disk has refused a commit a moment ago. When somebody was seen last is then not written, so
  // that what only reads goes on.
  bool stamps = true;

  // A row of the record. `kind` is written with "clawlink-" in front.
  Result<void> record(const char* kind, const Json& fields);
};

}  // namespace hostclaw::clawlink
