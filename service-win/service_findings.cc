// SPDX-License-Identifier: Apache-2.0
#include <windows.h>

// After windows.h.
#include "base/file_names.h"
#include "base/text.h"
#include "base/wide_text.h"
#include "service-win/accounts.h"
#include "service-win/scm_service.h"
#include "service-win/state_folder.h"
#include "service-win/windows_calls.h"
#include "service-win/windows_words.h"

namespace hostclaw::service_win {
namespace {

using node_host::ServiceFinding;
using node_host::ServiceScope;
using node_host::ServiceState;
using Verdict = ServiceFinding::Verdict;

constexpr const char* kDockerPipe = "\\\\.\\pipe\\docker_engine";
constexpr const char* kMachineEnvironment =
    "SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment";

ServiceFinding finding(std::string name, std::string code, Verdict verdict, std::string message,
                       std::string next = {}) {
  return ServiceFinding{std::move(name), std::move(code), verdict, std::move(message), std::move(next)};
}

std::string expanded(const std::string& text) {
  std::wstring out(32'768, L'\0');
  const DWORD size =
      ExpandEnvironmentStringsW(to_wide(text).c_str(), out.data(), static_cast<DWORD>(out.size()));
  if (size == 0 || size > out.size()) return text;
  return from_wide(out.c_str());
}

// What a process of the service gets: the machine's PATH. An account's own part is added for a user alone,
// and that one is read from the user's registry, which is ours only when it is us.
std::string service_path(const ServiceState& state) {
  std::string path = expanded(registry_text(HKEY_LOCAL_MACHINE, kMachineEnvironment, "Path"));
  if (state.scope == ServiceScope::kUser) {
    const std::string own = expanded(registry_text(HKEY_CURRENT_USER, "Environment", "Path"));
    if (!own.empty()) path += ";" + own;
  }
  return path;
}

std::string program_in(const std::string& path, const std::string& name) {
  for (const std::string& part : split(path, ';')) {
    std::string directory(trim(part));
    if (directory.size() >= 2 && directory.front() == '"')
      directory = directory.substr(1, directory.size() - 2);
    if (directory.empty()) continue;
    for (const char* extension : {".exe", ".cmd", ".bat"}) {
      const std::string candidate = directory + "\\" + name + extension;
      if (is_absolute_path(candidate) && path_exists(candidate)) return candidate;
    }
  }
  return {};
}

ServiceFinding path(const ServiceState& state, const std::string& of_service) {
  const std::string ours = environment_variable("PATH").value_or("");
  for (const char* name : {"git", "docker", "curl"}) {
    if (!program_in(of_service, name).empty()) continue;
    const std::string here = program_in(ours, name);
    if (here.empty()) continue;
    return finding(
        "path", "PATH_DIFFERS", Verdict::kWarning,
        "this shell finds " + here + ", commands of the service do not: their PATH is the machine's",
        std::string("SystemPropertiesAdvanced    (Environment Variables, ") +
            (state.scope == ServiceScope::kUser ? "Path)"
                                                : "System variables, Path), then: hostclaw node restart"));
  }
  return finding("path", "PATH_SAME", Verdict::kOk,
                 "commands of the service find git, docker and curl where this shell does");
}

ServiceFinding docker(const ServiceState& state, const std::string& of_service, const std::string& sid) {
  const bool pipe =
      WaitNamedPipeW(to_wide(kDockerPipe).c_str(), 1) != 0 || GetLastError() == ERROR_SEM_TIMEOUT;
  if (!pipe && program_in(of_service, "docker").empty())
    return finding("docker", "DOCKER_ABSENT", Verdict::kOk, "docker is not installed here");
  if (!pipe) {
    return finding(
        "docker", "DOCKER_STOPPED", Verdict::kNote,
        "docker is installed, and its engine does not run; Docker Desktop runs while its user is logged on");
  }
  if (sid == "S-1-5-18") {
    return finding("docker", "DOCKER_AS_ROOT", Verdict::kWarning,
                   "the service runs as LocalSystem: its commands can use docker, and everything else",
                   "hostclaw node install --force --run-as \"" + own_service_account() + "\"");
  }
  const auto may = account_may(sid, kDockerPipe, FILE_READ_DATA | FILE_WRITE_DATA);
  if (may.value_or(false)) {
    return finding("docker", "DOCKER_USABLE", Verdict::kNote,
                   "commands of " + state.account + " can use docker, which is as much as an administrator");
  }
  return finding("docker", may ? "DOCKER_CLOSED" : "DOCKER_UNKNOWN", Verdict::kNote,
                 std::string(may ? "commands of " + state.account + " cannot use docker"
                                 : "whether commands of " + state.account + " can use docker is not known") +
                     ". Nothing was changed, because docker is as much as an administrator",
                 "if that is wanted: net localgroup docker-users \"" + state.account +
                     "\" /add, then: hostclaw node restart");
}

ServiceFinding run_state(const ServiceState& state) {
  if (state.status == "running") {
    return finding("service", "SERVICE_RUNNING", Verdict::kOk,
                   "running" + (state.text.empty() ? "" : ": " + state.text));
  }
  if (state.status == "starting")
    return finding("service", "SERVICE_STARTING", Verdict::kNote, "starting", "hostclaw logs -n 50");
  const std::string why = state.last_exit_status == 78 ? " (its configuration must change)" : "";
  return finding("service", state.status == "failed" ? "SERVICE_DOWN" : "SERVICE_STOPPED", Verdict::kFailure,
                 "the service is " + state.status + why,
                 state.status == "failed" ? "hostclaw logs -n 50" : "hostclaw node start");
}

ServiceFinding boot(const ServiceState& state) {
  if (!state.enabled) {
    return finding("boot", "SERVICE_NOT_ENABLED", Verdict::kWarning, "the service does not start by itself",
                   state.scope == ServiceScope::kUser ? "hostclaw node install --user --force"
                                                      : "sc.exe config hostclaw start= delayed-auto");
  }
  if (state.scope == ServiceScope::kUser) {
    return finding("boot", "SERVICE_AT_LOGON", Verdict::kNote,
                   "the node starts when " + state.account + " logs on and ends at the logoff",
                   "for a machine without logon, as administrator: hostclaw node install --system");
  }
  return finding("boot", "SERVICE_AT_BOOT", Verdict::kOk, "the service starts by itself, shortly after boot");
}

ServiceFinding program(const ServiceState& state, const std::string& sid) {
  const std::string& file = state.program_arguments.front();
  if (!path_exists(file)) {
    return finding("program", "SERVICE_EXECUTABLE", Verdict::kFailure,
                   "the program of the service is gone: " + file, "hostclaw node install --force");
  }
  if (!sid.empty() && !account_may(sid, file, FILE_EXECUTE).value_or(true)) {
    return finding(
        "program", "SERVICE_EXECUTABLE", Verdict::kFailure, state.account + " cannot run " + file,
        "copy it to %ProgramFiles%\\hostclaw (install.ps1 does), then: hostclaw node install --force");
  }
  const bool protected_place =
      to_lower_ascii(with_backslashes(file)).starts_with(to_lower_ascii(program_files_directory()) + "\\");
  if (state.scope == ServiceScope::kSystem && !protected_place) {
    return finding(
        "program", "SERVICE_EXECUTABLE_OPEN", Verdict::kWarning,
        file + " is outside %ProgramFiles%: who may change it there changes what the service runs",
        "copy it to %ProgramFiles%\\hostclaw (install.ps1 does), then: hostclaw node install --force");
  }
  return finding("program", "SERVICE_EXECUTABLE_OK", Verdict::kOk, "the service runs " + file);
}

ServiceFinding account(const ServiceState& state, const ServiceAccount& account, const std::string& sid) {
  if (sid.empty()) {
    return finding("account", "SERVICE_ACCOUNT", Verdict::kFailure, "there is no account " + state.account,
                   "hostclaw node install --force");
  }
  switch (account.kind) {
    case AccountKind::kLocalSystem:
      return finding("account", "ACCOUNT_IS_SYSTEM", Verdict::kWarning,
                     "the service is LocalSystem: every allowed command may do everything to this machine",
                     "hostclaw node install --force --run-as \"" + own_service_account() + "\"");
    case AccountKind::kLocalService:
    case AccountKind::kNetworkService:
      return finding("account", "ACCOUNT_SHARED", Verdict::kNote,
                     "other services use " + state.account + " as well and can disturb the node's commands",
                     "hostclaw node install --force --run-as \"" + own_service_account() + "\"");
    case AccountKind::kUser:
      if (!may_log_on_as_service(sid).value_or(false)) {
        return finding("account", "ACCOUNT_RIGHT_UNKNOWN", Verdict::kNote,
                       state.account + " has no right of its own to log on as a service; a group may give it",
                       "secpol.msc    (Local Policies, User Rights Assignment, Log on as a service)");
      }
      break;
    case AccountKind::kOwn:
    case AccountKind::kManaged:
      break;
  }
  return finding("account", "ACCOUNT_OK", Verdict::kOk, "commands run as " + state.account);
}

void add_programs(std::vector<ServiceFinding>& out, const ServiceState& state, const std::string& of_service,
                  const std::string& sid) {
  const std::string git = program_in(of_service, "git");
  out.push_back(git.empty() ? finding("git", "GIT_ABSENT", Verdict::kOk, "commands find no git in their PATH")
                            : finding("git", "GIT_USABLE", Verdict::kOk,
                                      "commands of " + state.account + " find " + git));
  out.push_back(docker(state, of_service, sid));
}

}  // namespace

std::vector<ServiceFinding> service_findings(const ServiceState& state) {
  std::vector<ServiceFinding> out;
  if (!state.installed) {
    out.push_back(finding(
        "service", "SERVICE_NOT_INSTALLED", Verdict::kNote,
        state.manager_available ? "no service is installed" : "no service is installed: " + state.unavailable,
        state.manager_available ? "hostclaw node install" : "hostclaw node run"));
    // Then commands run as whoever types `hostclaw node run`.
    ServiceState shell = state;
    shell.account = current_account();
    add_programs(out, shell, environment_variable("PATH").value_or(""), current_sid());
    return out;
  }
  out.push_back(run_state(state));
  out.push_back(boot(state));
  const bool user = state.scope == ServiceScope::kUser;
  const auto named = account_named(state.account);
  const std::string sid = user ? current_sid() : named ? sid_of_account(*named) : std::string();
  if (!user && named) out.push_back(account(state, *named, sid));
  if (!state.program_arguments.empty()) out.push_back(program(state, sid));
  if (!state.state_directory.empty()) {
    out.push_back(secrets_are_open(state.state_directory)
                      ? finding("secrets", "SECRETS_OPEN", Verdict::kFailure,
                                state.state_directory + "\\credentials can be read by others",
                                "hostclaw node install --force")
                      : finding("secrets", "SECRETS_CLOSED", Verdict::kOk,
                                "secrets of the service are in files that only it can read"));
  }
  const std::string of_service = service_path(state);
  out.push_back(path(state, of_service));
  add_programs(out, state, of_service, sid);
  return out;
}

}  // namespace hostclaw::service_win
