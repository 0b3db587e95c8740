// SPDX-License-Identifier: Apache-2.0
// How many connections there may be, of all and of one address, so that one machine cannot take every place.
// On loopback every program has the same address; there the sum alone counts.
// Thread rule: one thread.
#pragma once

#include <map>
#include <string>

namespace hostclaw::clawlink {

class PeerSlots {
 public:
  PeerSlots(int most, int most_of_one) : most_(most), most_of_one_(most_of_one) {}

  // False: there is no place. Empty: a peer that is not counted by itself.
  bool take(const std::string& peer) {
    if (taken_ >= most_) return false;
    if (!peer.empty()) {
      const auto known = of_peer_.find(peer);
      if (known != of_peer_.end() && known->second >= most_of_one_) return false;
      ++of_peer_[peer];
    }
    ++taken_;
    return true;
  }
  // Requires: a take() that answered true.
  void give_back(const std::string& peer) {
    --taken_;
    if (const auto known = of_peer_.find(peer); known != of_peer_.end() && --known->second == 0)
      of_peer_.erase(known);
  }

 private:
  const int most_;
  const int most_of_one_;
  int taken_ = 0;
  std::map<std::string, int> of_peer_;
};

}  // namespace hostclaw::clawlink
