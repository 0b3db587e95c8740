// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

namespace hostclaw::hostlink {

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

v2::WindowSize window_size_of(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0) return {};
  return {size.ws_col, size.ws_row, size.ws_xpixel, size.ws_ypixel};
}

RawTerminal::RawTerminal(int fd) : fd_(fd) {
  if (::tcgetattr(fd_, &before_) != 0) return;
  termios raw = before_;
  ::cfmakeraw(&raw);
  changed_ = ::tcsetattr(fd_, TCSADRAIN, &raw) == 0;
}

RawTerminal::~RawTerminal() {
  if (changed_) ::tcsetattr(fd_, TCSADRAIN, &before_);
}

}  // namespace hostclaw::hostlink
