// SPDX-License-Identifier: Apache-2.0
// One node: its store, its doors, its corridor. What `hostclaw node run` runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "gateway-proto/endpoint.h"
#include "node-host/app/door_maker.h"
#include "node-host/system/process/supervisor.h"
#include "policy/model/types.h"

namespace hostclaw::node_host {

inline constexpr int kExitConfiguration = 78;  // EX_CONFIG; service managers must not restart on it

// Options of one start; what is not given comes from the store, then from the defaults.
struct NodeOptions {
  std::string state_directory;
  std::string version;
  std::optional<std::string> host;
  std::optional<std::uint16_t> port;
  std::optional<bool> tls;
  std::optional<std::string> context_path;
  std::optional<std::string> tls_fingerprint;
  std::optional<std::string> node_id;
  std::optional<std::string> display_name;
  std::vector<std::string> commands;  // --commands: saved, exact
  bool all_commands = false;          // --all-commands: forget the saved list
  std::string setup_code;             // code, oc-pair:// URL or join URL; a secret
  bool only_if_unpaired = false;      // --pair-if-needed
  bool stop_when_connected = false;   // connect once, verify, end
  // After SIGTERM no new command is taken and those that run have this long to end; then they are cancelled
  // and recorded. A second signal ends the wait.
  std::chrono::seconds stop_grace{0};
  bool hangup_reloads = false;   // SIGHUP: doors read their settings again, as daemons do
  bool without_gateway = false;  // other doors alone; nothing is paired
  std::vector<DoorMaker> doors;
};

// Every command this host can serve, sorted.
const std::vector<std::string>& supported_commands();

// Runs until a signal or a terminal error; answers the exit status: 0, 1 (credentials must change),
// 78 (configuration must change), 130 (SIGINT), 143 (SIGTERM); 0 also when the supervisor asked for the end.
// Never throws. `supervisor`: who supervises, where the environment does not tell (Windows' Service Control
// Manager).
// Requires: called once per process; blocks SIGINT and SIGTERM handling of its own.
int run_node(const NodeOptions& options, std::unique_ptr<Supervisor> supervisor = nullptr);

// What a running node last said about its link: {state, url, detail, requestId, next, serverVersion,
// protocol, pid, sinceMs}; nullopt when no node has ever run here.
inline constexpr const char* kLinkStatusKey = "runtime.link";

}  // namespace hostclaw::node_host
