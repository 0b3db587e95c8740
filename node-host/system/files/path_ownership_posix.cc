// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/path_ownership.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>

namespace hostclaw::node_host {
namespace {

constexpr int kMaxSymlinks = 40;  // as the kernel
// Of /etc/passwd and /etc/group: what lies behind is not read.
constexpr std::size_t kLongestAccounts = 4 * 1024 * 1024;

struct Step {
  std::string directory;  // real path of the directory that is searched
  struct stat directory_status;
  std::string entry_path;
  struct stat entry_status;  // lstat
};

std::optional<std::string> read_link(const std::string& path) {
  std::array<char, 4096> target;
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length <= 0 || static_cast<std::size_t>(length) == target.size()) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(length));
}

std::string parent_of(const std::string& directory) {
  const std::size_t slash = directory.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : directory.substr(0, slash);
}

// Takes the next component off the front; empty at the end.
std::string_view next_component(std::string_view& pending) {
  for (;;) {
    pending.remove_prefix(std::min(pending.find_first_not_of('/'), pending.size()));
    const std::string_view name = pending.substr(0, pending.find('/'));
    pending.remove_prefix(name.size());
    if (name != ".") return name;
  }
}

// Calls `visit` for every name that the kernel would look up on the way, in order. False when the walk could
// not be finished or a visit said stop.
template <class Visit>
bool walk(const std::string& path, Visit visit) {
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string::npos) return false;
  std::string text = path;
  std::string_view pending = text;
  std::string directory = "/";
  struct stat directory_status {};
  if (::lstat("/", &directory_status) != 0) return false;
  int symlinks = 0;
  Step step;
  for (;;) {
    const std::string_view name = next_component(pending);
    if (name.empty()) return true;
    if (name == "..") {
      directory = parent_of(directory);
      if (::lstat(directory.c_str(), &directory_status) != 0) return false;
      continue;
    }
    step.directory = directory;
    step.directory_status = directory_status;
    step.entry_path = directory;
    if (directory != "/") step.entry_path += '/';
    step.entry_path += name;
    if (::lstat(step.entry_path.c_str(), &step.entry_status) != 0) return false;
    if (!visit(step)) return false;
    if (S_ISLNK(step.entry_status.st_mode)) {
      auto target = read_link(step.entry_path);
      if (!target || ++symlinks > kMaxSymlinks) return false;
      if (target->front() == '/') {
        directory = "/";
        if (::lstat("/", &directory_status) != 0) return false;
      }
      text = std::move(*target) + std::string(pending);
      pending = text;
    } else {
      directory = step.entry_path;
      directory_status = step.entry_status;
    }
  }
}

bool ours(const struct stat& status, const std::string& path) {
  return status.st_uid == ::geteuid() || ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0;
}

bool group_or_world_writable(const struct stat& status) { return (status.st_mode & 022) != 0; }

// More names than any directory of programs has.
constexpr int kMostNames = 100'000;
constexpr int kManyNames = 2;

// `python3.11` and `python3` are versions of `python`.
std::string_view without_version(std::string_view name) {
  const std::size_t last = name.find_last_not_of("0123456789.-");
  return last == std::string_view::npos ? name : name.substr(0, last + 1);
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// Links are looked at; other names only when they can be the file itself.
bool can_lead_to(const dirent& entry, const struct stat& file) {
  return entry.d_type == DT_LNK || entry.d_type == DT_UNKNOWN ||
         (entry.d_type == DT_REG && entry.d_ino == file.st_ino);
}

std::string name_of_real_file(const std::string& path) {
  std::array<char, PATH_MAX> buffer{};
  const std::string real = ::realpath(path.c_str(), buffer.data()) != nullptr ? buffer.data() : path;
  return real.substr(real.rfind('/') + 1);
}

std::string content_of(const char* path) {
  std::string text;
  const int file = ::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) return text;
  std::array<char, 8192> buffer;
  ssize_t count = 0;
  while (text.size() < kLongestAccounts && (count = ::read(file, buffer.data(), buffer.size())) > 0)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  ::close(file);
  return text;
}

// Field `index` of a line of /etc/passwd or /etc/group.
std::string_view field(std::string_view line, int index) {
  for (; index > 0; --index) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return {};
    line.remove_prefix(colon + 1);
  }
  return line.substr(0, line.find(':'));
}

template <class Visit>
void each_line(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    visit(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// A group of this machine's own without members but root and `user`: it counts as its user.
bool is_group_of_one(gid_t group, uid_t user) {
  const std::string users = content_of("/etc/passwd");
  const std::string number = std::to_string(group);
  const std::string own = std::to_string(user);
  std::string_view name;
  bool others = false;
  each_line(users, [&](std::string_view line) {
    if (field(line, 2) == own && name.empty()) name = field(line, 0);
    if (field(line, 3) == number && field(line, 2) != own && field(line, 2) != "0") others = true;
  });
  const std::string groups = content_of("/etc/group");
  bool known = false;
  each_line(groups, [&](std::string_view line) {
    if (field(line, 2) != number) return;
    known = true;
    std::string_view members = field(line, 3);
    while (!members.empty()) {
      const std::string_view member = members.substr(0, members.find(','));
      others = others || (member != name && member != "root");
      members.remove_prefix(std::min(member.size() + 1, members.size()));
    }
  });
  return known && !others && !name.empty();
}

// Somebody else than root and `user`, to whom it belongs.
bool others_can_write(const struct stat& status, uid_t user) {
  if ((status.st_mode & S_IWOTH) != 0) return true;
  return (status.st_mode & S_IWGRP) != 0 && !is_group_of_one(status.st_gid, user);
}

PathExposure unsafe() {
  PathExposure exposure;
  exposure.mutable_by_us = exposure.writable_by_others = true;
  return exposure;
}

}  // namespace

PathExposure path_exposure(const std::string& absolute_path) {
  PathExposure exposure;
  std::optional<Step> last;
  const bool complete = walk(absolute_path, [&](const Step& step) {
    if (S_ISLNK(step.entry_status.st_mode)) {
      exposure.mutable_by_us |=
          step.entry_status.st_uid == ::geteuid() || ours(step.directory_status, step.directory);
    } else {
      last = step;
    }
    return true;
  });
  if (!complete) return unsafe();
  if (!last) {
    // The root directory itself.
    struct stat root {};
    if (::lstat("/", &root) != 0) return unsafe();
    exposure.mutable_by_us = ours(root, "/");
    exposure.writable_by_others = group_or_world_writable(root);
    return exposure;
  }
  exposure.mutable_by_us |=
      ours(last->entry_status, last->entry_path) || ours(last->directory_status, last->directory);
  exposure.writable_by_others =
      group_or_world_writable(last->entry_status) || group_or_world_writable(last->directory_status);
  exposure.real_path = last->entry_path;
  exposure.device = last->entry_status.st_dev;
  exposure.inode = last->entry_status.st_ino;
  return exposure;
}

bool path_as_safe_as_content(const std::string& absolute_path) {
  struct stat file {};
  if (::stat(absolute_path.c_str(), &file) != 0) return false;
  const auto trusted = [&](uid_t owner) { return owner == 0 || owner == file.st_uid; };
  return walk(absolute_path, [&](const Step& step) {
    if (!trusted(step.directory_status.st_uid)) return false;
    if (!others_can_write(step.directory_status, file.st_uid)) return true;
    // In a sticky directory only the owner of an entry (or of the directory) can rename or remove it.
    return (step.directory_status.st_mode & S_ISVTX) != 0 && trusted(step.entry_status.st_uid);
  });
}

bool is_one_of_many_names(const std::string& absolute_path) {
  struct stat file {};
  if (::stat(absolute_path.c_str(), &file) != 0) return false;
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(parent_of(absolute_path).c_str()));
  if (!directory) return false;
  const std::string real_name = name_of_real_file(absolute_path);
  const std::string_view own = without_version(real_name);
  const std::string_view asked = std::string_view(absolute_path).substr(absolute_path.rfind('/') + 1);
  int names = 0;
  int looked = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (++looked > kMostNames) return true;
    const std::string_view name = entry->d_name;
    if (!can_lead_to(*entry, file) || name == asked || without_version(name) == own) continue;
    struct stat other {};
    if (::fstatat(::dirfd(directory.get()), entry->d_name, &other, 0) != 0) continue;
    if (other.st_dev == file.st_dev && other.st_ino == file.st_ino && ++names >= kManyNames) return true;
  }
  return false;
}

bool changeable_by_others(const std::string& absolute_path) {
  struct stat file {};
  if (::stat(absolute_path.c_str(), &file) != 0) return true;
  if (file.st_uid != 0 && file.st_uid != ::geteuid()) return true;
  return others_can_write(file, file.st_uid) || !path_as_safe_as_content(absolute_path);
}

}  // namespace hostclaw::node_host
