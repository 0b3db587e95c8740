// SPDX-License-Identifier: Apache-2.0
// Tells the desktop, where there is one, that a question waits. The text is always the same: no command, no
// secret leaves the terminal.
#pragma once

#include <sys/types.h>

#include <string>

namespace hostclaw::cli {

class DesktopNotification {
 public:
  DesktopNotification();   // looks once for a desktop session and the way to reach it
  ~DesktopNotification();  // collects what has ended
  DesktopNotification(const DesktopNotification&) = delete;
  DesktopNotification& operator=(const DesktopNotification&) = delete;

  bool possible() const { return !program_.empty(); }
  // Does not wait; does nothing while an earlier one is still being shown.
  void send();

 private:
  std::string program_;  // what shows it: notify-send, on Windows the console's own window
  pid_t running_ = -1;
};

}  // namespace hostclaw::cli
