// SPDX-License-Identifier: Apache-2.0
// A2A 1.0's methods on the relay's tasks: SendMessage is a delegation, whoever speaks which protocol. Run on
// the thread of the database, inside one transaction. Source: a2a contract, sections 4, 5 and 7.
#pragma once

#include <optional>
#include <string>

#include "clawlink/a2a/objects.h"
#include "clawlink/http/routes.h"

namespace hostclaw::clawlink {

struct A2aCall {
  std::string agent_id;  // that is addressed
  std::string method;    // "SendMessage"
  Json params;
  std::string base = {};  // the relay as the caller reaches it; empty: nobody knows
};

struct A2aOutcome {
  Json result;
  int rest_status = 200;  // of HTTP+JSON
  std::optional<A2aError> error;
  // Of a SendMessage that waits, and of streams: the task, and how it is to be shown.
  std::string task_id;
  TaskView view;
  bool waits = false;
  std::int64_t seen = 0;  // the newest event that `result` tells of
};
A2aOutcome do_a2a(StoreSession& session, const RouteConfig& config, const Caller& caller,
                  const A2aCall& call);

// How the card of an agent of this relay is to be.
CardWish card_wish(const RouteConfig& config);

// The task as it is now and its events behind `after`, at most as many as fit. Requires: the id came from
// do_a2a().
struct A2aNow {
  Task task;
  std::vector<TaskEvent> events;
};
struct A2aLook {
  std::string task_id;
  std::int64_t after = 0;
  std::size_t most_bytes = kAllEvents;
};
Result<A2aNow> look_at_task(StoreSession& session, const A2aLook& look);

}  // namespace hostclaw::clawlink
