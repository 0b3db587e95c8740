// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/file_writers.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "node-host/system/files/path_ownership.h"

namespace hostclaw::node_host {
namespace {

std::string account_name(uid_t uid) { return uid == 0 ? "root" : "uid " + std::to_string(uid); }

void add_writer(std::vector<std::string>& writers, const std::string& who) {
  if (std::find(writers.begin(), writers.end(), who) == writers.end()) writers.push_back(who);
}

// With an access list the group's bits are the most that anybody in it has, so nobody is left out.
void add_writers_of(const struct stat& facts, std::vector<std::string>& writers) {
  if (facts.st_uid != 0) add_writer(writers, account_name(facts.st_uid));
  if ((facts.st_mode & S_IWGRP) != 0 && facts.st_gid != 0)
    add_writer(writers, "group " + std::to_string(facts.st_gid));
  if ((facts.st_mode & S_IWOTH) != 0) add_writer(writers, "everyone");
}

}  // namespace

FileWriters file_writers(const std::string& absolute_path, NativeHandle descriptor) {
  FileWriters found;
  struct stat file {};
  const bool seen =
      descriptor >= 0 ? ::fstat(descriptor, &file) == 0 : ::stat(absolute_path.c_str(), &file) == 0;
  if (!seen) return found;
  found.known = true;
  found.owner = account_name(file.st_uid);
  char mode[16];
  std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(file.st_mode & 07777));
  found.mode = mode;
  add_writers_of(file, found.writers);
  const std::size_t slash = absolute_path.rfind('/');
  struct stat directory {};
  if (slash != std::string::npos &&
      ::stat(slash == 0 ? "/" : absolute_path.substr(0, slash).c_str(), &directory) == 0) {
    // In a sticky directory only the owners of file and directory can replace a file.
    if ((directory.st_mode & S_ISVTX) != 0) directory.st_mode &= ~static_cast<mode_t>(S_IWGRP | S_IWOTH);
    add_writers_of(directory, found.writers);
  }
  const bool only_owner = std::all_of(found.writers.begin(), found.writers.end(),
                                      [&](const std::string& who) { return who == found.owner; });
  found.others_can_change = !only_owner || !path_as_safe_as_content(absolute_path);
  return found;
}

}  // namespace hostclaw::node_host
