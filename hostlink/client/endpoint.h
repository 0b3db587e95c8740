// SPDX-License-Identifier: Apache-2.0
// Where a daemon is, and the way to it. What of this is compiled in is chosen by the build: network.cc has
// TCP and TLS, network_none.cc refuses both, for the client that knows Unix sockets alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "hostlink/client/stream.h"

namespace hostclaw::hostlink {

enum class Transport { kUnix, kTcp, kTls };

inline constexpr const char* kDefaultSocket = "/run/hostlink/hostlink.sock";
inline constexpr std::uint16_t kDefaultPort = 9876;

struct Endpoint {
  Transport transport = Transport::kUnix;
  std::string socket = kDefaultSocket;
  std::string host;
  std::uint16_t port = kDefaultPort;
  bool insecure = false;  // plain TCP to another machine, and its protocol 1, may be used
  // TLS: at least one of a certificate authority's file and a pin (SHA-256 of the certificate, lower-case
  // hex).
  std::string authority_file;
  std::string pin;
  std::string server_name;  // in the certificate; "" for the host
};

std::string_view transport_name(Transport transport);
std::string endpoint_text(const Endpoint& endpoint);  // a path, or host:port
// Whether what is sent stays on this machine or goes through TLS.
bool is_private(const Endpoint& endpoint);
bool is_loopback(std::string_view host);  // localhost, 127.0.0.0/8, ::1

// Errors: CONNECT_FAILED, CONNECT_TIMED_OUT, TLS_FAILED, PLAIN_TCP_REFUSED, TRANSPORT_MISSING.
Result<std::unique_ptr<Stream>> connect_to(const Endpoint& endpoint, std::chrono::milliseconds timeout);
// Of network.cc or network_none.cc. Requires: transport is TCP or TLS.
Result<std::unique_ptr<Stream>> connect_over_network(const Endpoint& endpoint, const Deadline& deadline);
// connect(2) of a socket that does not block. Errors: CONNECT_FAILED, CONNECT_TIMED_OUT.
Result<void> finish_connect(int socket, int connected, const std::string& name, const Deadline& deadline);

}  // namespace hostclaw::hostlink
