// SPDX-License-Identifier: Apache-2.0
// Who else could make a path lead to another file? Two questions about the directories and symlinks on the
// way. Both look at the file system as it is now and never fail: what cannot be seen counts as unsafe. Thread
// rule: safe from any thread.
#pragma once

#include <cstdint>
#include <string>

namespace hostclaw::node_host {

struct PathExposure {
  // The file, the directory that holds it, or a symlink on the way (or that one's directory) is owned by this
  // uid or writable by this process.
  bool mutable_by_us = false;
  // Group or world can write the file or the directory that holds it. A sticky directory counts too.
  bool writable_by_others = false;
  // POSIX: the file that the path led to, by the names on the way. Empty where the way could not be followed.
  std::string real_path;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

PathExposure path_exposure(const std::string& absolute_path);

// True when everyone who can re-point `absolute_path` to another file could as well rewrite the content of
// the file itself: each directory on the way, symlinks followed, belongs to root or to the file's owner and
// no one else can rename its entries.
bool path_as_safe_as_content(const std::string& absolute_path);

// True when someone other than root and this process's user could change what reading `absolute_path` gives:
// by writing the file or by re-pointing the path. A group of this machine's own without other members counts
// as its user. Windows: SYSTEM, Administrators and TrustedInstaller count as root.
bool changeable_by_others(const std::string& absolute_path);

// True when at least two more names in the directory that holds `absolute_path` lead to the same file, those
// not counted that differ from the file's own name only by a version. True when there are too many names to
// look through. Windows: always false, links to programs are rare there.
bool is_one_of_many_names(const std::string& absolute_path);

}  // namespace hostclaw::node_host
