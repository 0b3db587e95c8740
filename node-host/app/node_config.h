// SPDX-License-Identifier: Apache-2.0
// What this node remembers about itself and its gateway, in OpenClaw's own shape (nodeHost.config):
// {"version":1,"nodeId","displayName","gateway":{"host","port","tls","tlsFingerprint"?,"contextPath"?},"commands"?}.
// Source: transport contract 8.3. Thread rule: the thread that owns the store.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "approvals/store/store.h"
#include "base/json.h"
#include "base/result.h"
#include "gateway-proto/device_identity.h"
#include "gateway-proto/endpoint.h"

namespace hostclaw::node_host {

struct NodeConfig {
  std::string node_id;       // UUID; the protocol's client.instanceId, not the device id
  std::string display_name;  // empty: the machine's name
  std::optional<gateway_proto::GatewayEndpoint> gateway;  // absent: never configured
  std::optional<std::vector<std::string>> commands;       // an exact list saved by --commands; absent: all
};

// Errors: CONFIG_INVALID names the member that is wrong; STORE_*.
Result<NodeConfig> node_config_from(const Json& json);
Json to_json(const NodeConfig& config);
Result<NodeConfig> load_node_config(
    approvals::Store& store);  // a node id is made, not stored, when there is none
Result<void> save_node_config(approvals::Store& store, const NodeConfig& config);

// The stored device key; makes and stores one when `create` is set. Two processes that race get the same.
// Errors: IDENTITY_MISSING (not created), IDENTITY_INVALID, STORE_*.
Result<gateway_proto::DeviceIdentity> load_identity(approvals::Store& store, bool create);

}  // namespace hostclaw::node_host
