// SPDX-License-Identifier: Apache-2.0
// The verbs of service-win with a node that does nothing: for tests of the Service Control Manager alone.
// Named hostclaw.exe, for that is how a service is known as ours. Prints what `hostclaw node VERB --json`
// prints, shorter.
#include <windows.h>

#include <condition_variable>
#include <iostream>
#include <mutex>
#include <string>
#include <vector>

#include "base/file_names.h"
#include "base/wide_text.h"
#include "node-host/app/service_manager.h"
#include "service-win/scm_service.h"
#include "service-win/service_plan.h"
#include "service-win/service_process.h"
#include "service-win/state_folder.h"
#include "service-win/windows_words.h"

namespace {

using namespace hostclaw;
using node_host::ServiceManager;
using node_host::ServiceScope;

// Ready at once, ends when it is asked to. With `--exit-status N` it ends by itself.
int trivial_node(std::unique_ptr<node_host::Supervisor> supervisor,
                 const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
    if (arguments[i] == "--exit-status") return std::stoi(arguments[i + 1]);
  }
  std::mutex mutex;
  std::condition_variable wake;
  bool stop = false;
  supervisor->on_stop_request([&] {
    const std::lock_guard<std::mutex> hold(mutex);
    stop = true;
    wake.notify_all();
  });
  supervisor->status("connected: nowhere");
  supervisor->ready();
  {
    std::unique_lock<std::mutex> hold(mutex);
    wake.wait(hold, [&] { return stop; });
  }
  supervisor->stopping();
  supervisor->on_stop_request({});
  return 143;
}

int serve(const service_win::Definition& definition) {
  service_win::ServiceProcess process;
  process.state_directory = definition.state_directory;
  process.run = [&definition](std::unique_ptr<node_host::Supervisor> supervisor) {
    return trivial_node(std::move(supervisor), definition.run_arguments);
  };
  auto status = service_win::run_as_service(std::move(process));
  if (!status) std::cerr << "error: " << status.error().code << ": " << status.error().message << "\n";
  return status ? *status : 1;
}

// The processes of the logon task.
int serve_logon(const service_win::Definition& definition) {
  auto status = service_win::watch_over_logon_node(definition.state_directory);
  if (!status) std::cerr << "error: " << status.error().code << ": " << status.error().message << "\n";
  return status ? *status : 1;
}

int serve_logon_node(const service_win::Definition& definition) {
  return trivial_node(service_win::logon_node_supervisor(definition.state_directory),
                      definition.run_arguments);
}

int print(const Result<node_host::ServiceChange>& change, ServiceManager& manager) {
  if (!change) {
    std::cout << "{\"ok\":false,\"code\":\"" << change.error().code << "\",\"error\":\""
              << change.error().message << "\"}\n";
    return 1;
  }
  const auto state = manager.query();
  std::cout << "{\"ok\":true,\"result\":\"" << change->result << "\",\"status\":\"" << state.status
            << "\",\"pid\":" << state.pid << "}\n";
  for (const auto& line : change->notes) std::cerr << "note: " << line << "\n";
  for (const auto& line : change->warnings) std::cerr << "warning: " << line << "\n";
  return 0;
}

int run(std::vector<std::string> words) {
  if (const auto definition = service_win::definition_of(words)) {
    if (definition->starter == service_win::Starter::kServiceManager) return serve(*definition);
    return definition->starter == service_win::Starter::kLogonTask ? serve_logon(*definition)
                                                                   : serve_logon_node(*definition);
  }
  if (words.size() < 3 || words[1] != "node") return 2;
  const std::string verb = words[2];
  node_host::ServiceSpec spec;
  ServiceScope scope = ServiceScope::kSystem;
  bool purge = false;
  spec.executable = words[0];
  for (std::size_t i = 3; i < words.size(); ++i) {
    if (words[i] == "--user") {
      scope = ServiceScope::kUser;
    } else if (words[i] == "--force") {
      spec.force = true;
    } else if (words[i] == "--no-start") {
      spec.start = false;
    } else if (words[i] == "--purge") {
      purge = true;
    } else if (words[i] == "--state-dir" && i + 1 < words.size()) {
      spec.state_directory = words[++i];
    } else if (words[i] == "--run-as" && i + 1 < words.size()) {
      spec.run_as = words[++i];
    } else if (words[i] != "--json" && words[i] != "--system") {
      spec.run_arguments.push_back(words[i]);
    }
  }
  if (const auto token = environment_variable("OPENCLAW_GATEWAY_TOKEN"))
    spec.secrets.emplace_back("gateway-token", *token);
  const auto manager = node_host::make_service_manager(scope);
  if (verb == "install") return print(manager->install(spec), *manager);
  if (verb == "uninstall") return print(manager->uninstall(purge), *manager);
  if (verb == "start") return print(manager->start(), *manager);
  if (verb == "stop") return print(manager->stop(), *manager);
  if (verb == "restart") return print(manager->restart(), *manager);
  if (verb == "examine") {
    for (const auto& finding : manager->examine())
      std::cout << finding.name << " " << finding.code << ": " << finding.message << " -- " << finding.next
                << "\n";
    return 0;
  }
  const auto state = manager->query();
  std::cout << "{\"installed\":" << state.installed << ",\"status\":\"" << state.status << "\",\"state\":\""
            << state.state << "\",\"subState\":\"" << state.sub_state << "\",\"pid\":" << state.pid
            << ",\"enabled\":" << state.enabled << ",\"detail\":\"" << state.text << "\",\"account\":\""
            << state.account << "\",\"stateDirectory\":\"" << state.state_directory
            << "\",\"lastExitStatus\":" << state.last_exit_status.value_or(-1) << "}\n";
  return 0;
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
  std::vector<std::string> words;
  for (int i = 0; i < argc; ++i) words.push_back(from_wide(argv[i]));
  wchar_t own[32'768];
  GetModuleFileNameW(nullptr, own, 32'768);
  words.front() = from_wide(own);
  return run(std::move(words));
}
