// SPDX-License-Identifier: Apache-2.0
// Plans that this node has answered to a gateway, by what binds them, and what its next look at the approvals
// document may show. A plan that comes back is judged again; what is remembered only stands in for what a
// gateway drops on the way (2026.4.20 drops the policy snapshot).
// Thread rule: the io_context thread.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "policy/decide/engine.h"

namespace hostclaw::node_host {

class PreparedPlans {
 public:
  struct Marker {
    std::string agent;
    policy::GrantToStore entry;
    // By which the command was allowed: another one may not allow it.
    std::shared_ptr<const policy::PolicyDocument> document;
    std::chrono::steady_clock::time_point expires;
  };

  // Keeps what was prepared under `document`, for as long as OpenClaw keeps an approval.
  void remember(const policy::PrepareEvaluation& prepared,
                const std::shared_ptr<const policy::PolicyDocument>& document);

  // What is remembered of the plan in the params of a `system.run`; null: nothing.
  std::shared_ptr<const policy::RememberedPlan> find(const Json& params);

  // Those that may be shown now.
  std::vector<Marker> markers();
  // Everything that was shown lately: what a client writes back of it is not its owner's wish.
  std::vector<policy::GrantToStore> shown_lately();

 private:
  struct Plan {
    std::shared_ptr<const policy::RememberedPlan> remembered;
    std::chrono::steady_clock::time_point expires;
  };
  void forget_expired();
  void drop_oldest();

  std::unordered_map<std::string, Plan> plans_;
  std::vector<Marker> markers_;
  struct Shown {
    policy::GrantToStore entry;
    std::chrono::steady_clock::time_point until;
  };
  std::deque<Shown> shown_;  // oldest first
};

}  // namespace hostclaw::node_host
