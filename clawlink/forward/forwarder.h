// SPDX-License-Identifier: Apache-2.0
// Carries what is delegated to agents that live elsewhere to their A2A endpoints, and their answers back. The
// relay is then a worker like any other: it leases a message, sends it (SendMessage, without waiting), asks
// for the task every few seconds (GetTask) and keeps its lease meanwhile; what came of it is the agent's
// answer.
//
// An endpoint that cannot be reached, or says that it has no time, gets the message again, later each time,
// up to twelve times; then the task fails with the reason. One that does not know its task any more (it has
// restarted) gets it once more, under the same message id. A task that is cancelled or ends here is cancelled
// there. Of one agent 64 messages are on their way at once, 256 in all. No redirect is followed; the caller's
// credential is never sent on. Thread rule: the thread of the network.
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
  std::chrono::milliseconds between_looks{5'000};  // up to this
};

// https, or http to this machine; elsewhere only when the owner says `plain`. FORWARD_URL_INVALID,
// FORWARD_PLAIN_REFUSED.
Result<PushUrl> read_forward_url(const std::string& url, bool plain);

// Until the service is stopped. Call it once. `state_directory`: where token files lie.
boost::asio::awaitable<void> forward_tasks(RelayService& service, NameLookup look, ForwardPatience patience,
                                           std::string state_directory);

}  // namespace hostclaw::clawlink
