// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/host/log_output.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace hostclaw::node_host {
namespace {

constexpr int kMomentMs = 20;

}  // namespace

std::FILE* open_log_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
  if (fd < 0) return nullptr;
  struct stat facts {};
  // Not of a device, such as /dev/null.
  if (::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && (facts.st_mode & 077U) != 0) ::fchmod(fd, 0600);
  std::FILE* stream = ::fdopen(fd, "ab");
  if (stream == nullptr) ::close(fd);
  return stream;
}

std::size_t write_to_standard_error(std::string_view text, bool may_wait_a_moment) {
  std::size_t taken = 0;
  while (taken < text.size()) {
    // A pipe that can be written to takes PIPE_BUF bytes at once.
    pollfd wanted{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&wanted, 1, may_wait_a_moment ? kMomentMs : 0) <= 0) return taken;
    const std::size_t part = std::min<std::size_t>(text.size() - taken, PIPE_BUF);
    const ssize_t written = ::write(STDERR_FILENO, text.data() + taken, part);
    if (written < 0 && errno == EAGAIN) return taken;
    if (written < 0 && errno != EINTR) return text.size();
    if (written > 0) taken += static_cast<std::size_t>(written);
  }
  return taken;
}

}  // namespace hostclaw::node_host
