// SPDX-License-Identifier: Apache-2.0
// Runs a program of the system (systemctl, useradd ...) to its end. Not for commands of a gateway: those walk
// the corridor. Thread rule: any thread.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hostclaw::service_linux {

struct ToolOutput {
  int status = 0;  // exit status, or 128 + signal
  std::string standard_output;
  std::string standard_error;
};

struct ToolOptions {
  std::chrono::seconds timeout{60};
  std::string input;                                       // its standard input
  std::string account;                                     // run as this one; empty: as we are
  std::vector<std::pair<std::string, std::string>> extra;  // added to, or replacing, our environment
  bool inherit_output = false;                             // its output goes where ours goes
};

// `argv[0]` is an absolute path, or a name that is looked up in the directories of the system alone: PATH of
// the caller does not choose what runs as root. Errors: TOOL_MISSING, TOOL_FAILED (it could not be run),
// TOOL_TIMEOUT (it was killed).
Result<ToolOutput> run_tool(const std::vector<std::string>& argv, const ToolOptions& options = {});

// The absolute path of a program of the system, or empty.
std::string find_tool(const std::string& name);

}  // namespace hostclaw::service_linux
