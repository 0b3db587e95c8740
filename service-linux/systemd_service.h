// SPDX-License-Identifier: Apache-2.0
// The service as systemd sees it. See node-host/app/service_manager.h for promises and errors.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "node-host/app/service_manager.h"
#include "service-linux/accounts.h"
#include "service-linux/systemd_unit.h"
#include "service-linux/tool.h"

namespace hostclaw::service_linux {

class SystemdService final : public node_host::ServiceManager {
 public:
  explicit SystemdService(node_host::ServiceScope scope);

  node_host::ServiceState query() override;
  Result<node_host::ServiceChange> install(const node_host::ServiceSpec& spec) override;
  Result<node_host::ServiceChange> uninstall(bool purge) override;
  Result<std::string> prepare(const node_host::ServiceSpec& spec) override;
  Result<int> run_once(const node_host::ServiceSpec& spec, const std::vector<std::string>& arguments,
                       const std::string& input) override;
  Result<node_host::ServiceChange> start() override;
  Result<node_host::ServiceChange> stop() override;
  Result<node_host::ServiceChange> restart() override;
  Result<int> show_log(const node_host::LogWish& wish) override;
  Result<std::string> read_log(const node_host::LogWish& wish) override;
  std::vector<node_host::ServiceFinding> examine() override;

 private:
  struct Preparation {
    Account account;
    std::string state_directory;
    bool own_account = false;
    bool account_made = false;
    bool standard_state = false;
  };

  bool system() const { return scope_ == node_host::ServiceScope::kSystem; }
  std::string unavailable() const;  // empty: the manager answers
  Result<void> require_manager() const;
  Result<void> require_rights(const char* verb) const;
  Result<void> require_installed(const char* verb);
  Result<Preparation> prepare_all(const node_host::ServiceSpec& spec);
  Result<std::vector<std::pair<std::string, std::string>>> keep_secrets(const node_host::ServiceSpec& spec,
                                                                        const std::string& state_directory,
                                                                        bool& changed);
  Result<ToolOutput> systemctl(std::vector<std::string> words, std::chrono::seconds timeout);
  Result<void> must(std::vector<std::string> words, std::chrono::seconds timeout = std::chrono::seconds(60));
  Result<std::vector<std::string>> log_command(const node_host::LogWish& wish);
  std::map<std::string, std::string> properties();
  std::string unit_path() const;
  std::string secrets_directory(const std::string& state_directory) const;
  std::string verb_line(const char* verb) const;  // "hostclaw node VERB" as this scope is named

  node_host::ServiceScope scope_;
};

// The command that shows what the service of a scope said last.
std::string journal_line(node_host::ServiceScope scope);

// The unit file of a scope: where ours is written.
std::string unit_path_of(node_host::ServiceScope scope);
// Its text, empty when there is none.
std::string unit_text_of(node_host::ServiceScope scope);

std::string current_account_name();
// "Linger": user units run without a login session.
bool lingering_is_on(const std::string& account);

// The checks of `hostclaw doctor` about the service and its account.
std::vector<node_host::ServiceFinding> service_findings(const node_host::ServiceState& state,
                                                        const UnitFacts& unit);

// The PATH that commands of the service see.
inline constexpr const char* kServicePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

}  // namespace hostclaw::service_linux
