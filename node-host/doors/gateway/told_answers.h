// SPDX-License-Identifier: Apache-2.0
// What a prepared plan tells the gateway about asking. Thread rule: the thread that owns the store.
#pragma once

#include <cstdint>

#include "approvals/store/settings.h"
#include "approvals/store/store.h"
#include "base/json.h"
#include "node-host/corridor/origin.h"
#include "policy/decide/engine.h"

namespace hostclaw::node_host {

// The gateway need not ask where a grant covers the command, nor where this node asks by itself: it is told
// so (execPolicy full/off) for this very command, judged as it will come back. Looks only. Requires:
// `prepared` holds a plan that is asked about.
void tell_of_answers(approvals::Store& store, const Json& params, const approvals::ExecSettings& exec,
                     const policy::PolicyDocument& document, policy::EngineContext context,
                     const Origin& origin, std::int64_t now_ms, policy::PrepareEvaluation& prepared);

}  // namespace hostclaw::node_host
