// SPDX-License-Identifier: Apache-2.0
// hostclaw hostlink serve | enable | disable | token: the door for containers.
#include <chrono>
#include <filesystem>

#include "approvals/store/settings.h"
#include "base/clock.h"
#include "base/file_names.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/this_system.h"
#include "cli/times.h"
#include "hostlink/door/hostlink_door.h"
#include "hostlink/door/token_book.h"
#include "node-host/app/node_host.h"
#include "node-host/doors/gateway/exec_approvals.h"
#include "node-host/loop/log.h"
#include "node-host/system/process/activated_sockets.h"
#include "node-host/system/process/process_start.h"

namespace hostclaw::cli {
namespace {

using hostlink::TokenBook;
using hostlink::TokenEntry;

struct ServeFlags {
  std::string config;
  std::string pid_file;
  bool foreground = false;
  int verbose = 0;
  std::string security;
  int stop_grace = 0;
};

struct TokenFlags {
  std::string name;
  std::optional<std::string> agent;
  std::vector<std::string> allow;
  std::vector<std::string> roots;
  std::vector<std::string> denied;
  std::string expires;
  std::string security;
  bool json = false;
};

// The real directories: what lies beneath is judged by its real path.
Result<std::vector<std::string>> real_roots(const std::vector<std::string>& roots) {
  std::vector<std::string> real;
  for (const std::string& root : roots) {
    std::error_code error;
    const std::filesystem::path path = to_path(root);
    if (!path.is_absolute() || path != path.lexically_normal() || (root.size() > 1 && root.back() == '/'))
      return make_error("ARGUMENT_INVALID", "`" + root + "` is no plain absolute path of a directory");
    if (!std::filesystem::is_directory(path, error))
      return make_error("ARGUMENT_INVALID", "there is no directory `" + root + "`", "mkdir -p " + root);
    const std::filesystem::path target = std::filesystem::canonical(path, error);
    if (error) return make_error("ARGUMENT_INVALID", "`" + root + "` cannot be followed: " + error.message());
    real.push_back(to_text(target));
  }
  return real;
}

Result<void> check_own_agent(const TokenEntry& entry) {
  if (entry.agent == hostlink::own_agent(entry.name)) return {};
  return make_error("ARGUMENT_INVALID", "the policy of agent " + entry.agent + " is not this token's alone",
                    "hostclaw exec-policy show, or the token without --agent");
}

// What security=full means for a token: every file is within reach ...
void set_reach(TokenEntry& entry, bool full) {
  if (full && entry.roots.empty()) {
    entry.rights = {true, true, true, true};
    entry.roots = {"/"};
  }
  if (!full && entry.roots == std::vector<std::string>{"/"}) {
    entry.rights.files_read = entry.rights.files_write = false;
    entry.roots.clear();
  }
}

// ... and its own agent may run everything.
Result<void> set_policy(approvals::Store& store, const TokenEntry& entry, bool full) {
  approvals::PolicyCache cache;
  const std::string& agent = entry.agent;
  auto edited = node_host::edit_approvals(
      store, cache,
      [&agent, full](OrderedJson& document) {
        OrderedJson& one = document["agents"][agent];
        if (!one.is_object()) one = OrderedJson::object();
        if (full) {
          one["security"] = "full";
          one["ask"] = "off";
        } else {
          one.erase("security");
          one.erase("ask");
        }
      },
      local_actor());
  if (!edited) return edited.error();
  return {};
}

constexpr const char* kWhatFullOpens =
    "security=full: whoever holds this token runs every command as the account of this daemon, and reads and "
    "writes every file it can. Rules that deny still hold, and everything is recorded.";

int say_full(const std::string& name) {
  note("note: " + std::string(kWhatFullOpens));
  note("back: hostclaw hostlink token set " + name + " --security allowlist");
  return kDone;
}

// --- serve

Result<void> settle_default_token(const ServeFlags& flags) {
  if (flags.security.empty()) return {};
  auto config = hostlink::door_config_of(flags.config);
  if (!config) return config.error();
  if (config->auth_token.empty())
    return make_error("CONFIG_INVALID", "--security is for the configuration's auth_token, and there is none",
                      "hostclaw hostlink token add NAME --security full");
  auto store = open_store(approvals::OpenMode::kReadWrite);
  if (!store) return store.error();
  const std::int64_t now_ms = unix_ms_now();
  if (auto kept = TokenBook::set_default(**store, config->auth_token, now_ms); !kept) return kept;
  auto entry = TokenBook::entry(**store, std::string(hostlink::kDefaultTokenName));
  if (!entry) return entry.error();
  const bool full = flags.security == "full";
  set_reach(*entry, full);
  if (auto opened = set_policy(**store, *entry, full); !opened) return opened;
  return TokenBook::change(**store, *entry, local_actor(), now_ms);
}

int serve(const ServeFlags& flags, bool may_detach) {
  // A client's, of whoever started this: no command of a container is to find it.
  (void)node_host::take_environment_secret("HOSTLINK_TOKEN");
  auto activated = node_host::take_activated_socket();
  if (!activated) return fail(activated.error());
  const auto config = hostlink::door_config_of(flags.config);
  if (!config) return fail(config.error());
  if (const auto settled = settle_default_token(flags); !settled) return fail(settled.error());
  if (flags.security == "full") note("note: " + std::string(kWhatFullOpens));
  const auto directory = state_directory();
  if (!directory) return fail(directory.error());
  if (config->log_target == "syslog") {
    note("note: log_target = syslog is not followed: lines go to standard error, which systemd keeps");
  } else if (config->log_target != "stderr") {
    if (const auto set = node_host::set_log_file(config->log_target); !set) return fail(set.error());
  }
  node_host::set_log_level(
      node_host::log_level_named(flags.verbose > 0 ? "debug" : std::string_view(config->log_level)));
  if (may_detach && !flags.foreground) {
    if (const auto gone = detach_from_terminal(); !gone) return fail(gone.error());
  }
  std::string pid_file = flags.pid_file;
  if (pid_file.empty() && may_detach) pid_file = "/run/hostlink/hostlink.pid";
  if (!pid_file.empty()) {
    if (const auto written = write_pid_file(pid_file); !written) return fail(written.error());
  }
  node_host::NodeOptions options;
  options.state_directory = *directory;
  options.version = version();
  options.without_gateway = true;
  options.hangup_reloads = true;
  options.stop_grace = std::chrono::seconds(flags.stop_grace);
  hostlink::DoorSource source{flags.config, false};
  if (*activated) source.activated = std::make_shared<node_host::ActivatedSocket>(std::move(**activated));
  options.doors.push_back(hostlink::hostlink_door(std::move(source)));
  const int status = node_host::run_node(options);
  std::error_code ignored;
  if (!pid_file.empty()) std::filesystem::remove(to_path(pid_file), ignored);
  // Whoever stops a daemon by a signal has not seen it fail.
  return may_detach && (status == 130 || status == 143) ? kDone : status;
}

void add_serve_flags(CLI::App& verb, ServeFlags& flags) {
  verb.add_option("-c,--config", flags.config,
                  "Configuration file [/etc/hostlink/hostlink.conf where there is one]")
      ->type_name("FILE");
  verb.add_option("-p,--pid-file", flags.pid_file, "Write the process id there")->type_name("FILE");
  verb.add_flag("-f,--foreground", flags.foreground,
                "Stay in the foreground (always so as `hostlink serve`)");
  verb.add_flag("-v,--verbose", flags.verbose, "Say more; may be repeated");
  verb.add_option(
          "--security", flags.security,
          "For the configuration's auth_token, from now on: full lets it run and reach everything, as "
          "hostlinkd did; allowlist (the default) goes by the policy of this host")
      ->check(CLI::IsMember({"allowlist", "full"}));
  verb.add_option("--stop-grace", flags.stop_grace, "Seconds that commands have to end when it is stopped")
      ->check(CLI::Range(0, 3600));
}

// --- enable, disable

int switch_door(const std::optional<std::string>& config, bool json) {
  if (config) {
    const auto read = hostlink::door_config_of(*config);
    if (!read) return fail(read.error(), json);
  }
  auto store = open_store(approvals::OpenMode::kReadWrite);
  if (!store) return fail(store.error(), json);
  const std::optional<Json> value = config ? std::optional<Json>(Json{{"config", *config}}) : std::nullopt;
  const auto written =
      approvals::write_recorded_setting(**store, hostlink::kDoorSetting, value, local_actor());
  if (!written) return fail(written.error(), json);
  if (json) {
    print_json(Json{{"ok", true}, {"enabled", config.has_value()}});
  } else {
    print_line(config ? "hostlink is on: the node opens it at its next start" : "hostlink is off");
  }
  note("next: hostclaw node restart");
  return kDone;
}

int show_pin() {
  const auto directory = state_directory();
  if (!directory) return fail(directory.error());
  const auto pin = hostlink::own_pin(*directory);
  if (!pin) return fail(pin.error());
  print_line(*pin);
  return kDone;
}

// --- token

Result<void> take_flags(TokenEntry& entry, const TokenFlags& flags, std::int64_t now_ms) {
  if (!flags.allow.empty()) {
    auto rights = hostlink::rights_from(comma_list(join(flags.allow, ",")));
    if (!rights) return rights.error();
    entry.rights = *rights;
  }
  if (!flags.roots.empty()) {
    auto roots = real_roots(flags.roots);
    if (!roots) return roots.error();
    entry.roots = std::move(*roots);
  }
  if (!flags.denied.empty()) entry.denied = flags.denied;
  if (flags.agent) entry.agent = *flags.agent;
  if (!flags.expires.empty()) {
    entry.expires_at_ms = 0;
    if (flags.expires != "never") {
      auto at = parse_until(flags.expires, "--expires", now_ms);
      if (!at) return at.error();
      entry.expires_at_ms = *at;
    }
  }
  if ((entry.rights.files_read || entry.rights.files_write) && entry.roots.empty() &&
      flags.security != "full")
    return make_error("ARGUMENT_INVALID", "files-read and files-write need a directory", "--root DIR");
  return {};
}

int add_token(const TokenFlags& flags) {
  if (!hostlink::is_token_name(flags.name) || flags.name == hostlink::kDefaultTokenName)
    return fail(make_error("ARGUMENT_INVALID",
                           "`" + flags.name +
                               "` is no name of a token: lower-case letters, digits, - and _; not `default`, "
                               "which is the configuration's"),
                flags.json);
  auto store = open_store(approvals::OpenMode::kReadWrite);
  if (!store) return fail(store.error(), flags.json);
  const std::int64_t now_ms = unix_ms_now();
  TokenEntry entry;
  entry.name = flags.name;
  entry.agent = hostlink::own_agent(flags.name);
  entry.rights.exec = entry.rights.jobs = true;
  if (auto taken = take_flags(entry, flags, now_ms); !taken) return fail(taken.error(), flags.json);
  const bool full = flags.security == "full";
  if (full) {
    if (auto own = check_own_agent(entry); !own) return fail(own.error(), flags.json);
    set_reach(entry, true);
  }
  const auto token = TokenBook::add(**store, entry, local_actor(), now_ms);
  if (!token) return fail(token.error(), flags.json);
  // Also where it is not full: an earlier token of this name may have left something.
  if (check_own_agent(entry)) {
    if (auto opened = set_policy(**store, entry, full); !opened) return fail(opened.error(), flags.json);
  }
  if (flags.json) {
    Json shown = hostlink::shown(entry);
    shown.erase("keyId");
    print_json(Json{{"ok", true}, {"token", *token}, {"entry", shown}});
  } else {
    print_line(*token);
  }
  note("This is the only time the token is shown: give it to the container as HOSTLINK_TOKEN.");
  if (full) return say_full(flags.name);
  note("Its commands go by the policy of agent " + entry.agent +
       "; next: hostclaw approvals allowlist add --agent " + entry.agent + " PROGRAM");
  return kDone;
}

int set_token(const TokenFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadWriteExisting);
  if (!store) return fail(store.error(), flags.json);
  auto entry = TokenBook::entry(**store, flags.name);
  if (!entry) return fail(entry.error(), flags.json);
  const std::int64_t now_ms = unix_ms_now();
  if (auto taken = take_flags(*entry, flags, now_ms); !taken) return fail(taken.error(), flags.json);
  if (!flags.security.empty()) {
    const bool full = flags.security == "full";
    if (auto own = check_own_agent(*entry); !own) return fail(own.error(), flags.json);
    set_reach(*entry, full);
    if (auto opened = set_policy(**store, *entry, full); !opened) return fail(opened.error(), flags.json);
  }
  if (auto changed = TokenBook::change(**store, *entry, local_actor(), now_ms); !changed)
    return fail(changed.error(), flags.json);
  if (flags.json) {
    print_json(Json{{"ok", true}, {"entry", hostlink::shown(*entry)}});
  } else {
    print_line("token " + flags.name + " changed");
  }
  return flags.security == "full" ? say_full(flags.name) : kDone;
}

int revoke_token(const TokenFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadWriteExisting);
  if (!store) return fail(store.error(), flags.json);
  if (auto gone = TokenBook::revoke(**store, flags.name, local_actor(), unix_ms_now()); !gone)
    return fail(gone.error(), flags.json);
  if (flags.json) {
    print_json(Json{{"ok", true}, {"revoked", flags.name}});
  } else {
    print_line("token " + flags.name + " is revoked; commands that it started go on (hostclaw runs)");
  }
  if (flags.name == hostlink::kDefaultTokenName)
    note("note: as long as the configuration has an auth_token, the next start lets it in again");
  return kDone;
}

int list_tokens(bool json) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error(), json);
  auto book = TokenBook::read(**store);
  if (!book) return fail(book.error(), json);
  if (json) {
    Json all = Json::array();
    for (const TokenEntry& entry : book->entries()) all.push_back(hostlink::shown(entry));
    print_json(Json{{"tokens", all}});
    return kDone;
  }
  if (book->entries().empty()) {
    print_line("no tokens");
    note("next: hostclaw hostlink token add NAME");
    return kDone;
  }
  const std::int64_t now_ms = unix_ms_now();
  for (const TokenEntry& entry : book->entries()) {
    std::string line = entry.name + "  agent " + for_terminal(entry.agent) + "  " +
                       join(entry.rights.words(), ",") + "  expires " +
                       (entry.expires_at_ms == 0 ? std::string("never") : format_time(entry.expires_at_ms));
    if (entry.expired(now_ms)) line += " (expired)";
    if (!entry.roots.empty()) line += "  roots " + for_terminal(join(entry.roots, ":"));
    if (!entry.denied.empty()) line += "  not " + for_terminal(join(entry.denied, ":"));
    print_line(line);
  }
  return kDone;
}

void add_token_flags(CLI::App& verb, TokenFlags& flags, bool all) {
  verb.add_option("name", flags.name, "Name of the token")->required();
  verb.add_flag("--json", flags.json, "One JSON object");
  if (!all) return;
  verb.add_option("--agent", flags.agent, "Whose policy applies [an agent of its own: hostlink-NAME]");
  verb.add_option("--allow", flags.allow, "What it may: exec,jobs,files-read,files-write [exec,jobs]");
  verb.add_option("--root", flags.roots, "A directory whose files it may reach; may be repeated")
      ->type_name("DIR")
      ->allow_extra_args(false);
  verb.add_option("--deny", flags.denied,
                  "Files it may not reach there (glob on real paths); may be repeated")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  verb.add_option("--expires", flags.expires,
                  "Until when it lets anybody in: 30d, 12h, a time such as 2027-01-31T18:00, or never")
      ->type_name("TIME");
  verb.add_option(
          "--security", flags.security,
          "full: everything runs and every file is reached, as with hostlinkd; allowlist: by the policy")
      ->check(CLI::IsMember({"allowlist", "full"}));
}

void add_tokens(CLI::App& parent, Action& action) {
  CLI::App* token = parent.add_subcommand("token", "Who may come in, and what each may do");
  token->require_subcommand(1);
  struct Verb {
    const char* name;
    const char* help;
    bool all;
    int (*run)(const TokenFlags&);
  };
  for (const Verb verb :
       {Verb{"add", "Make a token; it is shown once, on standard output", true, add_token},
        Verb{"set", "Change what a token may do; what is not given stays", true, set_token},
        Verb{"revoke", "Let it in no more, from the next request on", false, revoke_token}}) {
    const auto flags = std::make_shared<TokenFlags>();
    CLI::App* added = token->add_subcommand(verb.name, verb.help);
    add_token_flags(*added, *flags, verb.all);
    added->callback([&action, flags, run = verb.run] { action = [flags, run] { return run(*flags); }; });
  }
  const auto json = std::make_shared<bool>(false);
  CLI::App* list = token->add_subcommand("list", "Every token, without what would let anybody in");
  list->add_flag("--json", *json, "One JSON object");
  list->callback([&action, json] { action = [json] { return list_tokens(*json); }; });
}

}  // namespace

void add_hostlink(CLI::App& parent, Action& action) {
  CLI::App* hostlink = parent.add_subcommand("hostlink", "Let containers run commands on this host");
  hostlink->require_subcommand(1);
  hostlink->footer(
      "The client's commands go here too: hostclaw hostlink exec|run|ping|put|get|df|job|shim|targets, as "
      "those of\n"
      "the small program `hostlink` (hostlink --help).");
  const auto flags = std::make_shared<ServeFlags>();
  CLI::App* serve_verb = hostlink->add_subcommand(
      "serve", "Serve containers without a gateway, in the place of hostlinkd, until stopped");
  add_serve_flags(*serve_verb, *flags);
  serve_verb->callback([&action, flags] { action = [flags] { return serve(*flags, false); }; });

  const auto config = std::make_shared<std::string>();
  const auto json = std::make_shared<bool>(false);
  CLI::App* enable = hostlink->add_subcommand("enable", "Have `node run` open this door too");
  enable->add_option("-c,--config", *config, "Configuration file")->type_name("FILE");
  enable->add_flag("--json", *json, "One JSON object");
  enable->callback(
      [&action, config, json] { action = [config, json] { return switch_door(*config, *json); }; });
  CLI::App* disable = hostlink->add_subcommand("disable", "Have `node run` leave it shut");
  disable->add_flag("--json", *json, "One JSON object");
  disable->callback([&action, json] { action = [json] { return switch_door(std::nullopt, *json); }; });
  add_tokens(*hostlink, action);
  CLI::App* pin =
      hostlink->add_subcommand("pin", "The SHA-256 of this host's own certificate, for --tls --pin");
  pin->callback([&action] { action = show_pin; });
}

int hostlinkd_main(const std::vector<std::string>& arguments) {
  CLI::App app{"hostlinkd: HostLink's daemon (hostclaw hostlink serve)", "hostlinkd"};
  app.set_version_flag("-V,--version", "hostlinkd (hostclaw " + version() + ")");
  ServeFlags flags;
  add_serve_flags(app, flags);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kFailed;
  }
  return serve(flags, true);
}

}  // namespace hostclaw::cli
