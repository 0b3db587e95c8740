// SPDX-License-Identifier: Apache-2.0
// The working directory of one run: a descriptor that was opened and judged, and the logical path a shell
// would show for it. `cd` and `pwd` work on this; the directory of the host itself never changes.
//
// Differences from a shell: CDPATH is not consulted. On Windows no plan holds these builtins: both refuse.
// Thread rule: one thread at a time.
#pragma once

#include <string>
#include <vector>

#include "node-host/run/run_environment.h"
#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

struct BuiltinResult {
  int status = 0;
  std::string output;   // for stdout
  std::string message;  // for stderr
};

class WorkingDirectory {
 public:
  WorkingDirectory() = default;
  // `directory` stays owned by the caller. As a shell does at its start: PWD is believed when it leads to
  // this very directory, else the path without symlinks is taken.
  WorkingDirectory(NativeHandle directory, const RunEnvironment& environment);

  NativeHandle descriptor() const { return own_ ? own_.get() : borrowed_; }
  const std::string& logical_path() const { return logical_; }

  // cd [-L|-P] [--] [directory | -]; without operand HOME. Sets PWD and OLDPWD. Status 2 and a message when
  // the directory cannot be entered; the directory then stays as it was.
  BuiltinResult change(const std::vector<std::string>& argv, RunEnvironment& environment);
  // pwd [-L|-P]
  BuiltinResult print(const std::vector<std::string>& argv) const;

 private:
  NativeHandle borrowed_ = -1;
  UniqueFd own_;
  std::string logical_;
};

}  // namespace hostclaw::node_host
