// SPDX-License-Identifier: Apache-2.0
// The client for Unix sockets alone.
#include "hostlink/client/endpoint.h"

namespace hostclaw::hostlink {

Result<std::unique_ptr<Stream>> connect_over_network(const Endpoint& endpoint, const Deadline&) {
  return make_error(
      "TRANSPORT_MISSING",
      "this client knows Unix sockets alone; " + endpoint_text(endpoint) + " is reached over the network",
      "use the larger client, or the daemon's socket (-s PATH)");
}

}  // namespace hostclaw::hostlink
