// SPDX-License-Identifier: Apache-2.0
// Where the gateway is, and whether it may be spoken to in the clear.
// Source: transport contract sections 1.1, 1.3, 1.4. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hostclaw::gateway_proto {

struct GatewayEndpoint {
  std::string host = "127.0.0.1";  // name or IP literal, IPv6 without brackets
  std::uint16_t port = 18789;
  bool tls = false;
  std::string context_path;     // empty or "/a/b" without a trailing slash
  std::string tls_fingerprint;  // empty or 64 lower-case hex digits: SHA-256 of the leaf certificate

  std::string url() const;          // ws(s)://host:port/path, IPv6 bracketed
  std::string target() const;       // the request target: context path or "/"
  std::string host_header() const;  // host:port
  // Scheme, host, port and path are equal; the pin is not part of it.
  bool same_address(const GatewayEndpoint& other) const;
};

// ws:// or wss:// (http/https are read as ws/wss). No userinfo, query or fragment. A missing port is 80 or
// 443. Errors: CONFIG_INVALID with the reason.
Result<GatewayEndpoint> parse_gateway_url(std::string_view url);

// Host names, IPv4 and IPv6 literals (bracketed or not). Errors: CONFIG_INVALID.
Result<std::string> normalize_host(std::string_view host);

// A leading `/` is added, trailing ones are removed; `..`, control characters, query and fragment are
// refused.
Result<std::string> normalize_context_path(std::string_view path);

// 64 hex digits or 32 colon-separated pairs, any case, optional `sha256:` prefix -> 64 lower-case digits.
// Errors: CONFIG_INVALID.
Result<std::string> normalize_fingerprint(std::string_view text);

enum class HostClass { kLoopback, kPrivateAddress, kLocalName, kOtherName, kPublicAddress };
HostClass classify_host(std::string_view host);

// Plaintext is for loopback and private addresses, `*.local` and `*.ts.net`; other names only when the
// environment variable OPENCLAW_ALLOW_INSECURE_PRIVATE_WS=1 is set (`allow_insecure_names`); public IP
// literals never. A pin together with plaintext is an error too. Errors: CONFIG_INVALID, text starts with
// SECURITY ERROR.
Result<void> check_transport_security(const GatewayEndpoint& endpoint, bool allow_insecure_names);

}  // namespace hostclaw::gateway_proto
