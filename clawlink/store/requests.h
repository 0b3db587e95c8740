// SPDX-License-Identifier: Apache-2.0
// Requests that name themselves (Idempotency-Key): the same one again gets the answer it got, and nothing is
// done twice. Kept for a day, with the work itself in one transaction.
#pragma once

#include <optional>
#include <string>

#include "clawlink/model/reply.h"
#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

struct RequestKey {
  std::string caller;
  std::string key;
  std::string content;  // what was asked: route and body
};
// The answer of before; nullopt: it is new. KEY_REUSED when something else was asked with this key.
Result<std::optional<Reply>> answered_before(StoreSession& session, const RequestKey& request);
Result<void> remember_answer(StoreSession& session, const RequestKey& request, const Reply& reply);

}  // namespace hostclaw::clawlink
