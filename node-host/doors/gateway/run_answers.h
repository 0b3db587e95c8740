// SPDX-License-Identifier: Apache-2.0
// What a gateway is told of a run: the answer to its invocation and the event before it, in OpenClaw's words.
// Exec contract 3.4, 3.5, 14. Pure; safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway-proto/messages.h"
#include "node-host/corridor/exec_outcome.h"

namespace hostclaw::node_host {

// Requires: the outcome is not cancelled (nobody is told of those).
gateway_proto::InvokeResult run_answer(const ExecOutcome& outcome);

struct RunEvent {
  std::string_view name;  // exec.finished | exec.denied
  std::string payload_string;
};
// nullopt: none is sent, as for malformed requests.
std::optional<RunEvent> run_event(const ExecOutcome& outcome);

}  // namespace hostclaw::node_host
