// SPDX-License-Identifier: Apache-2.0
#include "service-linux/systemd_service.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/text.h"
#include "service-linux/systemd_relay.h"
#include "service-linux/unit_files.h"

namespace hostclaw::service_linux {
namespace {

namespace fs = std::filesystem;
using node_host::ServiceChange;
using node_host::ServiceScope;
using node_host::ServiceSpec;
using node_host::ServiceState;

constexpr std::chrono::seconds kStartWait{75};
constexpr std::chrono::seconds kStopWait{45};
std::string system_settings() { return with_profile("/etc/hostclaw"); }
std::string system_secrets() { return system_settings() + "/credentials"; }

std::int64_t number(const std::string& text) {
  return text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos
             ? 0
             : std::stoll(text);
}

}  // namespace

std::string journal_line(ServiceScope scope) {
  return std::string("journalctl ") + (scope == ServiceScope::kSystem ? "-u " : "--user -u ") + unit_name() +
         " -n 50 --no-pager";
}

std::string unit_path_of(ServiceScope scope) {
  if (scope == ServiceScope::kSystem) return std::string("/etc/systemd/system/") + unit_name();
  return user_units_directory() + "/" + unit_name();
}

std::string unit_text_of(ServiceScope scope) { return read_text(unit_path_of(scope)); }

std::string current_account_name() {
  const auto account = find_account(::geteuid());
  return account ? account->name : std::to_string(::geteuid());
}

bool lingering_is_on(const std::string& account) {
  return ::access(("/var/lib/systemd/linger/" + account).c_str(), F_OK) == 0;
}

SystemdService::SystemdService(ServiceScope scope) : scope_(scope) {}

std::string SystemdService::unit_path() const { return unit_path_of(scope_); }

std::string SystemdService::verb_line(const char* verb) const {
  const bool needs_name = system() ? ::geteuid() != 0 : ::geteuid() == 0;
  return std::string(system() && ::geteuid() != 0 ? "sudo " : "") + own_command() + " node " + verb +
         (needs_name ? (system() ? " --system" : " --user") : "");
}

std::string SystemdService::secrets_directory(const std::string& state_directory) const {
  return system() ? std::string(system_secrets()) : state_directory + "/credentials";
}

std::string SystemdService::unavailable() const { return systemd_unavailable(scope_); }

Result<void> SystemdService::require_manager() const {
  const std::string why = unavailable();
  if (why.empty()) return {};
  return make_error("SERVICE_MANAGER_MISSING", why + "; in a container `hostclaw node run` is the service",
                    "hostclaw node run");
}

Result<void> SystemdService::require_rights(const char* verb) const {
  if (!system() || ::geteuid() == 0) return {};
  return make_error("SERVICE_PERMISSIONS", "the system's service can be changed by root alone",
                    std::string("sudo hostclaw node ") + verb +
                        ", or for this account alone: hostclaw node " + verb + " --user");
}

Result<void> SystemdService::require_installed(const char* verb) {
  if (auto ok = require_manager(); !ok) return ok.error();
  if (auto ok = require_rights(verb); !ok) return ok.error();
  if (query().installed) return {};
  return make_error("SERVICE_NOT_INSTALLED", "Node service disabled.", verb_line("install"));
}

Result<ToolOutput> SystemdService::systemctl(std::vector<std::string> words, std::chrono::seconds timeout) {
  return run_systemctl(scope_, std::move(words), timeout);
}

Result<void> SystemdService::must(std::vector<std::string> words, std::chrono::seconds timeout) {
  const std::string verb = words.front();
  auto said = systemctl(std::move(words), timeout);
  if (!said)
    return make_error("SERVICE_FAILED", "systemctl " + verb + ": " + said.error().message,
                      journal_line(scope_));
  if (said->status != 0) return refused(*said, "systemctl " + verb, journal_line(scope_));
  return {};
}

std::map<std::string, std::string> SystemdService::properties() {
  std::map<std::string, std::string> out;
  auto said =
      systemctl({"show", unit_name(), "--timestamp=unix",
                 "--property=LoadState,ActiveState,SubState,MainPID,NRestarts,ExecMainStatus,ExecMainCode,"
                 "Result,StatusText,UnitFileState,FragmentPath,StateChangeTimestamp,NeedDaemonReload"},
                std::chrono::seconds(10));
  if (!said) return out;
  for (const std::string& line : split(said->standard_output, '\n')) {
    if (const std::size_t at = line.find('='); at != std::string::npos)
      out[line.substr(0, at)] = line.substr(at + 1);
  }
  return out;
}

ServiceState SystemdService::query() {
  ServiceState state;
  state.manager = "systemd";
  state.scope = scope_;
  state.name = unit_name();
  state.unavailable = unavailable();
  state.manager_available = state.unavailable.empty();
  state.definition_path = unit_path();
  std::string text = unit_text_of(scope_);
  state.installed = !text.empty();
  state.status = state.installed ? "unknown" : "stopped";
  if (state.manager_available) {
    auto found = properties();
    if (found["LoadState"] == "loaded") {
      state.installed = true;
      // A package may have brought the unit: then it is not where we would write it.
      if (!found["FragmentPath"].empty() && found["FragmentPath"] != state.definition_path) {
        state.definition_path = found["FragmentPath"];
        text = read_text(state.definition_path);
      }
    }
    if (!found.empty()) {
      state.status = status_word(found["ActiveState"]);
      state.state = found["ActiveState"];
      state.sub_state = found["SubState"];
      state.enabled = found["UnitFileState"] == "enabled";
      state.pid = number(found["MainPID"]);
      state.restarts = number(found["NRestarts"]);
      state.text = found["StatusText"];
      if (found["StateChangeTimestamp"].starts_with('@')) {
        state.since_ms = number(found["StateChangeTimestamp"].substr(1)) * 1000;
      }
      if (found["ExecMainCode"] != "0" && !found["ExecMainStatus"].empty()) {
        state.last_exit_status = static_cast<int>(number(found["ExecMainStatus"]));
      }
      if (found["Result"] != "success") state.last_exit_reason = found["Result"];
    }
  }
  if (!state.installed) {
    state.definition_path.clear();
    return state;
  }
  const UnitFacts unit = read_unit(text);
  state.program_arguments = unit.program_arguments;
  state.environment = unit.environment;
  state.state_directory = unit.state_directory;
  state.account = unit.account.empty() ? (system() ? "root" : current_account_name()) : unit.account;
  state.working_directory = unit.working_directory;
  return state;
}

Result<SystemdService::Preparation> SystemdService::prepare_all(const ServiceSpec& spec) {
  Preparation out;
  std::string account = spec.run_as;
  if (!system()) {
    if (!spec.run_as.empty() && spec.run_as != current_account_name()) {
      return make_error("CONFIG_INVALID", "a user's service runs as that user",
                        "sudo hostclaw node install --run-as " + spec.run_as);
    }
    account = current_account_name();
  } else if (account.empty()) {
    account = own_account();
    auto made = make_own_account();
    if (!made) return made.error();
    out.account_made = *made;
    out.own_account = true;
  }
  const auto found = find_account(account);
  if (!found) {
    return make_error("SERVICE_ACCOUNT", "there is no account " + account,
                      "hostclaw node install    (makes an account of its own)");
  }
  out.account = *found;
  out.state_directory = spec.state_directory.empty() ? system_state() : spec.state_directory;
  out.standard_state = system() && out.state_directory == system_state();
  for (const std::string& group : spec.groups) {
    if (!group_exists(group))
      return make_error("CONFIG_INVALID", "there is no group " + group, "getent group");
  }
  if (!account_may(out.account, group_ids(out.account, spec.groups), spec.executable, 1)) {
    return make_error("SERVICE_EXECUTABLE", "the account " + account + " cannot run " + spec.executable,
                      "install -m 755 " + spec.executable +
                          " /usr/local/bin/hostclaw && /usr/local/bin/hostclaw node install");
  }
  std::vector<std::string> directories{out.state_directory};
  if (out.standard_state) directories.push_back(system_home());
  for (const std::string& directory : directories) {
    const bool there = ::access(directory.c_str(), F_OK) == 0;
    if (auto made = make_directories(directory, 0700); !made) return made.error();
    // systemd would do it at the first start; a pairing before that needs it now.
    if (system() && (!there || out.standard_state) &&
        ::lchown(directory.c_str(), found->uid, found->gid) != 0) {
      return file_error("cannot hand over", directory);
    }
  }
  return out;
}

Result<std::string> SystemdService::prepare(const ServiceSpec& spec) {
  if (auto ok = require_manager(); !ok) return ok.error();
  if (auto ok = require_rights("install"); !ok) return ok.error();
  auto ready = prepare_all(spec);
  if (!ready) return ready.error();
  return ready->state_directory;
}

Result<int> SystemdService::run_once(const ServiceSpec& spec, const std::vector<std::string>& arguments,
                                     const std::string& input) {
  auto ready = prepare_all(spec);
  if (!ready) return ready.error();
  std::vector<std::string> argv{spec.executable};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  ToolOptions options;
  options.timeout = std::chrono::minutes(15);  // a person may have to approve meanwhile
  options.input = input;
  options.inherit_output = true;
  if (system()) options.account = ready->account.name;
  options.extra = {{"HOSTCLAW_STATE_DIR", ready->state_directory}, {"HOME", ready->account.home}};
  auto said = run_tool(argv, options);
  if (!said) return make_error("SERVICE_FAILED", said.error().message);
  return said->status;
}

Result<std::vector<std::pair<std::string, std::string>>> SystemdService::keep_secrets(
    const ServiceSpec& spec, const std::string& state_directory, bool& changed) {
  const std::string directory = secrets_directory(state_directory);
  if (!spec.secrets.empty()) {
    if (auto made = make_directories(directory, 0700); !made) return made.error();
  }
  std::vector<std::pair<std::string, std::string>> kept;
  for (const char* id : {"gateway-token", "gateway-password"}) {
    const std::string path = directory + "/" + id;
    const auto given = std::find_if(spec.secrets.begin(), spec.secrets.end(),
                                    [&](const auto& secret) { return secret.first == id; });
    if (given != spec.secrets.end() && read_text(path) != given->second + "\n") {
      if (auto written = write_file(path, given->second + "\n", 0600); !written) return written.error();
      changed = true;
    }
    if (::access(path.c_str(), F_OK) == 0) kept.emplace_back(id, path);
  }
  return kept;
}

Result<ServiceChange> SystemdService::install(const ServiceSpec& spec) {
  if (auto ok = require_manager(); !ok) return ok.error();
  if (auto ok = require_rights("install"); !ok) return ok.error();
  const std::string old_text = unit_text_of(scope_);
  const UnitFacts old = read_unit(old_text);
  if (!old_text.empty() && !old.ours && !spec.force) {
    return make_error("SERVICE_FOREIGN", unit_path() + " was not written by hostclaw",
                      verb_line("install") + " --force    replaces it");
  }
  auto ready = prepare_all(spec);
  if (!ready) return ready.error();

  ServiceChange change;
  bool secrets_changed = false;
  auto credentials = keep_secrets(spec, ready->state_directory, secrets_changed);
  if (!credentials) return credentials.error();
  UnitPlan plan;
  plan.scope = scope_;
  plan.program_arguments = {spec.executable, "node", "run"};
  plan.program_arguments.insert(plan.program_arguments.end(), spec.run_arguments.begin(),
                                spec.run_arguments.end());
  plan.program_arguments.insert(plan.program_arguments.end(),
                                {"--stop-grace", std::to_string(kStopGraceSeconds)});
  plan.account = ready->account.name;
  plan.own_account = ready->own_account;
  plan.groups = spec.groups;
  plan.state_directory = ready->state_directory;
  plan.standard_state = ready->standard_state;
  if (system()) plan.environment.emplace_back("PATH", kServicePath);
  plan.environment.insert(plan.environment.end(), spec.environment.begin(), spec.environment.end());
  plan.credentials = *credentials;
  plan.systemd_version = systemd_version();
  const std::string text = render_unit(plan);

  const ServiceState before = query();
  const bool same = text == old_text;
  if (!old_text.empty() && !spec.force) {
    if (!same) {
      change.warnings.push_back(
          "the service is installed with other settings, which were kept; to replace them: " +
          verb_line("install") + " --force ...");
    }
    if (!same || (before.enabled && (before.status == "running" || !spec.start) && !secrets_changed)) {
      change.result = "already-installed";
      return change;
    }
  }
  if (!same) {
    if (auto made = make_directories(fs::path(unit_path()).parent_path().string(), 0755); !made)
      return made.error();
    if (auto written = write_file(unit_path(), text, 0644); !written) return written.error();
  }
  if (auto ok = must({"daemon-reload"}); !ok) return ok.error();
  if (auto ok = must({"enable", unit_name()}); !ok) return ok.error();
  if (spec.start) {
    (void)systemctl({"reset-failed", unit_name()}, std::chrono::seconds(10));
    if (auto ok = must({"restart", unit_name()}, kStartWait); !ok) return ok.error();
  }
  change.result = "installed";
  change.notes.push_back("unit " + unit_path() + ", state " + ready->state_directory + ", account " +
                         ready->account.name + (ready->account_made ? " (made now)" : ""));
  for (const node_host::ServiceFinding& finding : examine()) {
    if (finding.verdict != node_host::ServiceFinding::Verdict::kWarning &&
        finding.verdict != node_host::ServiceFinding::Verdict::kNote) {
      continue;
    }
    std::string line = finding.message + (finding.next.empty() ? "" : " -- next: " + finding.next);
    (finding.verdict == node_host::ServiceFinding::Verdict::kWarning ? change.warnings : change.notes)
        .push_back(std::move(line));
  }
  return change;
}

Result<ServiceChange> SystemdService::uninstall(bool purge) {
  if (auto ok = require_rights("uninstall"); !ok) return ok.error();
  const bool manager = unavailable().empty();
  const std::string text = unit_text_of(scope_);
  const UnitFacts unit = read_unit(text);
  if (!text.empty() && !unit.ours) {
    return make_error("SERVICE_FOREIGN", unit_path() + " was not written by hostclaw; it is left alone",
                      "systemctl disable --now " + unit_name() + " && rm " + unit_path());
  }
  if (purge && !relay_unit_text_of(scope_).empty()) {
    return make_error("SERVICE_IN_USE", "the relay for agents is a service that keeps its state there too",
                      own_command() + " clawlink disable");
  }
  ServiceChange change;
  change.result = text.empty() ? "not-loaded" : "uninstalled";
  if (!text.empty()) {
    if (manager) {
      if (auto ok = must({"disable", "--now", unit_name()}, kStopWait); !ok) return ok.error();
    }
    if (::unlink(unit_path().c_str()) != 0 && errno != ENOENT)
      return file_error("cannot remove", unit_path());
    if (manager) {
      if (auto ok = must({"daemon-reload"}); !ok) return ok.error();
      (void)systemctl({"reset-failed", unit_name()}, std::chrono::seconds(10));
    }
    change.notes.push_back("removed " + unit_path());
  }
  const std::string state = !unit.state_directory.empty() ? unit.state_directory
                            : system()                    ? system_state()
                                                          : "";
  std::error_code ignored;
  if (!state.empty()) fs::remove_all(secrets_directory(state), ignored);
  if (system()) fs::remove(system_settings(), ignored);  // only when it is empty
  if (state.empty()) return change;
  if (!purge) {
    if (fs::exists(state, ignored)) {
      change.notes.push_back(
          "kept " + state + " (identity, policy, record)" +
          (find_account(own_account()) && system() ? std::string(" and the account ") + own_account() : "") +
          "; to remove that too: " + verb_line("uninstall") + " --purge");
    }
    return change;
  }
  if (system() && state == system_state()) {
    fs::remove_all(state, ignored);
    auto gone = remove_own_account();
    if (!gone) return gone.error();
    if (*gone) change.notes.push_back(std::string("removed the account ") + own_account());
  } else {
    // A directory of the user's choice may hold other things.
    for (const char* name : {"hostclaw.sqlite", "hostclaw.sqlite-wal", "hostclaw.sqlite-shm", "node.lock",
                             "node.runs", "node.log", "node.log.1"}) {
      fs::remove(state + "/" + name, ignored);
    }
    fs::remove_all(state + "/node.output", ignored);
    fs::remove(state, ignored);
  }
  change.notes.push_back("removed the state in " + state);
  return change;
}

Result<ServiceChange> SystemdService::start() {
  if (auto ok = require_installed("start"); !ok) return ok.error();
  ServiceChange change;
  if (query().status == "running") {
    change.result = "already-running";
    return change;
  }
  (void)systemctl({"reset-failed", unit_name()}, std::chrono::seconds(10));
  if (auto ok = must({"start", unit_name()}, kStartWait); !ok) return ok.error();
  change.result = "started";
  return change;
}

Result<ServiceChange> SystemdService::stop() {
  if (auto ok = require_rights("stop"); !ok) return ok.error();
  const ServiceState before = query();
  ServiceChange change;
  if (!before.installed || !before.manager_available) {
    change.result = "not-loaded";
    return change;
  }
  if (auto ok = must({"stop", unit_name()}, kStopWait); !ok) return ok.error();
  change.result = "stopped";
  return change;
}

Result<ServiceChange> SystemdService::restart() {
  if (auto ok = require_installed("restart"); !ok) return ok.error();
  (void)systemctl({"reset-failed", unit_name()}, std::chrono::seconds(10));
  if (auto ok = must({"restart", unit_name()}, kStartWait); !ok) return ok.error();
  ServiceChange change;
  change.result = "restarted";
  return change;
}

Result<std::vector<std::string>> SystemdService::log_command(const node_host::LogWish& wish) {
  const ServiceState state = query();
  if (!state.installed) {
    return make_error("SERVICE_NOT_INSTALLED",
                      "no service is installed" + (state.unavailable.empty() ? "" : ": " + state.unavailable),
                      state.manager_available ? "hostclaw node install" : "hostclaw node run");
  }
  std::vector<std::string> argv{find_tool("journalctl")};
  if (argv.front().empty()) return make_error("TOOL_MISSING", "journalctl is not installed here");
  if (!system()) argv.emplace_back("--user");
  argv.insert(argv.end(), {"-u", unit_name(), "--no-pager", "-o", wish.json ? "json" : "short-iso"});
  if (wish.json) argv.emplace_back("--output-fields=MESSAGE,PRIORITY,_PID,SYSLOG_IDENTIFIER");
  argv.insert(argv.end(), {"-n", wish.lines == 0 ? "all" : std::to_string(wish.lines)});
  if (wish.since_ms > 0) argv.push_back("--since=@" + std::to_string(wish.since_ms / 1000));
  return argv;
}

Result<int> SystemdService::show_log(const node_host::LogWish& wish) {
  auto argv = log_command(wish);
  if (!argv) return argv.error();
  if (wish.follow) argv->emplace_back("-f");
  std::vector<char*> words;
  for (std::string& word : *argv) words.push_back(word.data());
  words.push_back(nullptr);
  ::execv(words.front(), words.data());
  return make_error("TOOL_FAILED", "cannot run " + argv->front() + ": " + std::strerror(errno));
}

Result<std::string> SystemdService::read_log(const node_host::LogWish& wish) {
  const auto argv = log_command(wish);
  if (!argv) return argv.error();
  ToolOptions options;
  options.timeout = std::chrono::seconds(5);
  auto said = run_tool(*argv, options);
  if (!said) return said.error();
  if (said->status != 0) return refused(*said, "journalctl", {});
  return std::move(said->standard_output);
}

std::vector<node_host::ServiceFinding> SystemdService::examine() {
  return service_findings(query(), read_unit(unit_text_of(scope_)));
}

}  // namespace hostclaw::service_linux

namespace hostclaw::node_host {

using service_linux::read_unit;
using service_linux::unit_text_of;

ServiceScope default_service_scope() {
  if (::geteuid() == 0) return ServiceScope::kSystem;
  if (!unit_text_of(ServiceScope::kUser).empty()) return ServiceScope::kUser;
  return unit_text_of(ServiceScope::kSystem).empty() ? ServiceScope::kUser : ServiceScope::kSystem;
}

std::unique_ptr<ServiceManager> make_service_manager(ServiceScope scope) {
  return std::make_unique<service_linux::SystemdService>(scope);
}

std::optional<std::string> installed_state_directory() {
  const auto unit = read_unit(unit_text_of(default_service_scope()));
  if (unit.ours && !unit.state_directory.empty()) return unit.state_directory;
  if (::geteuid() != 0) return std::nullopt;
  // Root means the machine's relay where there is no node.
  const auto relay = read_unit(service_linux::relay_unit_text_of(ServiceScope::kSystem));
  if (!relay.of_relay || relay.state_directory.empty()) return std::nullopt;
  return relay.state_directory;
}

Result<void> act_as_owner_of(const std::string& directory) {
  struct stat facts {};
  if (::stat(directory.c_str(), &facts) != 0 || facts.st_uid == ::geteuid()) return {};
  const auto owner = service_linux::find_account(facts.st_uid);
  if (::geteuid() != 0 || !owner) {
    return make_error("SERVICE_PERMISSIONS",
                      "the state in " + directory + " belongs to " +
                          (owner ? owner->name : std::to_string(facts.st_uid)) + ", not to this account",
                      "sudo hostclaw ...");
  }
  if (::initgroups(owner->name.c_str(), owner->gid) != 0 || ::setegid(owner->gid) != 0 ||
      ::seteuid(owner->uid) != 0) {
    return make_error("SERVICE_PERMISSIONS", "cannot act as " + owner->name + ": " + std::strerror(errno));
  }
  return {};
}

}  // namespace hostclaw::node_host
