// SPDX-License-Identifier: Apache-2.0
// The relay for agents as a service of systemd: `hostclaw clawlink enable` and `disable`. It shares account
// and state directory with the node's service, which need not be there. Thread rule: one thread at a time.
// Errors: SERVICE_MANAGER_MISSING, SERVICE_PERMISSIONS, SERVICE_ACCOUNT, SERVICE_EXECUTABLE, SERVICE_FOREIGN,
// SERVICE_FAILED, CONFIG_INVALID.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node-host/app/service_manager.h"
#include "service-linux/systemd_unit.h"

namespace hostclaw::service_linux {

struct RelaySpec {
  std::string executable;                                        // absolute path of this program
  std::vector<std::string> serve_arguments;                      // after `clawlink serve`; never a secret
  std::string state_directory;                                   // absolute; empty: the scope's own place
  std::vector<std::pair<std::string, std::string>> environment;  // never a secret
  std::string token;                                             // empty: the one that is kept, if any
  std::vector<std::string> files;  // absolute; the service's account has to be able to read them
  bool start = true;
};

struct RelayState {
  bool installed = false;
  std::string status = "unknown";    // running | starting | stopping | stopped | failed | unknown
  bool configuration_error = false;  // it ended with 78
  UnitFacts unit;
};

class SystemdRelay {
 public:
  explicit SystemdRelay(node_host::ServiceScope scope) : scope_(scope) {}

  RelayState query() const;
  // Writes the unit, or what has changed in it, and starts it: again, when something has changed. Results:
  // enabled | already-enabled.
  Result<node_host::ServiceChange> enable(const RelaySpec& spec) const;
  // Stops it and takes unit and token away; the state stays. Results: disabled | not-enabled.
  Result<node_host::ServiceChange> disable() const;
  // Whether a token of an earlier enable() is there.
  bool keeps_token(const std::string& state_directory) const;

  std::string unit_path() const;
  std::string command(const char* verb) const;  // "sudo systemctl VERB hostclaw-clawlink"
  std::string log_command() const;

 private:
  bool system() const { return scope_ == node_host::ServiceScope::kSystem; }
  std::string token_path(const std::string& state_directory) const;
  Result<void> require(const char* verb) const;
  Result<void> must(std::vector<std::string> words) const;

  node_host::ServiceScope scope_;
};

// The relay's unit file of a scope; empty when there is none.
std::string relay_unit_text_of(node_host::ServiceScope scope);
// Root: the machine's. Others: their own, else the machine's where there is one.
node_host::ServiceScope relay_scope();

}  // namespace hostclaw::service_linux
