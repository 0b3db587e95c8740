// SPDX-License-Identifier: Apache-2.0
// The relay as a whole: its listener and its service on one loop, its database on a thread of its own.
// Errors: LISTEN_FAILED, TLS_FILES_INVALID, RELAY_EXPOSED (it would be reached from other machines without
// TLS or without a token), STORE_*; RELAY_RUNS is the listener's when the port is taken.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "clawlink/http/service.h"

namespace hostclaw::clawlink {

// Every agent that a relay may have, and others beside them. Each connection is an open file.
inline constexpr int kMostConnections = 12'000;

struct RelayOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 9077;    // 0: any that is free
  std::string tls_certificate;  // PEM files; empty: plain HTTP
  std::string tls_key;
  bool insecure = false;  // plain HTTP beyond this machine all the same
  std::string state_directory;
  int most_connections = kMostConnections;  // further ones are closed
  ServiceConfig service;
};

// Whether a relay may be served so, as far as that is known without opening anything.
Result<void> check_relay_options(const RelayOptions& options);

class Relay {
 public:
  static Result<std::unique_ptr<Relay>> open(RelayOptions options);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  std::uint16_t port() const;
  std::string url() const;
  // Serves until a signal ends the process (INT, TERM) or stop() is called.
  void run();
  // From any thread.
  void stop();

 private:
  struct Impl;
  explicit Relay(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hostclaw::clawlink
