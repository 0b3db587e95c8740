// The flags of `node run` and `connect`: the official ones, and which of them mean nothing here.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "node-host/node_host.h"

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
};

// `pairing`: also --pair, --pair-if-needed and --pair-file.
void add_node_flags(CLI::App& verb, NodeFlags& flags, bool pairing);

// Checks what CLI11 cannot, notes flags without meaning on stderr. Errors: CONFIG_INVALID.
Result<node_host::NodeOptions> node_options(const NodeFlags& flags);

}  // namespace hostclaw::cli
