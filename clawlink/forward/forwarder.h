// SPDX-License-Identifier: Apache-2.0
// Carries what is delegated to agents that live elsewhere to their A2A endpoints, and their answers back.
//
// A message is leased while it is sent (SendMessage, without waiting). Once the endpoint has taken it, the
// row of `forwarded` stands for it, and it is asked about (GetTask) until it has ended there or here; so a
// restart costs nothing, and what is followed holds no place of what is sent. An endpoint that cannot be
// reached, or says that it has no time, gets the message again, later each time, up to twelve times. One that
// has taken a task and then does not answer for an hour fails it. One that does not know its task any more
// (it has restarted) gets it once more, under the same message id. What ends here is cancelled there.
//
// Messages of one task are sent in their order, and the next once the endpoint asks for it: OpenClaw makes a
// new task of every message. Calls: 64 at once, 8 of one agent; an endpoint that says that it is asked too
// often is let alone for a while, which counts as no try. No redirect is followed; the caller's credential is
// never sent on. Thread rule: the thread of the network.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>

#include "clawlink/client/name_lookup.h"
#include "clawlink/http/service.h"
#include "clawlink/push/push_target.h"

namespace hostclaw::clawlink {

struct ForwardPatience {
  std::chrono::milliseconds lookup{5'000};
  std::chrono::milliseconds connect{5'000};
  std::chrono::milliseconds answer{30'000};
  std::chrono::milliseconds first_look{1'000};     // GetTask; then twice as long each time,
  std::chrono::milliseconds between_looks{5'000};  // up to this, or longer where much is followed
};

// https, or http to this machine; elsewhere only when the owner says `plain`. FORWARD_URL_INVALID,
// FORWARD_PLAIN_REFUSED.
Result<PushUrl> read_forward_url(const std::string& url, bool plain);

// Until the service is stopped. Call it once. `state_directory`: where token files lie.
boost::asio::awaitable<void> forward_tasks(RelayService& service, NameLookup look, ForwardPatience patience,
                                           std::string state_directory);

}  // namespace hostclaw::clawlink
