// SPDX-License-Identifier: Apache-2.0
#include <windows.h>

// After windows.h.
#include <algorithm>

#include "base/wide_text.h"
#include "node-host/app/service_manager.h"
#include "service-win/accounts.h"
#include "service-win/scm_service.h"
#include "service-win/task_service.h"
#include "service-win/windows_calls.h"

namespace hostclaw::node_host {

using service_win::registered_definition;
using service_win::registered_task_state;

ServiceScope default_service_scope() {
  if (service_win::is_elevated()) return ServiceScope::kSystem;
  if (registered_task_state()) return ServiceScope::kUser;
  return registered_definition() ? ServiceScope::kSystem : ServiceScope::kUser;
}

std::unique_ptr<ServiceManager> make_service_manager(ServiceScope scope) {
  if (scope == ServiceScope::kUser) return std::make_unique<service_win::TaskService>();
  return std::make_unique<service_win::ScmService>();
}

std::optional<std::string> installed_state_directory() {
  std::optional<std::string> directory;
  if (default_service_scope() == ServiceScope::kUser) {
    directory = registered_task_state();
  } else if (const auto definition = registered_definition()) {
    directory = definition->state_directory;
  }
  // As this program shows paths everywhere else.
  if (directory) std::replace(directory->begin(), directory->end(), '\\', '/');
  return directory;
}

// Nobody need act as the owner on Windows: what an administrator makes in the state's folder inherits its
// access list, which names the service. Only whether we may go there at all is asked.
Result<void> act_as_owner_of(const std::string& directory) {
  const service_win::UniqueHandle folder(CreateFileW(to_wide_path(directory).c_str(), FILE_LIST_DIRECTORY,
                                                     FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                                     nullptr, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS,
                                                     nullptr));
  if (is_valid(folder) || GetLastError() != ERROR_ACCESS_DENIED) return {};
  return make_error("SERVICE_PERMISSIONS", "the state in " + directory + " is closed to this account",
                    "open PowerShell with \"Run as administrator\", then the same command");
}

}  // namespace hostclaw::node_host
