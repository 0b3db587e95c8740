// SPDX-License-Identifier: Apache-2.0
// hostclaw service run | logon | logon-node: what the Service Control Manager and the logon task start; not
// for people.
#include <windows.h>

// After windows.h.
#include <cstdio>

#include "base/wide_text.h"
#include "cli/command_line.h"
#include "cli/node_flags.h"
#include "node-host/app/node_host.h"
#include "node-host/loop/log.h"
#include "node-host/system/process/run_console_windows.h"
#include "service-win/service_process.h"
#include "service-win/state_folder.h"

namespace hostclaw::cli {
namespace {

struct ServiceFlags {
  NodeFlags node;
  std::string state_directory;
  std::vector<std::string> variables;  // NAME=VALUE
};

// The environment that the definition asks for, and what `hostclaw` commands of this process look for.
void set_up_environment(const ServiceFlags& flags) {
  for (const std::string& variable : flags.variables) _wputenv(to_wide(variable).c_str());
  _wputenv((L"HOSTCLAW_STATE_DIR=" + to_wide(flags.state_directory)).c_str());
}

void log_refusal(const ServiceFlags& flags, const Error& error) {
  // Nobody reads the standard error of a service.
  (void)node_host::set_log_file(service_win::log_path(flags.state_directory));
  node_host::log_error(error.code + ": " + error.message +
                       (error.next.empty() ? "" : " -- next: " + error.next));
}

int run_supervised(ServiceFlags flags, std::unique_ptr<node_host::Supervisor> supervisor) {
  if (flags.node.log_file.empty()) flags.node.log_file = service_win::log_path(flags.state_directory);
  auto options = node_options(flags.node);
  if (!options) {
    log_refusal(flags, options.error());
    return node_host::kExitConfiguration;
  }
  return node_host::run_node(*options, std::move(supervisor));
}

int run(const ServiceFlags& flags) {
  set_up_environment(flags);
  SetCurrentDirectoryW(to_wide_path(service_win::home_path(flags.state_directory)).c_str());
  service_win::ServiceProcess process;
  process.state_directory = flags.state_directory;
  process.run = [&flags](std::unique_ptr<node_host::Supervisor> supervisor) {
    return run_supervised(flags, std::move(supervisor));
  };
  auto status = service_win::run_as_service(std::move(process));
  return status ? *status : fail(status.error());
}

int logon(const ServiceFlags& flags) {
  set_up_environment(flags);
  auto status = service_win::watch_over_logon_node(flags.state_directory);
  if (status) return *status;
  log_refusal(flags, status.error());
  return kFailed;
}

// What a run's end starts, in a process that has no console of its own.
void add_console(CLI::App& service, Action& action) {
  CLI::App* verb = service.add_subcommand("console", "Ends the programs in the consoles of these processes");
  const auto pids = std::make_shared<std::vector<std::string>>();
  verb->add_option("pids", *pids, "Process ids")->required();
  verb->callback([&action, pids] { action = [pids] { return node_host::serve_as_console_helper(*pids); }; });
}

int logon_node(const ServiceFlags& flags) {
  set_up_environment(flags);
  return run_supervised(flags, service_win::logon_node_supervisor(flags.state_directory));
}

}  // namespace

void add_service(CLI::App& parent, Action& action) {
  CLI::App* service = parent.add_subcommand("service", "What the service manager starts")->group("");
  service->require_subcommand(1);
  struct Verb {
    const char* name;
    const char* help;
    int (*run)(const ServiceFlags&);
  };
  for (const Verb& verb : {Verb{"run", "The node, as the Service Control Manager's service", &run},
                           Verb{"logon", "Watches over the node of a logon task", &logon},
                           Verb{"logon-node", "The node of a logon task", &logon_node}}) {
    CLI::App* added = service->add_subcommand(verb.name, verb.help);
    const auto flags = std::make_shared<ServiceFlags>();
    added->add_option("--state-dir", flags->state_directory, "State directory")->required();
    added->add_option("--set", flags->variables, "Environment variable, NAME=VALUE; repeatable")
        ->allow_extra_args(false);
    add_node_flags(*added, flags->node, true);
    added->callback([&action, verb, flags] { action = [verb, flags] { return verb.run(*flags); }; });
  }
  add_console(*service, action);
}

}  // namespace hostclaw::cli
