// SPDX-License-Identifier: Apache-2.0
// Descriptors from 3 on, as sd_listen_fds(3) describes them; libsystemd is not needed for that.
#include "node-host/system/process/activated_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <optional>

namespace hostclaw::node_host {
namespace {

constexpr int kFirstPassed = 3;

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value != nullptr ? value : "";
  ::unsetenv(name);
  return text;
}

std::optional<int> socket_option(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, SOL_SOCKET, option, &value, &size) != 0) return std::nullopt;
  return value;
}

std::string address_of(const sockaddr_un& address, socklen_t size) {
  constexpr std::size_t kBegin = offsetof(sockaddr_un, sun_path);
  if (size <= kBegin) return {};
  std::string path(address.sun_path, size - kBegin);
  if (path.front() == '\0') {
    path.front() = '@';
    return path;
  }
  return path.substr(0, path.find('\0'));
}

}  // namespace

Result<std::optional<ActivatedSocket>> take_activated_socket() {
  const std::string pid = take_variable("LISTEN_PID");
  const std::string count = take_variable("LISTEN_FDS");
  take_variable("LISTEN_FDNAMES");
  // Meant for a process above this one, which did not take them away.
  if (count.empty() || count == "0" || pid != std::to_string(::getpid()))
    return std::optional<ActivatedSocket>();
  const auto unusable = [](const std::string& what) {
    return make_error("SOCKET_UNUSABLE", "the service manager passed " + what,
                      "one ListenStream= with a path in hostclaw-hostlink.socket");
  };
  if (count != "1") return unusable(count + " sockets, and one is expected");
  sockaddr_un address{};
  socklen_t size = sizeof address;
  const bool is_socket = ::getsockname(kFirstPassed, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (!is_socket || address.sun_family != AF_UNIX || socket_option(kFirstPassed, SO_TYPE) != SOCK_STREAM ||
      socket_option(kFirstPassed, SO_ACCEPTCONN) != 1)
    return unusable("something else than a listening Unix stream socket");
  if (::fcntl(kFirstPassed, F_SETFD, FD_CLOEXEC) != 0) return unusable("a descriptor that cannot be kept");
  ActivatedSocket activated{UniqueFd(kFirstPassed), address_of(address, size)};
  return std::optional<ActivatedSocket>(std::move(activated));
}

}  // namespace hostclaw::node_host
