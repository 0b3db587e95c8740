// SPDX-License-Identifier: Apache-2.0
// The relay's routes: the twelve of the original with its shapes, defaults and texts, and those that came
// after. What a route does happens on the thread of the database, inside one transaction; a request that
// names itself (Idempotency-Key) is done once.
//
// Source: clawlink contract, section 2.
#pragma once

#include <memory>
#include <string>

#include "clawlink/a2a/card_key.h"
#include "clawlink/http/request.h"
#include "clawlink/model/reply.h"
#include "clawlink/push/push_target.h"
#include "clawlink/store/agents.h"
#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

struct RouteConfig {
  AccessRules access;
  PushRules push;
  std::string version;
  std::string note;
  std::shared_ptr<const CardKey> card_key = {};  // none: cards are not signed
};

Reply answer(StoreSession& session, const RouteConfig& config, const HttpRequest& request);

// Who has opened a stream, and for which agent.
struct StreamCaller {
  Presented presented;
  std::string agent_id;
};
// The agent, when the caller may receive what waits for it. To be asked with each delivery: while a stream is
// open its agent may become guarded, or its credential be revoked.
Result<Sender> receiver(StoreSession& session, const RouteConfig& config, const StreamCaller& stream);
// An empty reply with status 200, or why the stream may not be opened.
Reply open_stream(StoreSession& session, const RouteConfig& config, const StreamCaller& stream);

// A frame that an agent has sent on its socket; the answer's body is sent back when it is not empty.
Reply answer_frame(StoreSession& session, const Sender& sender, const Json& frame);

}  // namespace hostclaw::clawlink
