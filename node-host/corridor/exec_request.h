// SPDX-License-Identifier: Apache-2.0
// What a door hands to the corridor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "node-host/corridor/exec_outcome.h"
#include "node-host/corridor/origin.h"
#include "node-host/run/run_executor.h"
#include "policy/engine.h"
#include "policy/run_request.h"

namespace hostclaw::node_host {

// A command that is to run.
struct RunAsked {
  policy::RunCommand command;
  // What this node remembers of the plan that comes with it; null: nothing.
  std::shared_ptr<const policy::RememberedPlan> prepared;
  // The peer cannot send back what binds a plan to a file, so a plan of this node's own does without.
  bool peer_cannot_bind = false;
};

// Accesses to files and calls of tools come with the doors that ask for them.
using Asked = std::variant<RunAsked>;

struct ExecLimits {
  // When the caller stops waiting for a person, in milliseconds since the epoch; 0: never.
  std::int64_t caller_deadline_ms = 0;
};

// Where the door is told how things stand, on the io_context thread. All may be empty.
struct ExecSinks {
  // Asked while a person thinks: nobody would take the result any more.
  std::function<bool()> caller_left;
  // Told once, when the outcome is known and before its end is written down; not when it was cancelled.
  std::function<void(const ExecOutcome&)> ended;
};

struct ExecRequest {
  Origin origin;
  // Nobody has been asked behind the door although an agent waits: where the policy wants a person, this node
  // asks, whatever exec.askVia says. Without an answer in a moment the request is denied and the question
  // stays open.
  bool unasked = false;
  std::string id;  // of the door, for the record; empty: none
  Asked what;
  ExecLimits limits;
  ExecSinks sinks;
  RunCancellation cancellation;
};

}  // namespace hostclaw::node_host
