// SPDX-License-Identifier: Apache-2.0
// A task of this relay in the words of a foreign A2A endpoint, and what the endpoint says of it in the words
// of this relay. Pure. Source: a2a contract, sections 3, 7 and 8.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "clawlink/store/forwards.h"

namespace hostclaw::clawlink {

// SendMessage's params for a delegation as it waits for its agent. `message_id` is the same whenever it is
// sent again. `before`: the endpoint has the task already.
// It says how often it was carried on, for relays on its way.
Json params_for_endpoint(const Json& delegation, const std::string& message_id,
                         const std::optional<Forwarded>& before);

// What the endpoint must not get; empty: nothing is against it. OpenClaw takes a text that begins with a
// slash for a command of its own.
std::string why_not_forwarded(const Json& delegation);

struct ForeignTask {
  std::string task_id;     // empty: it answered with a message, and has no task
  std::string context_id;  // empty: none was named
  struct Settled {
    std::string status;    // a status word of an answer: completed, failed, ...
    Json result;           // a text; what is more than text is {artifacts: [...]}
    bool goes_on = false;  // somebody has to log in there, and then it goes on by itself
    std::string at = {};   // when it said so, in its own words
  };
  std::optional<Settled> settled;  // absent: it goes on
  bool is_known = true;            // false: its state is none of A2A 1.0
};
// A result of SendMessage ({task} or {message}) or of GetTask (a bare task). nullopt: it is none of them.
std::optional<ForeignTask> read_foreign_task(const Json& result);

}  // namespace hostclaw::clawlink
