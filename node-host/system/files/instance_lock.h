// SPDX-License-Identifier: Apache-2.0
// One node per state directory: two with the same identity would steal each other's invocations.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

std::int64_t process_id();
// OpenClaw's name of this system: linux | win32 | darwin.
std::string host_platform();

// The node that holds the lock of a state directory.
struct RunningNode {
  std::int64_t pid = 0;  // as it sees itself: in a container it means nothing outside; 0: unknown
  std::string note;      // what it last noted
};

// What node.lock says: the process id, and on a second line the note.
RunningNode parse_running_node(std::string_view content);

// Held until destruction or the end of the process, however it ends. What is locked is the directory itself
// (and node.lock in it, which names the process), so that deleting a file lets no second node start. Where
// directories cannot be locked, as on some network file systems, node.lock alone is.
class InstanceLock {
 public:
  // Errors: ALREADY_RUNNING (names the process when it is known), STORE_FULL, STORE_IO.
  static Result<InstanceLock> acquire(const std::string& state_directory);
  // Who holds it now, without asking by process id; nullopt when nobody does. Takes nothing.
  static std::optional<RunningNode> holder(const std::string& state_directory);

  // One line beside the process id, for whoever looks with holder(). Any thread, one at a time.
  void note(std::string_view text) const;

 private:
  UniqueFd directory_;
  UniqueFd file_;
};

}  // namespace hostclaw::node_host
