// SPDX-License-Identifier: Apache-2.0
// A2A 0.3 as JSON-RPC, translated at the edge: its calls become 1.0's, 1.0's results become its own. Sending,
// streams, asking for a task, cancelling and joining a stream. Who asks for push notifications in its words
// is refused by name, and there is no HTTP+JSON. Pure. Source: a2a contract, sections 8 and 10.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "clawlink/a2a/objects.h"

namespace hostclaw::clawlink {

// "message/send" -> "SendMessage". nullopt: no method of 0.3 that this relay knows.
std::optional<std::string_view> method_from_0_3(std::string_view name);

// Whether what a call of 0.3's name carries is 1.0's all the same, as OpenClaw repeats a refused call.
bool has_shape_of_1_0(const Json& params);

// `params` in 1.0's shape. What is wrong under both is left for 1.0's own checks.
// PUSH_NOTIFICATION_NOT_SUPPORTED, INVALID_PARAMS.
std::optional<A2aError> params_from_0_3(Json& params);

// A result or an event of a stream: {task}, a bare Task, {statusUpdate} or {artifactUpdate}.
Json result_to_0_3(const Json& result);
Json error_to_0_3(const A2aError& error);

// 1.0's card with what a reader of 0.3 needs beside it; readers of 1.0 find theirs unchanged.
Json card_for_both(Json card);

}  // namespace hostclaw::clawlink
