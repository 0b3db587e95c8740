// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/gateway_origin.h"

namespace hostclaw::node_host {

Origin gateway_origin(const std::optional<gateway_proto::GatewayEndpoint>& gateway) {
  Origin origin;
  origin.door = kGatewayDoor;
  origin.may_carry_approval = true;
  if (!gateway) return origin;
  origin.principal.name = gateway->url();
  if (!gateway->tls_fingerprint.empty())
    origin.principal.details.emplace_back("fingerprint", gateway->tls_fingerprint);
  return origin;
}

}  // namespace hostclaw::node_host
