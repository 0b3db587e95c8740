// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/endpoint.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace hostclaw::hostlink {
namespace {

Error connect_failed(const std::string& name, int error) {
  std::string next;
  if (error == EACCES) next = "add this user to the socket's group: ls -l " + name;
  if (error == ENOENT || error == ECONNREFUSED)
    next = "see whether the daemon runs: hostclaw doctor (on the host)";
  return make_error("CONNECT_FAILED", "cannot connect to " + name + ": " + std::strerror(error), next);
}

Result<std::unique_ptr<Stream>> connect_unix(const std::string& path, const Deadline& deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) return connect_failed(path, ENAMETOOLONG);
  path.copy(address.sun_path, path.size());
  OwnedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return connect_failed(path, errno);
  for (;;) {
    const int connected =
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    // A Unix socket whose queue is full cannot be waited for: only time passes.
    if (connected != 0 && errno == EAGAIN) {
      const int left = deadline.poll_timeout();
      if (left == 0) return make_error("CONNECT_TIMED_OUT", "no connection to " + path + " in time");
      ::poll(nullptr, 0, left < 0 || left > 5 ? 5 : left);
      continue;
    }
    if (const auto done = finish_connect(socket.get(), connected, path, deadline); !done) return done.error();
    return make_plain_stream(std::move(socket));
  }
}

}  // namespace

std::string_view transport_name(Transport transport) {
  switch (transport) {
    case Transport::kUnix:
      return "unix";
    case Transport::kTcp:
      return "tcp";
    case Transport::kTls:
      return "tls";
  }
  return "";
}

std::string endpoint_text(const Endpoint& endpoint) {
  if (endpoint.transport == Transport::kUnix) return endpoint.socket;
  const bool is_ipv6 = endpoint.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  // A name may begin with 127. as well, and lead anywhere.
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_private(const Endpoint& endpoint) {
  return endpoint.transport != Transport::kTcp || is_loopback(endpoint.host);
}

Result<void> finish_connect(int socket, int connected, const std::string& name, const Deadline& deadline) {
  if (connected == 0) return {};
  if (errno != EINPROGRESS && errno != EINTR) return connect_failed(name, errno);
  if (!wait_for(socket, POLLOUT, deadline))
    return make_error("CONNECT_TIMED_OUT", "no connection to " + name + " in time");
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return connect_failed(name, error);
  return {};
}

Result<std::unique_ptr<Stream>> connect_to(const Endpoint& endpoint, std::chrono::milliseconds timeout) {
  const Deadline deadline = Deadline::in(timeout);
  if (endpoint.transport == Transport::kUnix) return connect_unix(endpoint.socket, deadline);
  if (!is_private(endpoint) && !endpoint.insecure)
    return make_error(
        "PLAIN_TCP_REFUSED",
        endpoint_text(endpoint) + " is another machine, and plain TCP shows it all to the network",
        "use TLS (--tls --pin HEX), or say --insecure where the way is encrypted already");
  return connect_over_network(endpoint, deadline);
}

}  // namespace hostclaw::hostlink
