// SPDX-License-Identifier: Apache-2.0
// The terminal that this client sits at.
#pragma once

#include <termios.h>

#include "hostlink/proto/v2_frame.h"

namespace hostclaw::hostlink {

bool is_terminal(int fd);
v2::WindowSize window_size_of(int fd);  // zeros when it has none

// Every key goes to the other end, until the end of this object.
class RawTerminal {
 public:
  explicit RawTerminal(int fd);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  int fd_;
  bool changed_ = false;
  termios before_{};
};

}  // namespace hostclaw::hostlink
