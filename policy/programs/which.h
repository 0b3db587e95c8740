// SPDX-License-Identifier: Apache-2.0
// Where programs are, as `system.which` tells it. Pure; safe from any thread.
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "policy/model/engine_context.h"

namespace hostclaw::policy {

// `system.which`: {bins: {name: path}}. Error code INVALID_REQUEST.
Result<Json> which(const Json& params, const EngineContext& context);

}  // namespace hostclaw::policy
