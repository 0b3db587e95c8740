// SPDX-License-Identifier: Apache-2.0
// Who asks. The door by which a request comes in makes it, from what it has authenticated; nothing that a
// caller writes changes it. Pure values; safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "policy/decide/run_request.h"

namespace hostclaw::node_host {

inline constexpr std::string_view kGatewayDoor = "gateway";
inline constexpr std::string_view kHostlinkDoor = "hostlink";
inline constexpr std::string_view kPageDoor = "page";
inline constexpr std::string_view kLocalDoor = "local";

// Who was authenticated at a door. Holds no secret.
struct Principal {
  // The same for the same caller, another for another: the turns in the queue go by it, and rows and
  // questions show it. A gateway's address, the name of a token.
  std::string name;
  // What else the door knows of them, to be shown: uid, gid, pid, container, address, fingerprint.
  std::vector<std::pair<std::string, std::string>> details;
};

struct Origin {
  std::string door;  // of the names above
  Principal principal;
  // Whose policy applies. A door that lets its callers choose (the gateway's) fills in what they chose.
  std::string agent;    // empty: none, the strictest of all agents applies
  std::string session;  // empty: none
  // A person may have approved the request elsewhere, and it says so. False: a request that claims it is
  // refused by name.
  bool may_carry_approval = false;
  // Whether this principal may have commands run at all; false: refused, and recorded.
  bool may_run = true;
  // The caller is part of a run of this node: that run's policy holds as well, and the stricter of the two
  // decides.
  struct Within {
    std::string agent;
    std::string session;
    std::string who;  // door and principal of that run
  };
  std::optional<Within> within;

  policy::Asker asker() const;
  policy::Asker asker_within() const;  // Requires: within
  std::string who() const;             // door and principal: the same for the same caller
  std::string shown() const;           // "gateway wss://host:443 (fingerprint ...)", one line
  Json details() const;                // of the principal, as an object; null when there are none
};

}  // namespace hostclaw::node_host
