// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/text.h"
#include "cli/desktop_notification.h"

extern char** environ;

namespace hostclaw::cli {
namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

}  // namespace

DesktopNotification::DesktopNotification() {
  if (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY")) return;
  if (!is_set("DBUS_SESSION_BUS_ADDRESS") && !is_set("XDG_RUNTIME_DIR")) return;
  const char* path = std::getenv("PATH");
  for (const std::string& directory : split(path == nullptr ? "/usr/bin" : path, ':')) {
    if (!directory.starts_with('/')) continue;
    std::string program = directory + "/notify-send";
    if (access(program.c_str(), X_OK) != 0) continue;
    program_ = std::move(program);
    return;
  }
}

DesktopNotification::~DesktopNotification() {
  if (running_ > 0) waitpid(running_, nullptr, WNOHANG);
}

void DesktopNotification::send() {
  if (program_.empty()) return;
  if (running_ > 0 && waitpid(running_, nullptr, WNOHANG) == 0) return;
  running_ = -1;
  std::string words[] = {program_, "--app-name=hostclaw", "hostclaw: a command waits for an answer"};
  char* argv[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  posix_spawn_file_actions_t files;
  if (posix_spawn_file_actions_init(&files) != 0) return;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  if (posix_spawn(&running_, program_.c_str(), &files, nullptr, argv, environ) != 0) running_ = -1;
  posix_spawn_file_actions_destroy(&files);
}

}  // namespace hostclaw::cli
