// SPDX-License-Identifier: Apache-2.0
// The flags of `node run` and `connect`: the official ones, and which of them mean nothing here.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "node-host/app/node_host.h"

namespace hostclaw::cli {

struct NodeFlags {
  std::optional<std::string> host;
  std::optional<int> port;
  bool tls = false;
  bool no_tls = false;
  std::optional<std::string> context_path;
  std::optional<std::string> tls_fingerprint;
  std::optional<std::string> node_id;
  std::optional<std::string> display_name;
  std::vector<std::string> commands;
  bool all_commands = false;
  std::string pair;
  std::string pair_if_needed;
  std::string pair_file;
  std::vector<std::string> without_meaning;  // official flags that were given and do nothing here
  bool verbose = false;
  std::string log_level;   // empty: the environment's, else info
  std::string log_format;  // empty: by what standard error is
  std::string log_file;
  int stop_grace = 0;  // seconds
};

// `pairing`: also the flags of a run in this process: --pair, --pair-if-needed, --pair-file, --log-file and
// --stop-grace.
void add_node_flags(CLI::App& verb, NodeFlags& flags, bool pairing);

// Takes a URL or HOST:PORT in --host apart, into the flags that it stands for. Errors: CONFIG_INVALID, also
// where the flags say something else.
Result<void> read_host(NodeFlags& flags);

// Checks what CLI11 cannot, notes flags without meaning on stderr. Errors: CONFIG_INVALID.
// Sets up the log, so call it before anything is logged.
Result<node_host::NodeOptions> node_options(NodeFlags flags);

}  // namespace hostclaw::cli
