// SPDX-License-Identifier: Apache-2.0
// How the mirrors of the record are doing, as the node keeps it in the store for whoever looks.
// Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "approvals/store/store.h"
#include "base/json.h"

namespace hostclaw::node_host {

// Key of the setting that holds it.
inline constexpr const char* kMirrorStateKey = "audit.mirrorState";

struct MirrorState {
  std::string target;
  std::int64_t sent = 0;
  std::int64_t dropped = 0;        // rows that did not get there
  std::int64_t shortened = 0;      // rows that were too long and went without their body
  std::int64_t last_sequence = 0;  // the newest row that got there
  std::string problem;             // why the newest one did not; empty: it did
  std::int64_t failing_since_ms = 0;
};

struct MirrorStates {
  std::int64_t position = 0;                   // rows up to this one were sent or dropped
  std::map<std::string, MirrorState> by_name;  // journald, syslog, file
};

Json to_json(const MirrorStates& states);
// What is not readable counts as never sent.
MirrorStates mirror_states_from(const Json& json);
MirrorStates read_mirror_states(approvals::Store& store);

}  // namespace hostclaw::node_host
