// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/run_working_directory.h"

namespace hostclaw::node_host {

WorkingDirectory::WorkingDirectory(NativeHandle directory, const RunEnvironment&) : borrowed_(directory) {}

// Policy plans builtins where the shell is a POSIX one.
BuiltinResult WorkingDirectory::change(const std::vector<std::string>&, RunEnvironment&) {
  return {2, {}, "cd: not supported on this system\n"};
}

BuiltinResult WorkingDirectory::print(const std::vector<std::string>&) const {
  return {2, {}, "pwd: not supported on this system\n"};
}

}  // namespace hostclaw::node_host
