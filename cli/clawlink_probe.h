// SPDX-License-Identifier: Apache-2.0
// What a relay and its certificate say to `hostclaw doctor`: asked as anybody may ask, without a token.
// Thread rule: any thread; ask_relay() blocks, for a second at most.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/relay_settings.h"

namespace hostclaw::cli {

struct RelayAnswer {
  enum class Kind {
    kRelay,
    kOther,   // something answers there, and it is no relay
    kSilent,  // something listens, and no answer can be read
    kNobody,
  };
  Kind kind = Kind::kNobody;
  std::string detail;        // why not; empty for a relay
  bool wants_token = false;  // then it says nothing else without one
  std::string version;
  std::int64_t agents_online = 0;
  std::optional<std::int64_t> clock_ahead_ms;  // of this machine, before the relay's
  std::string certificate_sha256;              // that it showed, hex; empty without TLS
};
RelayAnswer ask_relay(const RelaySettings& settings);

struct CertificateLook {
  std::int64_t begins_ms = 0;
  std::int64_t ends_ms = 0;
  std::string sha256;  // hex
};
// The first certificate of a PEM file. CERTIFICATE_UNREADABLE.
Result<CertificateLook> look_at_certificate(const std::string& path);
// KEY_UNREADABLE: it is not there, no PEM, wants a pass phrase, or is that of another certificate.
Result<void> check_key_of(const std::string& certificate_path, const std::string& key_path);

}  // namespace hostclaw::cli
