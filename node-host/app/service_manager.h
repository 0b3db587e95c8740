// SPDX-License-Identifier: Apache-2.0
// The service of this machine that keeps `hostclaw node run` alive: systemd on Linux, the Service Control
// Manager (or a logon task) on Windows. service-linux/ and service-win/ each implement it; CMake links one.
//
// Errors: SERVICE_MANAGER_MISSING (containers: `hostclaw node run` is enough), SERVICE_PERMISSIONS,
// SERVICE_ACCOUNT, SERVICE_FOREIGN (a definition of that name is not ours), SERVICE_FAILED (names the tool
// and what it said), SERVICE_NOT_INSTALLED, SERVICE_EXECUTABLE, CONFIG_INVALID. Thread rule: one thread at a
// time. Calls may take seconds: they wait for the service manager.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hostclaw::node_host {

enum class ServiceScope {
  kSystem,  // started at boot, for the machine
  kUser,    // belongs to the account that installs it
};

// What is to be supervised.
struct ServiceSpec {
  std::string executable;                  // absolute path of this program
  std::vector<std::string> run_arguments;  // after `node run`; never a secret
  std::string state_directory;             // absolute; empty: the scope's own place
  std::string run_as;                      // account; empty: the scope's own
  std::vector<std::string> groups;         // supplementary groups of the service (Linux)
  std::vector<std::pair<std::string, std::string>> environment;  // never a secret
  // Kept in files or stores that only the service can read: gateway-token, gateway-password.
  std::vector<std::pair<std::string, std::string>> secrets;
  bool force = false;  // replace what is installed, whatever its settings
  bool start = true;   // and start it (restart when it runs with other settings)
};

// What the service manager says. Times are milliseconds since 1970, 0 when unknown.
struct ServiceState {
  bool manager_available = false;
  std::string manager;      // "systemd", "Service Control Manager", "Task Scheduler"
  std::string unavailable;  // why it is not
  ServiceScope scope = ServiceScope::kSystem;
  std::string name;  // "hostclaw.service"
  bool installed = false;
  bool enabled = false;   // starts by itself
  std::string status;     // running | starting | stopping | stopped | failed | unknown
  std::string state;      // in the manager's own words, as "active"
  std::string sub_state;  // as "running"
  std::string text;       // what the node last told its manager
  std::int64_t pid = 0;
  std::int64_t since_ms = 0;
  std::int64_t restarts = 0;
  std::optional<int> last_exit_status;
  std::string last_exit_reason;  // as "exit-code"
  std::string definition_path;   // the unit file, or the registry key
  std::vector<std::string> program_arguments;
  std::string working_directory;
  std::string state_directory;
  std::string account;
  std::string log_file;  // where the node's lines go, when that is a file
  std::vector<std::pair<std::string, std::string>> environment;
};

// What a verb did. `notes` are told to the person who typed it, one line each; so are `warnings`.
struct ServiceChange {
  std::string result;  // installed | already-installed | uninstalled | not-installed | started |
                       // already-running | stopped | not-loaded | restarted
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
};

// One named finding of `hostclaw doctor` that only the service's side can know.
struct ServiceFinding {
  enum class Verdict { kOk, kNote, kWarning, kFailure };
  std::string name;  // "lingering"
  std::string code;  // "LINGERING_OFF"
  Verdict verdict = Verdict::kOk;
  std::string message;
  std::string next;  // the command to type, or empty
};

// Which part of a service's log.
struct LogWish {
  std::size_t lines = 0;      // the newest; 0: all
  std::int64_t since_ms = 0;  // unix time; 0: whenever
  bool follow = false;
  bool json = false;  // one object a line, in the service manager's own words
};

class ServiceManager {
 public:
  virtual ~ServiceManager() = default;

  virtual ServiceState query() = 0;  // never fails: what cannot be known is empty or "unknown"
  virtual Result<ServiceChange> install(const ServiceSpec& spec) = 0;
  // `purge`: also the state (identity, policy, record) and the account that install() made.
  virtual Result<ServiceChange> uninstall(bool purge) = 0;
  // Makes what the service needs before it first runs, its account and state directory included, without
  // registering anything. Answers the state directory.
  virtual Result<std::string> prepare(const ServiceSpec& spec) = 0;
  // Runs this program once as the service's account with its state directory; its output goes where ours
  // goes, `input` is its standard input. Requires: prepare(). Answers its exit status.
  virtual Result<int> run_once(const ServiceSpec& spec, const std::vector<std::string>& arguments,
                               const std::string& input) = 0;
  virtual Result<ServiceChange> start() = 0;
  virtual Result<ServiceChange> stop() = 0;
  virtual Result<ServiceChange> restart() = 0;

  // Shows the log on our standard output and answers the exit status; where a program of the system does
  // that, this process becomes that program and the call does not return. Errors: SERVICE_NOT_INSTALLED,
  // SERVICE_MANAGER_MISSING, TOOL_*.
  virtual Result<int> show_log(const LogWish& wish) = 0;
  // The same as text, for a report; `follow` means nothing. A few seconds at most.
  virtual Result<std::string> read_log(const LogWish& wish) = 0;
  virtual std::vector<ServiceFinding> examine() = 0;
};

// The scope that verbs mean when none is named: the one that is installed, else the machine's for an
// administrator and the user's own for everyone else.
ServiceScope default_service_scope();
std::unique_ptr<ServiceManager> make_service_manager(ServiceScope scope);

// Where the installed service keeps its state, when it is not where this account's own commands would look.
// Cheap: reads at most two small files.
std::optional<std::string> installed_state_directory();

// From now on this process acts as the account that owns `directory`, when it may: files that an
// administrator's command makes there must belong to the service. Errors: SERVICE_PERMISSIONS.
Result<void> act_as_owner_of(const std::string& directory);

}  // namespace hostclaw::node_host
