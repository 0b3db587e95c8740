// SPDX-License-Identifier: Apache-2.0
// Where mDNS is left out of the build; CMake says why.
#include "clawlink/discovery/announcement.h"
#include "clawlink/discovery/search.h"

namespace hostclaw::clawlink {

struct Announcement::Impl {};

Announcement::Announcement(AnnouncedRelay, Log log) {
  log("not announced by mDNS: " HOSTCLAW_NO_MDNS "; everything else works, give clients --relay");
}
Announcement::~Announcement() = default;

Result<FoundRelays> find_relays(std::chrono::milliseconds) {
  return make_error("MDNS_UNAVAILABLE", "no relay can be looked for by mDNS: " HOSTCLAW_NO_MDNS,
                    "hostclaw clawlink --relay URL info");
}

}  // namespace hostclaw::clawlink
