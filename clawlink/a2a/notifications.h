// SPDX-License-Identifier: Apache-2.0
// What is told next by push: the task itself first, then each change as a stream tells it. Run on the thread
// of the database, inside a transaction. Source: a2a contract, section 4, "Push".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "clawlink/store/agents.h"
#include "clawlink/store/push.h"

namespace hostclaw::clawlink {

struct Notification {
  PushConfig config;
  std::int64_t tells = 0;  // the newest event that it tells of
  std::string body;        // a StreamResponse
};
// nullopt: there is nothing to tell, or nobody to be told any more. A config whose credential is in force no
// more goes with it, as a stream would end.
Result<std::optional<Notification>> next_notification(StoreSession& session, const AccessRules& access,
                                                      std::int64_t push_id);

}  // namespace hostclaw::clawlink
