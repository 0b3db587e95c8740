// SPDX-License-Identifier: Apache-2.0
#include "service-linux/systemd_relay.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/text.h"
#include "service-linux/systemd_service.h"
#include "service-linux/unit_files.h"

namespace hostclaw::service_linux {
namespace {

using node_host::ServiceChange;
using node_host::ServiceScope;
using node_host::ServiceSpec;

constexpr std::chrono::seconds kRelayWait{75};

std::string relay_secrets() { return with_profile("/etc/hostclaw") + "/clawlink"; }

std::string relay_unit_path(ServiceScope scope) {
  return (scope == ServiceScope::kSystem ? std::string("/etc/systemd/system") : user_units_directory()) +
         "/" + relay_unit_name();
}

}  // namespace

std::string relay_unit_text_of(ServiceScope scope) { return read_text(relay_unit_path(scope)); }

ServiceScope relay_scope() {
  if (::geteuid() == 0) return ServiceScope::kSystem;
  if (!relay_unit_text_of(ServiceScope::kUser).empty()) return ServiceScope::kUser;
  return relay_unit_text_of(ServiceScope::kSystem).empty() ? ServiceScope::kUser : ServiceScope::kSystem;
}

std::string SystemdRelay::unit_path() const { return relay_unit_path(scope_); }

std::string SystemdRelay::command(const char* verb) const {
  const std::string name = with_profile("hostclaw-clawlink");
  if (!system()) return std::string("systemctl --user ") + verb + " " + name;
  return std::string(::geteuid() == 0 ? "" : "sudo ") + "systemctl " + verb + " " + name;
}

std::string SystemdRelay::log_command() const {
  return std::string("journalctl ") + (system() ? "-u " : "--user -u ") + with_profile("hostclaw-clawlink") +
         " -n 50 --no-pager";
}

std::string SystemdRelay::token_path(const std::string& state_directory) const {
  return (system() ? relay_secrets() : state_directory + "/clawlink") + "/token";
}

bool SystemdRelay::keeps_token(const std::string& state_directory) const {
  return ::access(token_path(state_directory).c_str(), F_OK) == 0;
}

Result<void> SystemdRelay::require(const char* verb) const {
  if (system() && ::geteuid() != 0) {
    const std::string line = own_command() + " clawlink " + verb;
    return make_error("SERVICE_PERMISSIONS", "the machine's service can be changed by root alone",
                      "sudo " + line + ", or for this account alone: " + line + " --user");
  }
  const std::string why = systemd_unavailable(scope_);
  if (why.empty()) return {};
  return make_error("SERVICE_MANAGER_MISSING",
                    why + "; in a container `hostclaw clawlink serve` is the service",
                    "hostclaw clawlink serve");
}

Result<void> SystemdRelay::must(std::vector<std::string> words) const {
  const std::string verb = words.front();
  auto said = run_systemctl(scope_, std::move(words), kRelayWait);
  if (!said)
    return make_error("SERVICE_FAILED", "systemctl " + verb + ": " + said.error().message, log_command());
  if (said->status != 0) return refused(*said, "systemctl " + verb, log_command());
  return {};
}

RelayState SystemdRelay::query() const {
  RelayState state;
  const std::string text = relay_unit_text_of(scope_);
  if (text.empty()) return state;
  state.installed = true;
  state.unit = read_unit(text);
  if (!systemd_unavailable(scope_).empty()) return state;
  const auto said = run_systemctl(
      scope_, {"show", relay_unit_name(), "--property=ActiveState,ExecMainStatus"}, std::chrono::seconds(2));
  if (!said) return state;
  for (const std::string& line : split(said->standard_output, '\n')) {
    if (line.starts_with("ActiveState=")) state.status = status_word(line.substr(12));
    if (line == "ExecMainStatus=78") state.configuration_error = true;
  }
  return state;
}

Result<ServiceChange> SystemdRelay::enable(const RelaySpec& spec) const {
  if (auto ok = require("enable"); !ok) return ok.error();
  const std::string old_text = relay_unit_text_of(scope_);
  if (!old_text.empty() && !read_unit(old_text).of_relay)
    return make_error("SERVICE_FOREIGN", unit_path() + " was not written by hostclaw",
                      "mv " + unit_path() + " " + unit_path() + ".old");
  RelayUnitPlan plan;
  plan.scope = scope_;
  ServiceSpec place;
  place.executable = spec.executable;
  place.state_directory = spec.state_directory;
  // The machine's relay shares directory and account with the machine's node, where there is one.
  const UnitFacts node = system() ? read_unit(unit_text_of(scope_)) : UnitFacts();
  if (node.ours && place.state_directory.empty()) place.state_directory = node.state_directory;
  if (system()) plan.account = own_account();
  if (node.ours && node.state_directory == place.state_directory && node.account != own_account())
    place.run_as = plan.account = node.account;
  auto directory = SystemdService(scope_).prepare(place);
  if (!directory) {
    Error error = directory.error();
    if (error.code == "SERVICE_EXECUTABLE")
      error.next = "install -m 755 " + spec.executable +
                   " /usr/local/bin/hostclaw && /usr/local/bin/hostclaw clawlink enable";
    return error;
  }
  plan.state_directory = *directory;
  plan.standard_state = system() && *directory == system_state();
  const auto account = system() ? find_account(plan.account) : find_account(::geteuid());
  for (const std::string& file : spec.files) {
    if (account && !account_may(*account, group_ids(*account, {}), file, 4))
      return make_error("CONFIG_INVALID", account->name + " cannot read " + file,
                        "setfacl -m u:" + account->name + ":r " + file +
                            "    (and the directories above it: x), or a copy of that account's own");
  }

  ServiceChange change;
  const std::string token_file = token_path(*directory);
  bool token_changed = false;
  if (!spec.token.empty() && read_text(token_file) != spec.token + "\n") {
    const std::string folder = std::filesystem::path(token_file).parent_path().string();
    if (auto made = make_directories(folder, 0700); !made) return made.error();
    if (auto written = write_file(token_file, spec.token + "\n", 0600); !written) return written.error();
    token_changed = true;
  }
  if (keeps_token(*directory)) plan.token_file = token_file;
  plan.program_arguments = {spec.executable, "clawlink", "serve"};
  plan.program_arguments.insert(plan.program_arguments.end(), spec.serve_arguments.begin(),
                                spec.serve_arguments.end());
  plan.environment = spec.environment;
  plan.systemd_version = systemd_version();
  const std::string text = render_relay_unit(plan);
  const bool same = text == old_text && !token_changed;
  if (text != old_text) {
    if (auto made = make_directories(std::filesystem::path(unit_path()).parent_path().string(), 0755); !made)
      return made.error();
    if (auto written = write_file(unit_path(), text, 0644); !written) return written.error();
  }
  if (auto ok = must({"daemon-reload"}); !ok) return ok.error();
  if (auto ok = must({"enable", relay_unit_name()}); !ok) return ok.error();
  const bool runs = query().status == "running";
  if (spec.start && !(same && runs)) {
    (void)run_systemctl(scope_, {"reset-failed", relay_unit_name()}, std::chrono::seconds(10));
    if (auto ok = must({"restart", relay_unit_name()}); !ok) return ok.error();
  }
  change.result = same && (runs || !spec.start) ? "already-enabled" : "enabled";
  change.notes.push_back("unit " + unit_path() + ", state " + *directory +
                         (account ? ", account " + account->name : ""));
  if (!system() && account && !lingering_is_on(account->name))
    change.warnings.push_back("the service stops when " + account->name +
                              " logs out, and does not start at boot -- next: sudo loginctl enable-linger " +
                              account->name);
  return change;
}

Result<ServiceChange> SystemdRelay::disable() const {
  if (system() && ::geteuid() != 0) {
    if (auto ok = require("disable"); !ok) return ok.error();
  }
  const std::string text = relay_unit_text_of(scope_);
  const UnitFacts unit = read_unit(text);
  if (!text.empty() && !unit.of_relay)
    return make_error("SERVICE_FOREIGN", unit_path() + " was not written by hostclaw; it is left alone",
                      command("disable --now") + " && rm " + unit_path());
  ServiceChange change;
  change.result = text.empty() ? "not-enabled" : "disabled";
  if (text.empty()) return change;
  const bool manager = systemd_unavailable(scope_).empty();
  if (manager) {
    if (auto ok = must({"disable", "--now", relay_unit_name()}); !ok) return ok.error();
  }
  if (::unlink(unit_path().c_str()) != 0 && errno != ENOENT) return file_error("cannot remove", unit_path());
  if (manager) {
    if (auto ok = must({"daemon-reload"}); !ok) return ok.error();
    (void)run_systemctl(scope_, {"reset-failed", relay_unit_name()}, std::chrono::seconds(10));
  }
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path token = token_path(unit.state_directory);
  fs::remove(token, ignored);
  fs::remove(token.parent_path(), ignored);                              // only when it is empty
  if (system()) fs::remove(token.parent_path().parent_path(), ignored);  // so is /etc/hostclaw
  change.notes.push_back("removed " + unit_path());
  change.notes.push_back("kept the relay's state in " + unit.state_directory);
  return change;
}

}  // namespace hostclaw::service_linux
