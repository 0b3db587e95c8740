// SPDX-License-Identifier: Apache-2.0
// What the gateway's own exec policy is, as far as its calls tell. `system.run.prepare` carries the caller's
// security and ask (exec contract 11.1; gateways of protocol 3 leave them out). The stricter of the two
// policies holds: what a gateway refuses or asks about by itself never reaches this node as a run.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "approvals/store/store.h"
#include "base/json.h"
#include "policy/model/types.h"

namespace hostclaw::node_host {

// Setting: {"<agent>": {"security": "allowlist", "ask": "on-miss", "atMs": ...}}, of the last call that said
// something new.
inline constexpr const char* kGatewayPolicyKey = "runtime.gatewayPolicy";

struct GatewayPolicy {
  policy::Security security = policy::Security::kFull;
  policy::Ask ask = policy::Ask::kOff;
  friend bool operator==(const GatewayPolicy&, const GatewayPolicy&) = default;
};

// What was heard in the life of this process. Thread rule: the io_context thread.
class GatewayPolicies {
 public:
  // What the params of a system.run.prepare say, when that is new and worth keeping. At most 64 agents.
  std::optional<GatewayPolicy> news(const std::string& agent, const Json& params);

 private:
  std::map<std::string, GatewayPolicy> known_;
};

// Thread rule of both: the thread that owns the store. A store that cannot be written loses it.
void keep_gateway_policy(approvals::Store& store, const std::string& agent, const GatewayPolicy& policy);
// What was kept, by agent; empty when nothing was, or none of it can be read.
std::map<std::string, GatewayPolicy> read_gateway_policies(approvals::Store& store);

}  // namespace hostclaw::node_host
