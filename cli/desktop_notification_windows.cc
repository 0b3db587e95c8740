// SPDX-License-Identifier: Apache-2.0
#include <windows.h>

#include "cli/desktop_notification.h"

namespace hostclaw::cli {

// The window in which the command runs. A console without one (a service, a remote session) has no desktop.
DesktopNotification::DesktopNotification() {
  const HWND window = GetConsoleWindow();
  if (window != nullptr && IsWindowVisible(window) != FALSE) program_ = "console window";
}

DesktopNotification::~DesktopNotification() = default;

// Its button in the task bar blinks until somebody looks, and the system's own sound for it is played.
void DesktopNotification::send() {
  if (program_.empty()) return;
  FLASHWINFO wish{};
  wish.cbSize = sizeof wish;
  wish.hwnd = GetConsoleWindow();
  wish.dwFlags = FLASHW_TRAY | FLASHW_TIMERNOFG;
  FlashWindowEx(&wish);
  MessageBeep(MB_ICONASTERISK);
}

}  // namespace hostclaw::cli
