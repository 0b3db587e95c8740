// SPDX-License-Identifier: Apache-2.0
// hostclaw import --from DIR: take over identity, token, settings and approvals of an OpenClaw state
// directory.
#include "approvals/audit/audit_chain.h"
#include "approvals/policy/openclaw_import.h"
#include "cli/command_line.h"
#include "cli/progress.h"
#include "node-host/app/node_config.h"
#include "node-host/doors/gateway/exec_approvals.h"
#include "node-host/loop/uuid.h"
#include "node-host/record/audit_signing.h"
#include "policy/document/document.h"

namespace hostclaw::cli {
namespace {

struct ImportFlags {
  std::string from;
  bool force = false;
  bool json = false;
};

Result<void> take_identity(approvals::Store& store, const approvals::OpenClawState& state, bool force) {
  auto key = gateway_proto::DeviceIdentity::from_private_key_pem(state.identity->private_key_pem);
  if (!key) return key.error();
  if (key->device_id() != state.identity->device_id) {
    return make_error("IMPORT_MALFORMED", "the device id there does not belong to the key there");
  }
  auto mine = store.identity();
  if (!mine) return mine.error();
  if (*mine && (*mine)->device_id != key->device_id() && !force) {
    return make_error("IDENTITY_EXISTS",
                      "this node already has an identity of its own (" + (*mine)->device_id + ")",
                      "hostclaw import --force --from DIR   (the gateway will see another device)");
  }
  // From here on this key signs the record, and what is there already counts as signed by it.
  return store.transaction([&]() -> Result<void> {
    if (auto kept = store.replace_identity(*state.identity); !kept) return kept;
    approvals::AuditOptions options;
    options.signer = node_host::audit_signer(*key);
    if (auto made = approvals::AuditChain(store, std::move(options)).checkpoint(); !made) return made.error();
    return {};
  });
}

Result<void> take_token(approvals::Store& store, const approvals::OpenClawState& state) {
  auto current = store.device_token(state.identity->device_id, "node");
  if (!current) return current.error();
  const std::optional<std::string> expected = *current ? std::optional((*current)->token) : std::nullopt;
  return store.put_device_token(state.identity->device_id, "node", *state.node_token, expected);
}

Result<void> take_approvals(approvals::Store& store, const std::string& raw, const std::string& from) {
  auto json = parse_ordered_json(raw);
  if (!json) return make_error("IMPORT_MALFORMED", "the approvals document there: " + json.error().message);
  json->erase("socket");  // of OpenClaw's companion apps; its token is a secret of theirs
  auto document = policy::read_document(*json, node_host::new_uuid);
  if (!document) return document.error();
  auto stored = store.document();
  if (!stored) return stored.error();
  auto written = store.put_document(policy::serialize_document(*document), stored->hash, {"import", from});
  if (!written) return written.error();
  return {};
}

int run_import(const ImportFlags& flags) {
  auto state = [&flags] {
    const Progress progress("reading " + for_terminal(flags.from));
    return approvals::read_openclaw_state(flags.from);
  }();
  if (!state) return fail(state.error(), flags.json);
  auto store = open_store(approvals::OpenMode::kReadWrite);
  if (!store) return fail(store.error(), flags.json);

  Json taken = Json::array();
  std::vector<std::string> notes = state->notes;
  if (state->identity) {
    if (auto done = take_identity(**store, *state, flags.force); !done) return fail(done.error(), flags.json);
    taken.push_back("identity");
    if (state->node_token) {
      if (auto done = take_token(**store, *state); !done) return fail(done.error(), flags.json);
      taken.push_back("device token");
    } else {
      notes.push_back(
          "no device token of a node was found: the gateway's shared token or a setup code is needed once");
    }
  }
  if (state->node_config) {
    auto config = node_host::node_config_from(*state->node_config);
    if (!config) return fail(config.error(), flags.json);
    // OpenClaw's list names commands this host does not serve.
    config->commands.reset();
    if (config->node_id.empty()) config->node_id = node_host::new_uuid();
    if (auto done = node_host::save_node_config(**store, *config); !done)
      return fail(done.error(), flags.json);
    taken.push_back("node settings");
  }
  if (state->approvals_raw_text) {
    if (auto done = take_approvals(**store, *state->approvals_raw_text, flags.from); !done) {
      notes.push_back("the approvals document was not taken over: " + done.error().message);
    } else {
      taken.push_back("approvals");
      notes.push_back(
          "where the document is silent, hostclaw is stricter than OpenClaw (hostclaw exec-policy show)");
    }
  }
  if (flags.json) {
    print_json(Json{{"ok", true}, {"generation", state->generation}, {"taken", taken}, {"notes", notes}});
    return kDone;
  }
  std::string list;
  for (const Json& item : taken) list += (list.empty() ? "" : ", ") + item.get<std::string>();
  print_line(list.empty() ? "nothing to take over" : "taken over: " + list);
  for (const std::string& text : notes) note("note: " + for_terminal(text));
  if (!taken.empty()) note("next: stop the official node host, then: hostclaw node run");
  return kDone;
}

}  // namespace

void add_import(CLI::App& parent, Action& action) {
  const auto flags = std::make_shared<ImportFlags>();
  CLI::App* verb =
      parent.add_subcommand("import", "Take over a paired OpenClaw node, so that it need not pair again");
  verb->add_option("--from", flags->from, "OpenClaw's state directory, e.g. ~/.openclaw (only read)")
      ->required();
  verb->add_flag("--force", flags->force, "Replace an identity that this node already has");
  verb->add_flag("--json", flags->json, "Print JSON");
  verb->callback([&action, flags] { action = [flags] { return run_import(*flags); }; });
}

}  // namespace hostclaw::cli
