// SPDX-License-Identifier: Apache-2.0
#include "service-linux/systemd_unit.h"

#include "base/text.h"

namespace hostclaw::service_linux {
namespace {

using node_host::ServiceScope;

constexpr const char* kMarker = "# Written by `hostclaw node install`";
constexpr const char* kRelayMarker = "# Written by `hostclaw clawlink enable`";

bool plain(std::string_view word) {
  return !word.empty() && word.find_first_not_of(
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                              "0123456789_-./:=,@+") == std::string_view::npos;
}

// Double quotes with C escapes; `%` is a specifier everywhere, `$` a variable in ExecStart alone.
std::string quoted(std::string_view word, bool in_exec) {
  std::string out = "\"";
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '%') {
      out += "%%";
    } else if (c == '$' && in_exec) {
      out += "$$";
    } else if (byte < 0x20 || byte == 0x7F) {
      static constexpr char kHex[] = "0123456789abcdef";
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string path_value(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '%') out += '%';
    out += c;
  }
  return out;
}

// The inverse of path_value.
std::string without_doubled(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.substr(at).starts_with("%%")) ++at;
    out += text[at];
  }
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The words of a line, quotes and escapes taken off: the inverse of exec_word.
std::vector<std::string> words_of(std::string_view line, bool in_exec) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] == ' ' || line[at] == '\t') {
      ++at;
      continue;
    }
    std::string word;
    char quote = 0;
    for (; at < line.size(); ++at) {
      const char c = line[at];
      const char next = at + 1 < line.size() ? line[at + 1] : '\0';
      if (quote == 0 && (c == ' ' || c == '\t')) break;
      if (quote == 0 && (c == '"' || c == '\'')) {
        quote = c;
      } else if (quote != 0 && c == quote) {
        quote = 0;
      } else if (c == '\\' && next == 'x' && at + 3 < line.size()) {
        word += static_cast<char>(hex_digit(line[at + 2]) * 16 + hex_digit(line[at + 3]));
        at += 3;
      } else if (c == '\\' && next != '\0') {
        word += next;
        ++at;
      } else if ((c == '%' && next == '%') || (in_exec && c == '$' && next == '$')) {
        word += c;
        ++at;
      } else {
        word += c;
      }
    }
    out.push_back(std::move(word));
  }
  return out;
}

class UnitText {
 public:
  void section(const char* name) { text_ += (text_.empty() ? "[" : "\n[") + std::string(name) + "]\n"; }
  void line(const std::string& name, const std::string& value) { text_ += name + "=" + value + "\n"; }
  void comment(const std::string& words) { text_ += "# " + words + "\n"; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void add_hardening(UnitText& unit, const UnitPlan& plan) {
  // Whatever is said here holds for every command as well: docs/service.md has the list and the reasons.
  unit.line("RestrictRealtime", "yes");
  unit.line("KeyringMode", "private");
  if (!plan.own_account) return;
  unit.line("NoNewPrivileges", "yes");
  unit.line("CapabilityBoundingSet", "");
  unit.line("AmbientCapabilities", "");
  unit.line("ProtectSystem", "full");
  unit.line("ProtectKernelTunables", "yes");
  unit.line("ProtectKernelModules", "yes");
  unit.line("ProtectKernelLogs", "yes");
}

void add_relay_hardening(UnitText& unit, const RelayUnitPlan& plan) {
  // By system calls alone: a user's manager can do that without namespaces of its own.
  for (const char* name : {"RestrictRealtime", "RestrictSUIDSGID", "RestrictNamespaces", "LockPersonality",
                           "MemoryDenyWriteExecute", "NoNewPrivileges"})
    unit.line(name, "yes");
  unit.line("KeyringMode", "private");
  unit.line("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX");
  unit.line("SystemCallArchitectures", "native");
  unit.line("SystemCallFilter", "@system-service");
  unit.line("SystemCallErrorNumber", "EPERM");
  unit.line("UMask", "0077");
  if (plan.scope != ServiceScope::kSystem) return;
  unit.line("CapabilityBoundingSet", "");
  unit.line("AmbientCapabilities", "");
  unit.line("ProtectSystem", "strict");
  if (!plan.standard_state) unit.line("ReadWritePaths", quoted(plan.state_directory, false));
  unit.comment("A certificate or a state directory may lie in a home directory.");
  unit.line("ProtectHome", "read-only");
  for (const char* name :
       {"PrivateTmp", "PrivateDevices", "ProtectClock", "ProtectHostname", "ProtectControlGroups",
        "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs"})
    unit.line(name, "yes");
}

void add_restarts(UnitText& unit, int systemd_version) {
  unit.line("Restart", "always");
  if (systemd_version >= 254) {
    unit.line("RestartSec", "1");
    unit.line("RestartSteps", "8");
    unit.line("RestartMaxDelaySec", "60");
  } else {
    unit.line("RestartSec", "5");
  }
  unit.comment("78: the configuration must change first, starting again would not help.");
  unit.line("RestartPreventExitStatus", "78");
  unit.line("SuccessExitStatus", "130 143");
}

void add_command(UnitText& unit, const std::vector<std::string>& words) {
  std::string command;
  for (const std::string& word : words) command += (command.empty() ? "" : " ") + exec_word(word);
  unit.line("ExecStart", command);
}

void add_state(UnitText& unit, const std::string& directory,
               const std::vector<std::pair<std::string, std::string>>& environment, bool standard) {
  unit.line("Environment", quoted("HOSTCLAW_STATE_DIR=" + directory, false));
  for (const auto& [name, value] : environment) unit.line("Environment", quoted(name + "=" + value, false));
  if (!standard) return;
  const std::string name = directory.substr(directory.rfind('/') + 1);
  unit.line("StateDirectory", name + " " + name + "/home");
  unit.line("StateDirectoryMode", "0700");
}

}  // namespace

std::string exec_word(std::string_view word) { return plain(word) ? std::string(word) : quoted(word, true); }

std::string render_unit(const UnitPlan& plan) {
  const bool system = plan.scope == ServiceScope::kSystem;
  UnitText unit;
  std::string head =
      std::string(kMarker) + (system ? "" : " --user") +
      ": change it with `hostclaw node install --force ...`,\n# or add to it with `systemctl " +
      (system ? "" : "--user ") + "edit hostclaw`.\n";
  unit.section("Unit");
  unit.line("Description", "hostclaw node host for OpenClaw");
  unit.line("Documentation", "man:hostclaw(1)");
  unit.line("After", "network-online.target");
  if (system) unit.line("Wants", "network-online.target");
  unit.comment("A node that cannot reach its gateway keeps trying; it is never given up on.");
  unit.line("StartLimitIntervalSec", "0");

  unit.section("Service");
  unit.line("Type", "notify");
  unit.line("NotifyAccess", "main");
  add_command(unit, plan.program_arguments);
  if (system) unit.line("User", plan.account);
  if (!plan.groups.empty()) unit.line("SupplementaryGroups", join(plan.groups, " "));
  unit.line("WorkingDirectory", "-~");
  add_state(unit, plan.state_directory, plan.environment, plan.standard_state);
  for (const auto& [id, path] : plan.credentials) unit.line("LoadCredential", id + ":" + path_value(path));
  add_restarts(unit, plan.systemd_version);
  unit.line("TimeoutStartSec", "60");
  unit.line("TimeoutStopSec", std::to_string(kStopGraceSeconds + 10));
  unit.line("WatchdogSec", "120");
  unit.comment(
      "To the node alone: it lets commands end, cancels and records the rest. Jobs of HostLink go on.");
  unit.line("KillMode", "process");
  unit.comment("Each command gets a control group below this one: whatever it starts ends with it.");
  unit.line("Delegate", "memory");
  unit.comment("A command that runs out of memory must not take the node with it.");
  unit.line("OOMPolicy", "continue");
  unit.line("SyslogIdentifier", "hostclaw");
  add_hardening(unit, plan);

  unit.section("Install");
  unit.line("WantedBy", system ? "multi-user.target" : "default.target");
  return head + unit.take();
}

std::string render_relay_unit(const RelayUnitPlan& plan) {
  const bool system = plan.scope == ServiceScope::kSystem;
  UnitText unit;
  const std::string head =
      std::string(kRelayMarker) + (system ? "" : " --user") +
      ": change it with `hostclaw clawlink enable ...`,\n# or add to it with `systemctl " +
      (system ? "" : "--user ") + "edit hostclaw-clawlink`.\n";
  unit.section("Unit");
  unit.line("Description", "ClawLink relay: tasks, messages and files between agents");
  unit.line("Documentation", "man:hostclaw(1)");
  unit.line("After", "network-online.target");
  if (system) unit.line("Wants", "network-online.target");
  unit.line("StartLimitIntervalSec", "0");

  unit.section("Service");
  unit.line("Type", "notify");
  unit.line("NotifyAccess", "main");
  add_command(unit, plan.program_arguments);
  if (system) unit.line("User", plan.account);
  unit.line("WorkingDirectory", "-~");
  add_state(unit, plan.state_directory, plan.environment, plan.standard_state);
  if (!plan.token_file.empty())
    unit.line("LoadCredential", std::string(kRelayToken) + ":" + path_value(plan.token_file));
  add_restarts(unit, plan.systemd_version);
  unit.line("TimeoutStartSec", "60");
  unit.line("TimeoutStopSec", "30");
  unit.line("SyslogIdentifier", "hostclaw-clawlink");
  add_relay_hardening(unit, plan);

  unit.section("Install");
  unit.line("WantedBy", system ? "multi-user.target" : "default.target");
  return head + unit.take();
}

UnitFacts read_unit(std::string_view text) {
  UnitFacts facts;
  facts.ours = text.starts_with(kMarker);
  facts.of_relay = text.starts_with(kRelayMarker);
  for (const std::string& line : split(text, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos || line.starts_with('#') || line.starts_with(';')) continue;
    const std::string name = line.substr(0, equals);
    const std::string_view value = std::string_view(line).substr(equals + 1);
    if (name == "ExecStart") facts.program_arguments = words_of(value, true);
    if (name == "User") facts.account = value;
    if (name == "WorkingDirectory") facts.working_directory = value;
    if (const std::size_t colon = value.find(':'); name == "LoadCredential" && colon != value.npos)
      facts.credentials.emplace_back(value.substr(0, colon), without_doubled(value.substr(colon + 1)));
    if (name == "SupplementaryGroups") facts.groups = words_of(value, false);
    if (name != "Environment") continue;
    for (const std::string& word : words_of(value, false)) {
      const std::size_t at = word.find('=');
      if (at == std::string::npos) continue;
      facts.environment.emplace_back(word.substr(0, at), word.substr(at + 1));
      if (facts.environment.back().first == "HOSTCLAW_STATE_DIR") {
        facts.state_directory = facts.environment.back().second;
      }
    }
  }
  return facts;
}

}  // namespace hostclaw::service_linux
