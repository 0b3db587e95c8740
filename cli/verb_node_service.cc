// SPDX-License-Identifier: Apache-2.0
// hostclaw node install | uninstall | status | start | stop | restart
#include "approvals/store/store.h"
#include "base/file_names.h"
#include "base/profile.h"
#include "base/text.h"
#include "cli/node_service.h"
#include "cli/status_report.h"
#include "gateway-proto/endpoint.h"
#include "node-host/system/host/host_facts.h"

namespace hostclaw::cli {
namespace {

using node_host::ServiceChange;
using node_host::ServiceManager;
using node_host::ServiceScope;
using node_host::ServiceSpec;
using node_host::ServiceState;

std::string environment_value(const char* name) {
  for (const auto& [key, value] : node_host::current_environment()) {
    if (key == name) return std::string(trim(value));
  }
  return {};
}

// OpenClaw's shape of a refusal, with our code and next command beside it.
int refuse(const char* action, const Error& error, bool json) {
  if (!json) return fail(error);
  Json body{{"action", action}, {"ok", false}, {"error", error.message}, {"code", error.code}};
  if (!error.next.empty()) {
    body["hints"] = Json::array({error.next});
    body["hintItems"] = Json::array({Json{{"kind", "next"}, {"text", error.next}}});
  }
  print_json(body);
  return kFailed;
}

std::string sentence_of(const std::string& result) {
  if (result == "installed") return "The node service is installed and started.";
  if (result == "already-installed") return "The node service is already installed.";
  if (result == "uninstalled") return "The node service is uninstalled.";
  if (result == "not-loaded") return "Node service disabled.";
  if (result == "started") return "The node service is started.";
  if (result == "already-running") return "The node service is already running.";
  if (result == "stopped") return "The node service is stopped.";
  if (result == "restarted") return "The node service is restarted.";
  return result;
}

int report(const char* action, const ServiceChange& change, ServiceManager& manager, bool json) {
  const ServiceState state = manager.query();
  if (json) {
    Json body{{"action", action},
              {"ok", true},
              {"result", change.result},
              {"message", sentence_of(change.result)},
              {"service", service_json(state)}};
    if (!change.notes.empty()) body["notes"] = change.notes;
    if (!change.warnings.empty()) body["warnings"] = change.warnings;
    print_json(body);
    return kDone;
  }
  print_line(change.result == "not-loaded" && !state.installed
                 ? "There is no node service here: nothing was changed."
                 : sentence_of(change.result));
  for (const std::string& line : change.notes) note("note: " + for_terminal(line));
  for (const std::string& line : change.warnings) note("warning: " + for_terminal(line));
  if (state.status == "running" && !state.text.empty())
    print_line("The node says: " + for_terminal(state.text));
  return kDone;
}

int install(const InstallFlags& flags) {
  auto spec = service_spec(flags);
  if (!spec) return refuse("install", spec.error(), flags.json);
  for (const std::string& flag : flags.node.without_meaning) note("note: " + flag);
  const auto manager = node_host::make_service_manager(flags.scope.scope_of_new());
  auto change = manager->install(*spec);
  if (!change) return refuse("install", change.error(), flags.json);
  return report("install", *change, *manager, flags.json);
}

using Change = Result<ServiceChange> (ServiceManager::*)();

int change_service(const char* action, Change verb, const ScopeFlags& scope, bool json) {
  const auto manager = node_host::make_service_manager(scope.scope());
  auto change = ((*manager).*verb)();
  if (!change) return refuse(action, change.error(), json);
  return report(action, *change, *manager, json);
}

int uninstall(const ScopeFlags& scope, bool purge, bool json) {
  const auto manager = node_host::make_service_manager(scope.scope());
  auto change = manager->uninstall(purge);
  if (!change) return refuse("uninstall", change.error(), json);
  return report("uninstall", *change, *manager, json);
}

std::string service_line(const ServiceState& state) {
  if (!state.installed) {
    return state.manager_available
               ? "not installed (next: " + own_command() + " node install)"
               : "not installed: " + state.unavailable + " (next: " + own_command() + " node run)";
  }
  std::string line = state.status;
  if (state.since_ms > 0) line += " since " + format_time(state.since_ms);
  line += std::string(", ") + (state.enabled ? "enabled" : "not enabled");
  if (!state.account.empty()) line += ", account " + state.account;
  if (state.pid > 0) line += ", pid " + std::to_string(state.pid);
  if (state.restarts > 0) line += ", restarted " + std::to_string(state.restarts) + " times";
  if (state.status != "running" && state.last_exit_status)
    line += ", last exit status " + std::to_string(*state.last_exit_status);
  return line;
}

int node_status(const ScopeFlags& scope, bool json) {
  const auto manager = node_host::make_service_manager(scope.scope());
  const ServiceState state = manager->query();
  const auto findings = state.installed ? manager->examine() : std::vector<node_host::ServiceFinding>{};
  // The store may belong to the service's account: from here on only reading is left.
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (json) {
    Json body{{"service", service_json(state)}};
    if (store) {
      auto report = read_status(**store);
      if (report) add_to_json(*report, body);
    } else {
      body["stateError"] = Json{{"code", store.error().code}, {"message", store.error().message}};
    }
    print_json(body);
    return kDone;
  }
  print_line("service    " + for_terminal(service_line(state)));
  for (const node_host::ServiceFinding& finding : findings) {
    if (finding.verdict != node_host::ServiceFinding::Verdict::kWarning) continue;
    print_line("           " + for_terminal(finding.message));
    if (!finding.next.empty()) print_line("           next: " + for_terminal(naming_profile(finding.next)));
  }
  if (!store) {
    print_line("state      " + for_terminal(store.error().message));
    if (!store.error().next.empty())
      print_line("next       " + for_terminal(naming_profile(store.error().next)));
    return kDone;
  }
  auto report = read_status(**store);
  if (!report) return fail(report.error());
  print_status(*report);
  return kDone;
}

Result<void> check_endpoint(const NodeFlags& flags) {
  if (flags.host) {
    if (auto host = gateway_proto::normalize_host(*flags.host); !host) return host.error();
  }
  if (flags.context_path) {
    if (auto path = gateway_proto::normalize_context_path(*flags.context_path); !path) return path.error();
  }
  if (flags.tls_fingerprint) {
    if (auto pin = gateway_proto::normalize_fingerprint(*flags.tls_fingerprint); !pin) return pin.error();
  }
  return {};
}

struct SimpleFlags {
  ScopeFlags scope;
  bool json = false;
  bool purge = false;
};

std::shared_ptr<SimpleFlags> add_simple(CLI::App& verb) {
  auto flags = std::make_shared<SimpleFlags>();
  add_scope_flags(verb, flags->scope);
  verb.add_flag("--json", flags->json, "Output JSON");
  return flags;
}

}  // namespace

ServiceScope ScopeFlags::scope() const {
  if (system) return ServiceScope::kSystem;
  if (user) return ServiceScope::kUser;
  return node_host::default_service_scope();
}

ServiceScope ScopeFlags::scope_of_new() const {
  if (system || user) return scope();
  return node_host::running_as_root() ? ServiceScope::kSystem : ServiceScope::kUser;
}

void add_scope_flags(CLI::App& verb, ScopeFlags& flags) {
  auto* system = verb.add_flag("--system", flags.system,
                               "The machine's service (default for root and administrators): starts at boot");
  auto* user = verb.add_flag("--user", flags.user, "This account's own service (default for everyone else)");
  system->excludes(user);
}

void add_install_flags(CLI::App& verb, InstallFlags& flags) {
  add_node_flags(verb, flags.node, false);
  add_scope_flags(verb, flags.scope);
  verb.add_option(
      "--run-as", flags.run_as,
      "Account of the machine's service (default: hostclaw, its own account, made when it is missing)");
  verb.add_option("--group", flags.groups,
                  "Supplementary group of the service, e.g. docker (as much as root); repeatable");
  verb.add_option("--state-dir", flags.state_directory,
                  "State directory of the service (default: /var/lib/hostclaw, %ProgramData%\\hostclaw, or "
                  "this account's own)");
  verb.add_flag("--force", flags.force, "Reinstall, replacing the settings of an installed service");
  verb.add_flag("--no-start", flags.no_start, "Install and enable, but do not start now");
  verb.add_flag("--json", flags.json, "Output JSON");
  for (const char* name : {"--runtime", "--runtime-path"}) {
    verb.add_option_function<std::string>(
            name,
            [&flags, name](const std::string&) {
              flags.node.without_meaning.push_back(std::string(name) + ": this program needs no runtime");
            },
            "Accepted for compatibility; no meaning here")
        ->group("");
  }
}

Result<ServiceSpec> service_spec(const InstallFlags& flags) {
  NodeFlags node = flags.node;
  if (auto read = read_host(node); !read) return read.error();
  if (auto ok = check_endpoint(node); !ok) return ok.error();
  ServiceSpec spec;
  spec.executable = node_host::executable_path();
  std::vector<std::string>& words = spec.run_arguments;
  const auto add = [&words](const char* name, const std::optional<std::string>& value) {
    if (value) words.insert(words.end(), {name, *value});
  };
  add("--host", node.host);
  if (node.port) add("--port", std::to_string(*node.port));
  add("--context-path", node.context_path);
  if (node.tls) words.emplace_back("--tls");
  if (node.no_tls) words.emplace_back("--no-tls");
  add("--tls-fingerprint", node.tls_fingerprint);
  add("--node-id", node.node_id);
  add("--display-name", node.display_name);
  for (const std::string& list : node.commands) add("--commands", list);
  if (node.all_commands) words.emplace_back("--all-commands");
  if (!node.log_level.empty()) add("--log-level", node.log_level);
  if (node.log_level.empty() && node.verbose) add("--log-level", "debug");
  if (!node.log_format.empty()) add("--log-format", node.log_format);
  spec.run_as = flags.run_as;
  spec.groups = flags.groups;
  spec.force = flags.force;
  spec.start = !flags.no_start;
  spec.state_directory = flags.state_directory;
  const bool is_named = !environment_value("HOSTCLAW_STATE_DIR").empty();
  if (spec.state_directory.empty() && (is_named || flags.scope.scope_of_new() == ServiceScope::kUser)) {
    auto own = approvals::default_state_directory();
    if (!own) return own.error();
    spec.state_directory = *own;
  }
  if (!spec.state_directory.empty() && !to_path(spec.state_directory).is_absolute()) {
    return make_error("CONFIG_INVALID", "--state-dir needs an absolute path");
  }
  // With it the directory is that profile's as it is.
  if (const std::string name = profile(); !name.empty())
    spec.environment.emplace_back("HOSTCLAW_PROFILE", name);
  for (const char* name : {"OPENCLAW_ALLOW_INSECURE_PRIVATE_WS", "NODE_EXTRA_CA_CERTS"}) {
    if (std::string value = environment_value(name); !value.empty())
      spec.environment.emplace_back(name, value);
  }
  for (const auto& [id, name] : {std::pair{"gateway-token", "OPENCLAW_GATEWAY_TOKEN"},
                                 std::pair{"gateway-password", "OPENCLAW_GATEWAY_PASSWORD"}}) {
    if (std::string value = environment_value(name); !value.empty()) spec.secrets.emplace_back(id, value);
  }
  return spec;
}

Json service_json(const ServiceState& state) {
  Json body{{"label", state.manager},
            {"loaded", state.installed && (state.enabled || state.status == "running")},
            {"loadedText", "enabled"},
            {"notLoadedText", "disabled"},
            {"command", nullptr}};
  if (state.installed && !state.program_arguments.empty()) {
    Json command{{"programArguments", state.program_arguments}, {"sourcePath", state.definition_path}};
    if (!state.working_directory.empty()) command["workingDirectory"] = state.working_directory;
    for (const auto& [name, value] : state.environment) command["environment"][name] = value;
    body["command"] = std::move(command);
  }
  Json runtime{{"status", state.manager_available ? state.status : "unknown"}};
  if (!state.manager_available) {
    runtime["detail"] = state.unavailable;
    runtime["inspectionReason"] = "service-manager-unavailable";
  }
  if (!state.state.empty()) runtime["state"] = state.state;
  if (!state.sub_state.empty()) runtime["subState"] = state.sub_state;
  if (state.pid > 0) runtime["pid"] = state.pid;
  if (state.last_exit_status) runtime["lastExitStatus"] = *state.last_exit_status;
  if (!state.last_exit_reason.empty()) runtime["lastExitReason"] = state.last_exit_reason;
  if (state.restarts > 0) runtime["restarts"] = state.restarts;
  if (!state.text.empty()) runtime["detail"] = state.text;
  if (state.manager_available && !state.installed) runtime["missingUnit"] = true;
  body["runtime"] = std::move(runtime);
  return body;
}

void add_node_service(CLI::App& node, Action& action) {
  const auto flags = std::make_shared<InstallFlags>();
  CLI::App* install_verb =
      node.add_subcommand("install", "Install and start the node as a service of this machine or account");
  add_install_flags(*install_verb, *flags);
  install_verb->callback([&action, flags] { action = [flags] { return install(*flags); }; });

  CLI::App* uninstall_verb = node.add_subcommand("uninstall", "Stop and remove the service; the state stays");
  const auto removal = add_simple(*uninstall_verb);
  uninstall_verb->add_flag("--purge", removal->purge,
                           "Also remove the state (identity, policy, record) and the service's own account");
  uninstall_verb->callback([&action, removal] {
    action = [removal] { return uninstall(removal->scope, removal->purge, removal->json); };
  });

  CLI::App* status_verb =
      node.add_subcommand("status", "Service, link, pairing, policy and last runs on one screen");
  const auto status = add_simple(*status_verb);
  status_verb->callback(
      [&action, status] { action = [status] { return node_status(status->scope, status->json); }; });

  struct Verb {
    const char* name;
    const char* help;
    Change change;
  };
  for (const Verb& verb :
       {Verb{"start", "Start the installed service", &ServiceManager::start},
        Verb{"stop", "Stop the service; running commands may end first", &ServiceManager::stop},
        Verb{"restart", "Restart the installed service", &ServiceManager::restart}}) {
    CLI::App* added = node.add_subcommand(verb.name, verb.help);
    const auto simple = add_simple(*added);
    added->callback([&action, simple, verb] {
      action = [simple, verb] { return change_service(verb.name, verb.change, simple->scope, simple->json); };
    });
  }
}

}  // namespace hostclaw::cli
