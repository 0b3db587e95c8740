// SPDX-License-Identifier: Apache-2.0
// Who asks when a gateway does. Pure; safe from any thread.
#pragma once

#include <optional>

#include "gateway-proto/endpoint.h"
#include "node-host/corridor/origin.h"

namespace hostclaw::node_host {

// The principal is the gateway at the other end of the connection: the address it was found at and the
// certificate it must show. Agent and session are left out: a gateway speaks for all its agents and says for
// which with each request. It may carry approvals, because it re-creates them from its own records and strips
// those of its clients (exec contract 12.3).
Origin gateway_origin(const std::optional<gateway_proto::GatewayEndpoint>& gateway);

}  // namespace hostclaw::node_host
