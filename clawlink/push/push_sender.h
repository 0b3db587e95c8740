// SPDX-License-Identifier: Apache-2.0
// Sends push notifications: takes what is due from the store, posts it, and writes down what became of it.
// What a receiver acknowledges with 2xx is told; anything else is tried again, later each time, or given up
// (clawlink/store/push.h). A config is told one thing after the other; of different ones 32 are told at once,
// of one caller 8, so that slow receivers of one caller do not keep others' news.
//
// A name is looked up once for each try, its addresses are judged (clawlink/push/push_target.h), and the
// connection goes to one of those. No redirect is followed; of an answer the head alone is read. What a
// receiver says and where exactly it is are not logged.
// Thread rule: the thread of the network.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>

#include "clawlink/client/name_lookup.h"
#include "clawlink/http/service.h"

namespace hostclaw::clawlink {

struct PushPatience {
  std::chrono::milliseconds lookup{5'000};
  std::chrono::milliseconds connect{5'000};
  std::chrono::milliseconds answer{15'000};
};

// Until the service is stopped. Call it once.
boost::asio::awaitable<void> send_pushes(RelayService& service, NameLookup look, PushPatience patience);

}  // namespace hostclaw::clawlink
