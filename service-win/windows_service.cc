// SPDX-License-Identifier: Apache-2.0
#include "service-win/windows_service.h"

#include <cstdio>

#include "service-win/scm_service.h"
#include "service-win/state_folder.h"

namespace hostclaw::service_win {

Result<int> WindowsService::show_log(const node_host::LogWish& wish) {
  const auto text = read_log(wish);
  if (!text) return text.error();
  std::fwrite(text->data(), 1, text->size(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

Result<std::string> WindowsService::read_log(const node_host::LogWish& wish) {
  const node_host::ServiceState state = query();
  if (!state.installed || state.state_directory.empty()) return not_installed(state.scope);
  return log_text(state.state_directory, wish);
}

std::vector<node_host::ServiceFinding> WindowsService::examine() { return service_findings(query()); }

}  // namespace hostclaw::service_win
