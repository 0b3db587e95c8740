// SPDX-License-Identifier: Apache-2.0
// The gateway's methods beside `system.run`: prepare a plan, find programs, read and replace the approvals
// document. None of them runs anything; refusals at `prepare` are recorded, because a gateway ends them
// there. Thread rule: the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "base/clock.h"
#include "base/json.h"
#include "gateway-proto/messages.h"
#include "node-host/corridor/origin.h"
#include "node-host/corridor/store_side.h"
#include "node-host/doors/gateway/gateway_policy.h"
#include "node-host/doors/gateway/prepared_plans.h"

namespace hostclaw::node_host {

class GatewayMethods {
 public:
  // Requires: all outlive this object.
  GatewayMethods(StoreThread& store, StoreOwned<StoreSide>& side, PreparedPlans& plans, const Clock& clock)
      : store_(store), side_(side), plans_(plans), clock_(clock) {}

  // system.run.prepare. `origin` without agent and session: they are in the params.
  boost::asio::awaitable<gateway_proto::InvokeResult> prepare(Json params, Origin origin, bool older_peer);
  // system.which
  boost::asio::awaitable<gateway_proto::InvokeResult> which(Json params);
  // A tool that this node publishes (runs_tool.h).
  boost::asio::awaitable<gateway_proto::InvokeResult> call_tool(Json params, std::string session_key,
                                                                std::string live_output);
  // system.execApprovals.get / .set. Exec contract 5.6. Gateways before 2026.8.2 refuse an answer that holds
  // resolvedDefaults.
  boost::asio::awaitable<gateway_proto::InvokeResult> get_approvals(Json params, bool with_resolved_defaults);
  boost::asio::awaitable<gateway_proto::InvokeResult> set_approvals(OrderedJson params, Origin origin,
                                                                    bool with_resolved_defaults);

 private:
  struct Prepared;
  static Prepared prepare_on_store(StoreSide& side, approvals::Store& store, const Json& params,
                                   const Origin& origin, bool older_peer, const Clock& clock);

  StoreThread& store_;
  StoreOwned<StoreSide>& side_;
  PreparedPlans& plans_;
  GatewayPolicies gateway_policies_;
  const Clock& clock_;
};

}  // namespace hostclaw::node_host
