// SPDX-License-Identifier: Apache-2.0
// What a gateway holds of a node's commands, as it tells those who may read its nodes. A node itself is told
// nothing: names that the gateway does not take from this kind of node are dropped in silence.
// Pure; safe from any thread. Source: node commands contract, sections 2 and 3.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "gateway-proto/connect.h"

namespace hostclaw::gateway_proto {

struct HeldCommands {
  std::vector<std::string> usable;   // can be dispatched to this node now, sorted
  std::vector<std::string> waiting;  // declared and waiting for `nodes approve`, sorted
  std::string request_id;            // of that approval; empty when none is pending
};

// From the answer to `node.describe`. Only names in `declared` count; what is in neither list is outside of
// what this release takes from a node, or excluded by its configuration. Nothing when the answer has another
// shape.
std::optional<HeldCommands> held_commands_from(const Json& description,
                                               const std::vector<std::string>& declared);

// Adds what waits according to the answer to `node.pair.list`: 2026.5 tells it there alone.
void add_pending_commands(HeldCommands& held, const Json& pairings, std::string_view node_id,
                          const std::vector<std::string>& declared);

// Params of `connect` for an operator that only reads, without a device: gateways take it from their own
// machine with the shared token or password.
Json reading_operator_params(std::string version, std::string platform, const Credentials& shared);

}  // namespace hostclaw::gateway_proto
