// SPDX-License-Identifier: Apache-2.0
// hostclaw clawlink enable | disable: the relay as a service.
#include "base/file_names.h"
#include "base/text.h"
#include "cli/node_service.h"
#include "cli/relay_service.h"
#include "cli/verb_clawlink.h"
#include "node-host/system/host/host_facts.h"

namespace hostclaw::cli {
namespace {

using node_host::ServiceScope;

struct EnableFlags {
  RelaySettings settings;
  ScopeFlags scope;
  bool no_start = false;
  bool json = false;
};

int report_relay(const Result<node_host::ServiceChange>& change, const std::string& sentence, bool json) {
  if (!change) return fail(change.error(), json);
  if (json) {
    Json body{{"ok", true}, {"result", change->result}};
    if (!change->notes.empty()) body["notes"] = change->notes;
    if (!change->warnings.empty()) body["warnings"] = change->warnings;
    print_json(body);
    return kDone;
  }
  print_line(sentence);
  for (const std::string& line : change->notes) note("note: " + for_terminal(line));
  for (const std::string& line : change->warnings) note("warning: " + for_terminal(line));
  return kDone;
}

int enable_service(EnableFlags flags) {
  Result<std::string> token = environment_variable("CLAWLINK_TOKEN").value_or("");
  if (!flags.settings.token_file.empty()) token = token_in_file(flags.settings.token_file);
  if (!token) return fail(token.error(), flags.json);
  make_paths_absolute(flags.settings);
  const ServiceScope scope = flags.scope.scope_of_new();
  const auto change = enable_relay(scope, flags.settings, *token, !flags.no_start);
  const bool already = change && change->result == "already-enabled";
  return report_relay(change,
                      already ? "The relay is enabled already, with these settings."
                              : "The relay is enabled: " + flags.settings.url(),
                      flags.json);
}

int disable_service(const EnableFlags& flags) {
  const bool named = flags.scope.system || flags.scope.user;
  const auto change = disable_relay(named ? flags.scope.scope() : scope_of_relay());
  const bool nothing = change && change->result == "not-enabled";
  return report_relay(change, nothing ? "The relay is not a service here." : "The relay is disabled.",
                      flags.json);
}

}  // namespace

void add_clawlink_service(CLI::App& clawlink, Action& action) {
  const auto flags = std::make_shared<EnableFlags>();
  CLI::App* enable = clawlink.add_subcommand(
      "enable", "Have systemd serve the relay, now and at boot; again with other flags: with those instead");
  add_relay_flags(*enable, flags->settings);
  enable->add_option("--port", flags->settings.port, "Port")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  add_scope_flags(*enable, flags->scope);
  enable->add_flag("--no-start", flags->no_start, "Enable it, but do not start it now");
  enable->add_flag("--json", flags->json, "One JSON object");
  enable->footer(
      "The token comes from CLAWLINK_TOKEN or --token-file, is kept in a file of mode 0600 and handed over "
      "by\n"
      "systemd. Without one, that of the last `enable` stays.");
  enable->callback([&action, flags] { action = [flags] { return enable_service(*flags); }; });
  CLI::App* disable =
      clawlink.add_subcommand("disable", "Stop that service and take it away; the state stays");
  add_scope_flags(*disable, flags->scope);
  disable->add_flag("--json", flags->json, "One JSON object");
  disable->callback([&action, flags] { action = [flags] { return disable_service(*flags); }; });
}

}  // namespace hostclaw::cli
