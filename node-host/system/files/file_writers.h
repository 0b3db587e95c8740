// SPDX-License-Identifier: Apache-2.0
// Who can change what a path gives, in words for a person who is asked about it. Accounts are named by number
// (on Windows by security identifier; those that every machine has apart): looking a name up may ask another
// machine. Looks at the file system as it is now and never fails. Safe from any thread.
#pragma once

#include <string>
#include <vector>

#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

struct FileWriters {
  bool known = false;  // false: the file cannot be seen
  std::string owner;   // "root", "uid 1000"
  std::string mode;    // "0755"; empty where the system has none
  // Who can write the file or put another one in its place by its directory, beside root (on Windows SYSTEM
  // and Administrators): its owner, "group 50", "everyone".
  std::vector<std::string> writers;
  // Somebody else than root and the owner can write it, or make the path lead elsewhere.
  bool others_can_change = false;
};

// `descriptor` is the file as it was opened to be judged, or -1: the path is looked at.
FileWriters file_writers(const std::string& absolute_path, NativeHandle descriptor = -1);

}  // namespace hostclaw::node_host
