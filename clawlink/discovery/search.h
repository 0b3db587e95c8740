// SPDX-License-Identifier: Apache-2.0
// Looks for relays on the local network by mDNS, through Avahi's daemon.
#pragma once

#include <chrono>

#include "base/result.h"
#include "clawlink/discovery/relay_names.h"

namespace hostclaw::clawlink {

// What announces itself within this time, each relay once. Takes that long, and 2 s more when the daemon
// hangs. At most kMostFoundRelays, and twice as many answers are looked at.
// MDNS_UNAVAILABLE, at once: this build, this machine or its daemon does not do it.
//
// Thread rule: any thread; blocks.
Result<FoundRelays> find_relays(std::chrono::milliseconds how_long);

}  // namespace hostclaw::clawlink
