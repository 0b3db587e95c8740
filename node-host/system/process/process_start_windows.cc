// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/process_start.h"

#include <windows.h>

#include "base/file_names.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {

void settle_inherited_state() {}

void ignore_broken_pipes() {}

std::uint64_t raise_descriptor_limit(std::uint64_t wanted) { return wanted; }

std::string take_environment_secret(const char* name) {
  std::string secret = environment_variable(name).value_or("");
  if (const auto wide = exact_wide(name)) ::SetEnvironmentVariableW(wide->c_str(), nullptr);
  return secret;
}

void keep_memory_private() {}

}  // namespace hostclaw::node_host
