// SPDX-License-Identifier: Apache-2.0
// Notices that a client has gone while its request waits. Data that it sends ahead is no sign of that.
// Thread rule: the thread of the network. Requires: stream and bell outlive this object.
#pragma once

#include <memory>

#include "base/maybe_tls_stream.h"
#include "clawlink/http/waiting.h"

namespace hostclaw::clawlink {

class PeerWatch {
 public:
  PeerWatch(MaybeTlsStream& stream, Bell& bell);
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;
  bool gone() const { return state_->gone; }

 private:
  struct State {
    MaybeTlsStream* stream;  // null: nobody asks any more
    Bell* bell;
    bool gone = false;
  };
  std::shared_ptr<State> state_;
};

}  // namespace hostclaw::clawlink
