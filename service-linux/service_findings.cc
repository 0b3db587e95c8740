// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/text.h"
#include "service-linux/systemd_service.h"

namespace hostclaw::service_linux {
namespace {

using node_host::ServiceFinding;
using node_host::ServiceScope;
using node_host::ServiceState;
using Verdict = ServiceFinding::Verdict;

constexpr const char* kDockerSockets[] = {"/run/docker.sock", "/var/run/docker.sock"};

ServiceFinding finding(std::string name, std::string code, Verdict verdict, std::string message,
                       std::string next = {}) {
  return ServiceFinding{std::move(name), std::move(code), verdict, std::move(message), std::move(next)};
}

std::string path_of(const UnitFacts& unit) {
  for (const auto& [name, value] : unit.environment) {
    if (name == "PATH") return value;
  }
  return kServicePath;
}

// The first program of that name that the account can run.
std::string program_in(const std::string& path, const std::string& name, const Account& account,
                       const std::vector<std::uint32_t>& groups) {
  for (const std::string& directory : split(path, ':')) {
    const std::string candidate = directory + "/" + name;
    if (!directory.empty() && account_may(account, groups, candidate, 1)) return candidate;
  }
  return {};
}

// What a shell finds and commands of the service do not is the oldest of all surprises.
ServiceFinding path(const ServiceState& state, const UnitFacts& unit, const Account& account,
                    const std::vector<std::uint32_t>& groups) {
  const char* ours = std::getenv("PATH");
  for (const char* name : {"git", "docker", "curl"}) {
    if (!program_in(path_of(unit), name, account, groups).empty()) continue;
    for (const std::string& directory : split(ours != nullptr ? ours : "", ':')) {
      const std::string candidate = directory + "/" + name;
      if (directory.empty() || ::access(candidate.c_str(), X_OK) != 0) continue;
      return finding("path", "PATH_DIFFERS", Verdict::kWarning,
                     "this shell finds " + candidate + ", commands of the service do not: their PATH is " +
                         path_of(unit),
                     std::string("systemctl ") + (state.scope == ServiceScope::kUser ? "--user " : "") +
                         "edit hostclaw    (Environment=PATH=" + directory + ":...)");
    }
  }
  return finding("path", "PATH_SAME", Verdict::kOk,
                 "commands of the service find git, docker and curl where this shell does");
}

ServiceFinding docker(const ServiceState& state, const UnitFacts& unit, const Account& account) {
  const auto groups = group_ids(account, unit.groups);
  const char* socket = nullptr;
  for (const char* path : kDockerSockets) {
    if (socket == nullptr && ::access(path, F_OK) == 0) socket = path;
  }
  const std::string program = program_in(path_of(unit), "docker", account, groups);
  if (socket == nullptr && program.empty() && !group_exists("docker")) {
    return finding("docker", "DOCKER_ABSENT", Verdict::kOk, "docker is not installed here");
  }
  if (account.uid == 0) {
    return finding("docker", "DOCKER_AS_ROOT", Verdict::kWarning,
                   (state.installed ? "the service runs" : "commands run") +
                       std::string(" as root: they can use docker, and everything else"),
                   state.installed           ? "hostclaw node install --force    (an account of its own)"
                   : state.manager_available ? "hostclaw node install    (an account of its own)"
                                             : "run the node as an account of its own");
  }
  const bool member = socket != nullptr && account_may(account, groups, socket, 6);
  if (member) {
    return finding("docker", "DOCKER_USABLE", Verdict::kNote,
                   "commands of " + account.name + " can use docker, which is as much as root");
  }
  const std::string scope = state.installed && state.scope == ServiceScope::kSystem
                                ? "hostclaw node install --force --group docker ..."
                                : "sudo usermod -aG docker " + account.name + ", then log in anew";
  return finding(
      "docker", "DOCKER_CLOSED", Verdict::kNote,
      "commands of " + account.name +
          " cannot use docker: it is not in the group docker. Nothing was changed, because that group is as "
          "much as root",
      "if that is wanted: " + scope);
}

ServiceFinding lingering(const ServiceState& state) {
  if (lingering_is_on(state.account)) {
    return finding("lingering", "LINGERING_ON", Verdict::kOk,
                   "the service goes on when " + state.account + " logs out");
  }
  return finding("lingering", "LINGERING_OFF", Verdict::kWarning,
                 "the service stops when " + state.account + " logs out, and does not start at boot",
                 "sudo loginctl enable-linger " + state.account);
}

ServiceFinding run_state(const ServiceState& state) {
  if (state.status == "running") {
    if (state.restarts > 0) {
      return finding("service", "SERVICE_RESTARTED", Verdict::kNote,
                     "running; it was restarted " + std::to_string(state.restarts) + " times",
                     journal_line(state.scope));
    }
    return finding("service", "SERVICE_RUNNING", Verdict::kOk,
                   "running" + (state.text.empty() ? "" : ": " + state.text));
  }
  if (state.status == "starting") {
    return finding("service", "SERVICE_STARTING", Verdict::kNote, "starting: " + state.text,
                   journal_line(state.scope));
  }
  const std::string why = state.last_exit_status == 78 ? " (its configuration must change)" : "";
  return finding("service", state.status == "failed" ? "SERVICE_DOWN" : "SERVICE_STOPPED", Verdict::kFailure,
                 "the service is " + state.status + why,
                 state.status == "failed" ? journal_line(state.scope) : "hostclaw node start");
}

ServiceFinding secrets(const ServiceState& state) {
  const std::string directory = state.scope == ServiceScope::kSystem ? "/etc/hostclaw/credentials"
                                                                     : state.state_directory + "/credentials";
  for (const char* name : {"gateway-token", "gateway-password"}) {
    const std::string path = directory + "/" + name;
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0 && (facts.st_mode & 077U) != 0) {
      return finding("secrets", "SECRETS_OPEN", Verdict::kFailure, path + " can be read by others",
                     "chmod 600 " + path);
    }
  }
  return finding("secrets", "SECRETS_CLOSED", Verdict::kOk,
                 "secrets of the service are in files that only it can read");
}

// For commands of that account.
void add_programs(std::vector<ServiceFinding>& out, const ServiceState& state, const UnitFacts& unit,
                  const Account& account) {
  const auto groups = group_ids(account, unit.groups);
  const std::string git = program_in(path_of(unit), "git", account, groups);
  out.push_back(
      git.empty()
          ? finding("git", "GIT_ABSENT", Verdict::kOk, "commands find no git in " + path_of(unit))
          : finding("git", "GIT_USABLE", Verdict::kOk, "commands of " + account.name + " find " + git));
  out.push_back(docker(state, unit, account));
}

}  // namespace

std::vector<ServiceFinding> service_findings(const ServiceState& state, const UnitFacts& unit) {
  std::vector<ServiceFinding> out;
  if (!state.installed) {
    out.push_back(finding(
        "service", "SERVICE_NOT_INSTALLED", Verdict::kNote,
        state.manager_available ? "no service is installed" : "no service is installed: " + state.unavailable,
        state.manager_available ? "hostclaw node install" : "hostclaw node run"));
    // Then commands run as whoever types `hostclaw node run`.
    UnitFacts shell;
    if (const char* ours = std::getenv("PATH"); ours != nullptr) shell.environment.emplace_back("PATH", ours);
    if (const auto account = find_account(::geteuid())) add_programs(out, state, shell, *account);
    return out;
  }
  if (state.manager_available) out.push_back(run_state(state));
  if (state.manager_available && !state.enabled) {
    out.push_back(finding("boot", "SERVICE_NOT_ENABLED", Verdict::kWarning,
                          "the service does not start by itself",
                          std::string("systemctl ") + (state.scope == ServiceScope::kUser ? "--user " : "") +
                              "enable hostclaw"));
  }
  if (state.scope == ServiceScope::kUser) out.push_back(lingering(state));
  out.push_back(secrets(state));
  const auto account = find_account(state.account);
  if (!account) {
    out.push_back(finding("account", "SERVICE_ACCOUNT", Verdict::kFailure,
                          "there is no account " + state.account, "hostclaw node install --force"));
    return out;
  }
  const auto groups = group_ids(*account, unit.groups);
  if (!state.program_arguments.empty() &&
      !account_may(*account, groups, state.program_arguments.front(), 1)) {
    out.push_back(finding("program", "SERVICE_EXECUTABLE", Verdict::kFailure,
                          state.account + " cannot run " + state.program_arguments.front(),
                          "hostclaw node install --force"));
  }
  out.push_back(path(state, unit, *account, groups));
  add_programs(out, state, unit, *account);
  return out;
}

}  // namespace hostclaw::service_linux
