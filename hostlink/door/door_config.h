// SPDX-License-Identifier: Apache-2.0
// The daemon's configuration file (HostLink contract, section 4): `key = value`, `#` and `;` comments,
// section headers and unknown keys ignored, booleans true/yes/1, lines of at most 1023 bytes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hostclaw::hostlink {

inline constexpr const char* kDefaultConfigPath = "/etc/hostlink/hostlink.conf";

struct DoorConfig {
  std::string node_name = "hostlink";
  std::string auth_token;  // a secret; empty: there is no token named `default`

  bool unix_enabled = true;
  std::string unix_path = "/run/hostlink/hostlink.sock";
  std::uint32_t unix_mode = 0660;
  std::string unix_group = "hostlink";

  bool tcp_enabled = false;
  std::string tcp_bind = "127.0.0.1";
  std::uint16_t tcp_port = 9876;
  bool tls = false;      // TLS 1.3 on TCP; ours. Also true when tls_cert is given
  std::string tls_cert;  // PEM; empty: a certificate of this machine's own
  std::string tls_key;
  bool insecure = false;  // protocol 1 without TLS beyond loopback; ours

  std::int64_t max_concurrent = 8;
  std::int64_t max_concurrent_io = 4;
  std::int64_t default_timeout_ms = 30'000;
  std::int64_t max_timeout_ms = 300'000;
  std::string shell = "/bin/sh";
  std::int64_t default_max_output_bytes = 4'194'304;
  std::int64_t max_output_bytes = 67'108'864;
  std::string output_tmpdir = "/run/hostlink/output";
  std::int64_t job_default_timeout_ms = 86'400'000;
  std::int64_t job_max_timeout_ms = 604'800'000;
  std::int64_t job_max_spool_bytes = 268'435'456;
  std::int64_t job_retention_s = 86'400;

  std::string log_target = "stderr";  // stderr | syslog | a path
  std::string log_level = "info";

  std::vector<std::string> warnings;  // sentences about what was read and not followed
};

// Errors: CONFIG_INVALID with the line and what is wrong there. A number beyond what makes sense is one.
Result<DoorConfig> parse_door_config(std::string_view text);
// Errors: also CONFIG_UNREADABLE.
Result<DoorConfig> read_door_config(const std::string& path);

// What a reload (SIGHUP) takes over from `next`; everything else needs a restart.
void take_reloadable(DoorConfig& current, const DoorConfig& next);

}  // namespace hostclaw::hostlink
