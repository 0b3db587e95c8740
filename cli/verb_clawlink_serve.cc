// SPDX-License-Identifier: Apache-2.0
// hostclaw clawlink serve: the relay itself.
#include <algorithm>
#include <memory>

#include "base/clock.h"
#include "base/file_names.h"
#include "clawlink/discovery/announcement.h"
#include "clawlink/http/relay.h"
#include "cli/relay_settings.h"
#include "cli/verb_clawlink.h"
#include "node-host/app/node_host.h"
#include "node-host/system/host/host_facts.h"
#include "node-host/system/process/process_start.h"
#include "node-host/system/process/supervisor.h"

namespace hostclaw::cli {
namespace {

struct ServeFlags {
  RelaySettings settings;
  std::string token;
  bool json = false;
};

// --token as the original has it; better a file, the environment or a service's credential, which other
// accounts cannot read.
Result<std::string> shared_token(ServeFlags& flags) {
  RelaySettings& settings = flags.settings;
  const auto from = [&settings](TokenSource source, Result<std::string> token) {
    if (token && !token->empty()) settings.token_source = source;
    return token;
  };
  if (!flags.token.empty()) return from(TokenSource::kCommandLine, flags.token);
  if (!settings.token_file.empty()) return from(TokenSource::kFile, token_in_file(settings.token_file));
  if (std::string handed = node_host::supervised_secret("clawlink-token"); !handed.empty())
    return from(TokenSource::kService, std::move(handed));
  return from(TokenSource::kEnvironment, environment_variable("CLAWLINK_TOKEN").value_or(""));
}

// A service manager must not start it again on these.
int fail_to_serve(const Error& error, bool json) {
  fail(error, json);
  const bool configuration =
      error.code == "CONFIG_INVALID" || error.code == "RELAY_EXPOSED" || error.code == "TLS_FILES_INVALID";
  return configuration ? node_host::kExitConfiguration : kFailed;
}

// Database, log, standard streams and what a connection needs for a moment.
constexpr std::uint64_t kDescriptorsBesideConnections = 64;

// As many connections as this process may have files for.
int connections_with_room() {
  const std::uint64_t wanted = clawlink::kMostConnections + kDescriptorsBesideConnections;
  const std::uint64_t may = node_host::raise_descriptor_limit(wanted);
  if (may >= wanted) return clawlink::kMostConnections;
  const std::uint64_t room =
      may - std::min(may / 2, kDescriptorsBesideConnections);  // with very few, some for each
  note("clawlink: this process may have " + std::to_string(may) + " files open: at most " +
       std::to_string(room) + " connections -- next: ulimit -Hn " + std::to_string(wanted) +
       "    (of a service: LimitNOFILE=)");
  return static_cast<int>(room);
}

clawlink::RelayLimits limits_of(const RelaySettings& settings) {
  clawlink::RelayLimits limits;
  limits.forget_agent_ms = settings.forget_agents_days * clawlink::kDay;
  limits.keep_tasks_ms = limits.keep_dead_letters_ms = settings.keep_tasks_days * clawlink::kDay;
  limits.keep_ended_tasks = settings.keep_tasks;
  limits.keep_record_ms = settings.keep_record_days * clawlink::kDay;
  limits.keep_record_rows = settings.keep_record_rows;
  return limits;
}

// On the network by mDNS, where other machines reach the relay; null: it is not to be.
std::unique_ptr<clawlink::Announcement> announce(const RelaySettings& settings) {
  if (settings.no_mdns || settings.only_this_machine()) return nullptr;
  clawlink::AnnouncedRelay relay;
  relay.hostname = node_host::host_name();
  relay.version = version();
  relay.address = settings.host;
  relay.port = static_cast<std::uint16_t>(settings.port);
  relay.needs_token = settings.token_source != TokenSource::kNone;
  relay.tls = settings.tls();
  return std::make_unique<clawlink::Announcement>(std::move(relay),
                                                  [](const std::string& line) { note("clawlink: " + line); });
}

int serve(ServeFlags flags) {
  const Result<std::string> token = shared_token(flags);
  const auto supervisor = node_host::supervisor_of_this_process();
  if (!token) return fail_to_serve(token.error(), flags.json);
  RelaySettings& settings = flags.settings;
  make_paths_absolute(settings);
  Result<clawlink::PushRules> push = push_rules(settings);
  if (!push) return fail_to_serve(push.error(), flags.json);
  const Result<std::string> directory = state_directory();
  if (!directory) return fail(directory.error(), flags.json);
  clawlink::RelayOptions options;
  options.host = settings.host;
  options.port = static_cast<std::uint16_t>(settings.port);
  options.tls_certificate = settings.tls_certificate;
  options.tls_key = settings.tls_key;
  options.insecure = settings.insecure;
  options.state_directory = *directory;
  options.most_connections = connections_with_room();
  options.service.routes.access.shared_token = *token;
  options.service.routes.access.require_credentials = settings.require_credentials;
  options.service.routes.push = std::move(*push);
  options.service.routes.version = version();
  options.service.routes.note = "hostclaw's relay: what it has acknowledged it keeps";
  options.service.public_url = settings.public_url;
  options.service.limits = limits_of(settings);
  options.service.look_at_clock = [] {
    return approvals::ClockLook{unix_ms_now(), node_host::uptime_ms(), node_host::boot_id()};
  };
  options.service.log = [](const std::string& line) { note("clawlink: " + line); };
  auto relay = clawlink::Relay::open(std::move(options));
  if (!relay) return fail_to_serve(relay.error(), flags.json);
  settings.port = (*relay)->port();
  if (const auto kept = keep_settings(*directory, settings); !kept)
    note("clawlink: doctor will not know how this relay is served: " + kept.error().message);
  supervisor->status("serving on " + (*relay)->url());
  supervisor->ready();
  note("clawlink: serving on " + (*relay)->url() + ", state in " + *directory);
  note("clawlink: " + settings.kept());
  if (token->empty())
    note("clawlink: no token is needed; every program on this machine can register and delegate");
  if (settings.insecure && settings.tls_certificate.empty())
    note("clawlink: --insecure: whoever is on the network reads and changes what is said, tokens too");
  if (flags.json)
    print_json(
        Json{{"ok", true}, {"url", (*relay)->url()}, {"port", (*relay)->port()}, {"state", *directory}});
  std::fflush(stdout);
  std::unique_ptr<clawlink::Announcement> announcement = announce(settings);
  (*relay)->run();
  announcement.reset();
  note("clawlink: ended; what waits is kept");
  return kDone;
}

}  // namespace

void add_clawlink_serve(CLI::App& clawlink, Action& action) {
  const auto flags = std::make_shared<ServeFlags>();
  CLI::App* verb = clawlink.add_subcommand(
      "serve",
      "Run a relay in the place of the original's server.py; what it has acknowledged survives its end");
  add_relay_flags(*verb, flags->settings);
  verb->add_option("--port", flags->settings.port, "Port; 0: any that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  verb->add_option(
      "--token", flags->token,
      "Shared token that clients show; better CLAWLINK_TOKEN or --token-file, for others see a command line");
  verb->add_flag("--json", flags->json, "One JSON object when it serves, and for errors");
  verb->callback([&action, flags] { action = [flags] { return serve(*flags); }; });
}

}  // namespace hostclaw::cli
