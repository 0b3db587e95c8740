// SPDX-License-Identifier: Apache-2.0
// hostclaw node run | identity (the others are in verb_node_service.cc)
#include "cli/command_line.h"
#include "cli/node_flags.h"
#include "cli/node_service.h"
#include "node-host/app/node_config.h"

namespace hostclaw::cli {
namespace {

int run(const NodeFlags& flags) {
  auto options = node_options(flags);
  if (!options) return fail(options.error());
  return node_host::run_node(*options);
}

int identity(bool json) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error());
  auto key = node_host::load_identity(**store, false);
  if (!key) return fail(key.error());
  if (json) {
    // One line: the gateway's SSH verification reads exactly this.
    print_json(Json{{"deviceId", key->device_id()}, {"publicKey", key->public_key()}});
  } else {
    print_line("device id   " + key->device_id());
    print_line("public key  " + key->public_key());
  }
  return kDone;
}

}  // namespace

void add_node(CLI::App& parent, Action& action) {
  CLI::App* node = parent.add_subcommand("node", "Run this machine as a node host");
  node->require_subcommand(1);

  const auto flags = std::make_shared<NodeFlags>();
  CLI::App* run_verb =
      node->add_subcommand("run", "Connect to a gateway and serve its commands until stopped");
  add_node_flags(*run_verb, *flags, true);
  run_verb->callback([&action, flags] { action = [flags] { return run(*flags); }; });

  add_node_service(*node, action);

  const auto json = std::make_shared<bool>(false);
  CLI::App* identity_verb = node->add_subcommand("identity", "Show this node's device id and public key");
  identity_verb->add_flag("--json", *json, "One line of JSON: {\"deviceId\",\"publicKey\"}");
  identity_verb->callback([&action, json] { action = [json] { return identity(*json); }; });
}

}  // namespace hostclaw::cli
