// SPDX-License-Identifier: Apache-2.0
// What `hostclaw status` and `hostclaw node status` say about link, pairing, policy and last runs. From the
// store alone.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "approvals/store/store.h"
#include "base/json.h"
#include "base/result.h"
#include "node-host/app/node_config.h"
#include "node-host/doors/gateway/gateway_policy.h"
#include "node-host/system/files/instance_lock.h"

namespace hostclaw::cli {

struct StatusReport {
  std::string state_path;
  std::optional<node_host::RunningNode> node;  // that holds the lock of this state now
  std::optional<Error> store_problem;          // why nothing may run: records or policy
  std::string device_id;                       // empty: none yet
  node_host::NodeConfig config;
  Json link;  // as node_host::kLinkStatusKey; state `never-started` or `not-running` when no node lives
  std::optional<OrderedJson> policy;  // resolvedDefaults
  std::string approvals_hash;
  std::string policy_error;
  bool observes = false;  // everything runs, and what would be asked about or denied is counted
  std::vector<approvals::RunRow> last_runs;  // newest first, at most three
  std::optional<approvals::RunRow> last_denial;
  std::optional<approvals::RunRow> last_question;
  std::size_t open_questions = 0;  // that wait for an answer on this machine; to a run none
  std::map<std::string, node_host::GatewayPolicy> gateway_policies;  // by agent
  Json mirrors;                                                      // of the record, as mirrors_json()
  std::vector<std::string> failing_mirrors;                          // one line for each that lost rows
};

// Whether the node of this state is a living process, as far as can be seen from here.
bool node_lives(approvals::Store& store);

Result<StatusReport> read_status(approvals::Store& store);

// The state of each pairing stage: done | pending | unknown; of the surface also `unconfirmed` (nothing but a
// command that arrives, or an operator, tells a node what a gateway dispatches) and `none`.
struct PairingStages {
  std::string device;
  std::string surface;
  std::string next;  // what to type on the gateway, or empty
};
PairingStages pairing_stages(const StatusReport& report);

void add_to_json(const StatusReport& report, Json& body);
void print_status(const StatusReport& report);

}  // namespace hostclaw::cli
