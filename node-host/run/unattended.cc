// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/unattended.h"

#include <algorithm>

#include "base/text.h"

namespace hostclaw::node_host {
namespace {

bool has(const RunEnvironment& environment, std::string_view name, policy::Platform platform) {
  const auto& entries = environment.entries();
  return std::any_of(entries.begin(), entries.end(), [&](const std::string& entry) {
    if (entry.size() <= name.size() || entry[name.size()] != '=') return false;
    const std::string_view given = std::string_view(entry).substr(0, name.size());
    return platform == policy::Platform::kWindows ? to_upper_ascii(given) == name : given == name;
  });
}

}  // namespace

void set_unattended_defaults(RunEnvironment& environment, const std::string& askpass,
                             policy::Platform platform) {
  const auto set = [&](const char* name, const std::string& value) {
    if (!has(environment, name, platform)) environment.add(name, value);
  };
  set("GIT_TERMINAL_PROMPT", "0");
  set("GCM_INTERACTIVE", "never");
  set("SSH_ASKPASS_REQUIRE", askpass.empty() ? "never" : "force");
  if (!askpass.empty()) set("SSH_ASKPASS", askpass);
}

void set_search_rules(RunEnvironment& environment, policy::Platform platform) {
  if (platform != policy::Platform::kWindows) return;
  // In another case it is the same variable there; of two values the last counts (spawn.h).
  environment.add("NoDefaultCurrentDirectoryInExePath", "1");
}

}  // namespace hostclaw::node_host
