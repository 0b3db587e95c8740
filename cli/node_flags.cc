// SPDX-License-Identifier: Apache-2.0
#include "cli/node_flags.h"

#include <cstdlib>

#include "base/file_names.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "gateway-proto/endpoint.h"
#include "hostlink/door/hostlink_door.h"
#include "node-host/loop/log.h"
#include "node-host/system/process/supervisor.h"

namespace hostclaw::cli {
namespace {

struct MeaninglessFlag {
  const char* name;
  const char* why;
};

constexpr MeaninglessFlag kMeaningless[] = {
    {"--session-host", "this host runs commands only; it hosts no worker sessions"},
    {"--share-installed-apps", "sharing installed applications exists on macOS only"},
    {"--no-share-installed-apps", "sharing installed applications exists on macOS only"},
    {"--ephemeral", "the state directory decides what is kept; use a temporary HOSTCLAW_STATE_DIR"},
    {"--desktop-sharing", "this host has no desktop sharing"},
    {"--no-desktop-sharing", "this host has no desktop sharing"},
    {"--auth-from-env", "the environment is always read"},
    {"--parent-stdin", "there is no parent launcher"},
};

// The flag, else the variable, which must then hold one of the words.
Result<std::string> flag_or_variable(const std::string& flag, const char* variable,
                                     std::initializer_list<std::string_view> words) {
  if (!flag.empty()) return flag;
  const std::string value = environment_variable(variable).value_or("");
  if (value.empty() || is_one_of(value, words)) return value;
  std::string known;
  for (const std::string_view word : words) known += (known.empty() ? "" : ", ") + std::string(word);
  return make_error("CONFIG_INVALID", std::string(variable) + " must be one of " + known);
}

Result<void> set_up_log(const NodeFlags& flags) {
  using node_host::LogFormat;
  const auto level =
      flag_or_variable(flags.log_level, "HOSTCLAW_LOG_LEVEL", {"error", "warn", "info", "debug"});
  if (!level) return level.error();
  const auto format = flag_or_variable(flags.log_format, "HOSTCLAW_LOG_FORMAT", {"text", "json"});
  if (!format) return format.error();
  if (flags.verbose && flags.log_level.empty()) {
    node_host::set_log_level(node_host::LogLevel::kDebug);
  } else if (!level->empty()) {
    node_host::set_log_level(node_host::log_level_named(*level));
  }
  const bool journal = flags.log_file.empty() && node_host::standard_error_is_journal();
  if (*format == "json") {
    node_host::set_log_format(journal ? LogFormat::kJournalJson : LogFormat::kJson);
  } else if (format->empty() && journal) {
    node_host::set_log_format(LogFormat::kJournal);
  }
  if (flags.log_file.empty()) return {};
  return node_host::set_log_file(flags.log_file);
}

}  // namespace

Result<void> read_host(NodeFlags& flags) {
  if (!flags.host) return {};
  const std::string given = *flags.host;
  std::string url = given;
  if (given.find("://") == std::string::npos) {
    // Bare IPv6 addresses have several colons; [::1]:18789 has a port.
    const std::size_t colon = given.rfind(':');
    const bool port = colon != std::string::npos && colon > 0 && colon + 1 < given.size() &&
                      given.find_first_not_of("0123456789", colon + 1) == std::string::npos &&
                      (given.find(':') == colon || given[colon - 1] == ']');
    if (!port) return {};
    url = (flags.tls ? "wss://" : "ws://") + given;
  } else if (flags.tls && given.starts_with("ws://")) {
    return make_error("CONFIG_INVALID", "--host " + given + " is without TLS, and --tls wants it",
                      "--host wss" + given.substr(2));
  } else if (flags.no_tls && given.starts_with("wss://")) {
    return make_error("CONFIG_INVALID", "--host " + given + " is with TLS, and --no-tls does not want it",
                      "--host ws" + given.substr(3));
  }
  const auto endpoint = gateway_proto::parse_gateway_url(url);
  if (!endpoint) return endpoint.error();
  const std::string authority = url.substr(url.find("://") + 3);
  const std::size_t end = authority.find('/');
  const std::string name = authority.substr(0, end);
  const bool names_port = name.rfind(':') != std::string::npos && name.back() != ']';
  if (names_port && flags.port && *flags.port != endpoint->port)
    return make_error("CONFIG_INVALID",
                      "--host " + given + " and --port " + std::to_string(*flags.port) + " name two ports",
                      "give the port once");
  if (flags.context_path && !endpoint->context_path.empty() && *flags.context_path != endpoint->context_path)
    return make_error("CONFIG_INVALID", "--host " + given + " and --context-path name two paths",
                      "give the path once");
  flags.host = endpoint->host;
  if (names_port) flags.port = endpoint->port;
  if (!endpoint->context_path.empty()) flags.context_path = endpoint->context_path;
  if (given.find("://") != std::string::npos) {
    flags.tls = endpoint->tls;
    flags.no_tls = !endpoint->tls;
  }
  return {};
}

void add_node_flags(CLI::App& verb, NodeFlags& flags, bool pairing) {
  verb.add_option(
      "--host", flags.host,
      "Gateway host, also HOST:PORT or ws:// and wss:// URLs (default: the saved one, else 127.0.0.1)");
  verb.add_option("--port", flags.port, "Gateway port (default: the saved one, else 18789)")
      ->check(CLI::Range(1, 65535));
  verb.add_option("--context-path", flags.context_path,
                  "Path of the gateway behind a reverse proxy, e.g. /claw");
  auto* tls = verb.add_flag("--tls", flags.tls, "Use TLS");
  auto* no_tls = verb.add_flag("--no-tls", flags.no_tls, "Do not use TLS");
  tls->excludes(no_tls);
  verb.add_option("--tls-fingerprint", flags.tls_fingerprint,
                  "SHA-256 of the gateway's certificate; checked before anything is sent");
  verb.add_option("--node-id", flags.node_id, "Instance id (a UUID) that the gateway shows; saved");
  verb.add_option("--display-name", flags.display_name, "Name that the gateway shows; saved");
  auto* commands = verb.add_option("--commands", flags.commands,
                                   "Serve exactly these commands (comma-separated, repeatable); saved");
  auto* all =
      verb.add_flag("--all-commands", flags.all_commands, "Serve every command; forgets a saved list");
  commands->excludes(all);
  if (pairing) {
    auto* pair =
        verb.add_option("--pair", flags.pair, "Pair with this setup code, oc-pair:// URL or join URL");
    auto* if_needed = verb.add_option("--pair-if-needed", flags.pair_if_needed,
                                      "As --pair, unless this node is paired already");
    auto* file = verb.add_option("--pair-file", flags.pair_file,
                                 "Read the setup code from a file, or from - (keeps it out of ps)");
    pair->excludes(if_needed);
    file->excludes(pair)->excludes(if_needed);
  }
  verb.add_flag("-v,--verbose", flags.verbose, "Log every step (--log-level debug)");
  verb.add_option("--log-level", flags.log_level,
                  "Least important lines that are logged (default: $HOSTCLAW_LOG_LEVEL, else info)")
      ->check(CLI::IsMember({"error", "warn", "info", "debug"}));
  verb.add_option(
          "--log-format", flags.log_format,
          "Form of log lines (default: $HOSTCLAW_LOG_FORMAT, else text; systemd's journal gets priorities)")
      ->check(CLI::IsMember({"text", "json"}));
  if (pairing) {
    verb.add_option("--log-file", flags.log_file,
                    "Log to this file (0600, renamed at 10 MiB) instead of stderr");
    verb.add_option("--stop-grace", flags.stop_grace,
                    "Seconds that running commands have to end after SIGTERM, before they are cancelled")
        ->check(CLI::Range(0, 3600));
  }
  for (const MeaninglessFlag& flag : kMeaningless) {
    verb.add_flag_callback(
            flag.name,
            [&flags, flag] { flags.without_meaning.push_back(std::string(flag.name) + ": " + flag.why); },
            "Accepted for compatibility; no meaning here")
        ->group("");
  }
}

Result<node_host::NodeOptions> node_options(NodeFlags flags) {
  if (auto read = read_host(flags); !read) return read.error();
  // A node of its own, also beside an installed service: not the service's state.
  auto directory = approvals::default_state_directory();
  if (!directory) return directory.error();
  if (auto ready = set_up_log(flags); !ready) return ready.error();
  for (const std::string& flag : flags.without_meaning) note("note: " + flag);
  node_host::NodeOptions options;
  options.state_directory = *directory;
  options.version = version();
  options.host = flags.host;
  if (flags.port) options.port = static_cast<std::uint16_t>(*flags.port);
  if (flags.tls) options.tls = true;
  if (flags.no_tls) options.tls = false;
  options.context_path = flags.context_path;
  options.tls_fingerprint = flags.tls_fingerprint;
  options.node_id = flags.node_id;
  options.display_name = flags.display_name;
  options.commands = flags.commands;
  options.all_commands = flags.all_commands;
  options.stop_grace = std::chrono::seconds(flags.stop_grace);
  options.setup_code = !flags.pair.empty() ? flags.pair : flags.pair_if_needed;
  options.only_if_unpaired = !flags.pair_if_needed.empty();
  if (!flags.pair_file.empty()) {
    auto text = read_input(flags.pair_file, 65'536);
    if (!text) return text.error();
    options.setup_code = std::string(trim(*text));
  }
  for (const std::optional<std::string>& text : {options.display_name, options.node_id}) {
    if (text && trim(*text).empty())
      return make_error("CONFIG_INVALID", "--display-name and --node-id may not be blank");
  }
  options.doors.push_back(hostlink::hostlink_door({"", true}));
  return options;
}

}  // namespace hostclaw::cli
