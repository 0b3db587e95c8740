// SPDX-License-Identifier: Apache-2.0
#include "cli/askpass.h"

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "cli/command_line.h"
#include "node-host/system/host/host_facts.h"
#include "node-host/system/process/orphans.h"

namespace hostclaw::cli {
namespace {

// More than any question; the text may be a server's.
constexpr std::size_t kMostBytes = 2000;

bool in_a_run() {
  const auto environment = node_host::current_environment();
  return std::any_of(environment.begin(), environment.end(),
                     [](const auto& entry) { return entry.first == node_host::kRunMarkerVariable; });
}

}  // namespace

std::optional<int> refuse_to_answer(const std::vector<std::string>& arguments) {
  if (arguments.size() != 2 || arguments[1].find(' ') == std::string::npos || !in_a_run())
    return std::nullopt;
  note("hostclaw: nobody can be asked in a run, so this has no answer:");
  const std::string question = to_valid_utf8(arguments[1].substr(0, kMostBytes));
  for (const std::string& line : split(question, '\n')) {
    const std::string shown = for_terminal(trim(line));
    if (!shown.empty()) note("  " + shown);
  }
  note(
      "Answer it once in a terminal of the account that the node runs as: what is kept then (known_hosts, "
      "ssh-agent, a credential helper) is used here.");
  return kFailed;
}

}  // namespace hostclaw::cli
