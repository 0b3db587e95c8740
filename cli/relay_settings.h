// SPDX-License-Identifier: Apache-2.0
// How a relay is served: the flags of `clawlink serve` and `enable` without the token itself. What it was
// served with last stands in `clawlink.served.json` in its state directory (0600), for `doctor`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "clawlink/push/push_target.h"
#include "cli/command_line.h"

namespace hostclaw::cli {

enum class TokenSource { kNone, kCommandLine, kFile, kEnvironment, kService };

struct RelaySettings {
  std::string host = "127.0.0.1";
  int port = 9077;
  std::string token_file;
  std::string tls_certificate;
  std::string tls_key;
  bool insecure = false;
  bool no_mdns = false;
  bool require_credentials = false;
  std::string public_url;
  int forget_agents_days = 30;
  // 0: for ever, and any number.
  int keep_tasks_days = 30;
  int keep_tasks = 100'000;
  int keep_record_days = 0;
  int keep_record_rows = 0;
  bool no_push = false;
  std::vector<std::string> push_to;               // [http://]HOST[:PORT]
  TokenSource token_source = TokenSource::kNone;  // not a flag: where the token came from

  bool tls() const { return !tls_certificate.empty(); }
  bool only_this_machine() const;
  std::string url() const;
  std::string kept() const;  // how long what is over is kept, for people
};

void add_relay_flags(CLI::App& verb, RelaySettings& settings);
// Words behind `clawlink serve` that mean the same, without the token's file.
std::vector<std::string> serve_words(const RelaySettings& settings);
// Of such words, those of a service's definition for example; what is not understood is passed over.
RelaySettings settings_from_words(const std::vector<std::string>& words);
// CONFIG_INVALID.
Result<clawlink::PushRules> push_rules(const RelaySettings& settings);
// Relative paths made absolute, as a service needs them.
void make_paths_absolute(RelaySettings& settings);

// state_directory(), or this account's own where a relay of its own keeps its state and the node is the
// machine's.
Result<std::string> relay_state_directory();

// The token in a file: CONFIG_INVALID when it holds none.
Result<std::string> token_in_file(const std::string& path);

Result<void> keep_settings(const std::string& state_directory, const RelaySettings& settings);
std::optional<RelaySettings> kept_settings(const std::string& state_directory);

}  // namespace hostclaw::cli
