// SPDX-License-Identifier: Apache-2.0
// One request of protocol 1 and what both ends say about it, whichever protocol carries it. Used by one
// thread.
#pragma once

#include <string_view>

#include "base/result.h"

namespace hostclaw::hostlink {

class Exchange {
 public:
  virtual ~Exchange() = default;
  // Of a file that goes to the daemon. CONNECTION_LOST: it may have said why it takes no more; receive()
  // knows.
  virtual Result<void> send_data(std::string_view bytes) = 0;
  virtual Result<void> send_trailer(std::string_view payload) = 0;
  // The next reply, or the next bytes of a file. It stays until the next call.
  virtual Result<std::string_view> receive() = 0;
};

}  // namespace hostclaw::hostlink
