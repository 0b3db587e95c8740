// One node per state directory: two with the same identity would steal each other's invocations.
#pragma once

#include <string>

#include "base/result.h"
#include "node-host/system/file_handles.h"

namespace hostclaw::node_host {

std::int64_t process_id();
bool process_is_alive(std::int64_t pid);
// OpenClaw's name of this system: linux | win32 | darwin.
std::string host_platform();

// Held until destruction or the end of the process, however it ends.
class InstanceLock {
 public:
  // Errors: ALREADY_RUNNING (names the process when it is known), STORE_IO.
  static Result<InstanceLock> acquire(const std::string& state_directory);

 private:
  UniqueFd file_;
};

}  // namespace hostclaw::node_host
