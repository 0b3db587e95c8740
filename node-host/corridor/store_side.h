// SPDX-License-Identifier: Apache-2.0
// Everything of the corridor that belongs to the store's thread, in one object of that thread: it is reached
// through StoreOwned only.
#pragma once

#include <string>
#include <utility>

#include "node-host/corridor/desk.h"
#include "node-host/corridor/journal.h"
#include "node-host/corridor/judge.h"
#include "node-host/corridor/policy_in_force.h"
#include "node-host/loop/store_thread.h"

namespace hostclaw::node_host {

struct StoreSide {
  StoreSide(HostFacts host, std::string hash_key, const Clock& clock)
      : policy(std::move(host), clock), desk(clock), judge(policy, desk, std::move(hash_key), clock) {}
  StoreSide(const StoreSide&) = delete;
  StoreSide& operator=(const StoreSide&) = delete;

  PolicyInForce policy;
  Desk desk;
  Judge judge;
  Journal journal;
};

}  // namespace hostclaw::node_host
