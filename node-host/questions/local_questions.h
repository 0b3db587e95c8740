// SPDX-License-Identifier: Apache-2.0
// What a person on this machine is asked about a request, and what a grant has to cover to stand in for them.
// Pure; safe from any thread.
#pragma once

#include <string>

#include "approvals/questions/questions.h"
#include "policy/decide/run_decision.h"

namespace hostclaw::node_host {

struct Askable {
  approvals::NewQuestion question;  // without ids and deadlines
  approvals::GrantRequest request;
};

// `refused` is the decision that asks for a person, `granted` the same request as it would run if one allows
// it (LocalAnswer::kGranted). The key is a digest over everything that may not change between question and
// run: who asks, words, files and their identity, bound content, directory, variables of the request, agent,
// session. `who` is the door and the principal: a person who answers one caller has not answered another.
//
// Requires: granted.evaluation.decision is an allow.
Askable askable(const policy::RunDecision& refused, const policy::RunDecision& granted,
                const std::string& who);

}  // namespace hostclaw::node_host
