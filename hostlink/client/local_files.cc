// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/local_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "base/text.h"

namespace hostclaw::hostlink {
namespace {

constexpr std::size_t kMaxFiles = 100'000;
constexpr std::size_t kMaxFolderDepth = 256;
constexpr mode_t kPermissionBits = 07777;

struct FolderCloser {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, FolderCloser>;

mode_t current_umask() {
  const mode_t mask = ::umask(0077);
  ::umask(mask);
  return mask;
}

Result<void> walk(const std::string& folder, const std::string& below,
                  const std::vector<std::string>& excludes, std::size_t depth,
                  std::vector<FoundFile>& found) {
  if (depth > kMaxFolderDepth) return local_file_error("read", folder, ELOOP);
  const Folder opened(::opendir(folder.c_str()));
  if (!opened) return local_file_error("read", folder, errno);
  errno = 0;
  while (const dirent* entry = ::readdir(opened.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string relative = below.empty() ? name : below + "/" + name;
    if (is_excluded(relative, excludes)) continue;
    const std::string path = joined(folder, name);
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return local_file_error("look at", path, errno);
    if (S_ISDIR(status.st_mode)) {
      if (const auto walked = walk(path, relative, excludes, depth + 1, found); !walked) return walked;
    } else if (S_ISREG(status.st_mode)) {
      if (found.size() == kMaxFiles)
        return make_error("LOCAL_FILE", "more than " + std::to_string(kMaxFiles) + " files in " + folder);
      found.push_back({relative, static_cast<std::uint64_t>(status.st_size)});
    }
    errno = 0;
  }
  if (errno != 0) return local_file_error("read", folder, errno);
  return {};
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Error local_file_error(const std::string& what, const std::string& path, int error) {
  return make_error("LOCAL_FILE", "cannot " + what + " " + path + ": " + std::strerror(error));
}

Result<std::string> read_local_file(const std::string& path, std::size_t max_bytes) {
  const OwnedFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return local_file_error("read", path, errno);
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got == 0) return text;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return local_file_error("read", path, errno);
    if (text.size() + static_cast<std::size_t>(got) > max_bytes) return local_file_error("read", path, EFBIG);
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

bool is_missing(const std::string& path) { return ::access(path.c_str(), F_OK) != 0 && errno != EACCES; }

Result<LocalFile> open_local_file(const std::string& path) {
  // Without O_NONBLOCK a named pipe would be waited for.
  LocalFile file{OwnedFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)), 0, 0};
  struct stat status {};
  if (!file.fd || ::fstat(file.fd.get(), &status) != 0) return local_file_error("read", path, errno);
  if (!S_ISREG(status.st_mode)) return make_error("LOCAL_FILE", path + " is no regular file");
  file.size = static_cast<std::uint64_t>(status.st_size);
  file.mode = status.st_mode & kPermissionBits;
  return file;
}

bool is_folder(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_excluded(const std::string& relative, const std::vector<std::string>& excludes) {
  const std::string name = base_name(relative);
  return std::any_of(excludes.begin(), excludes.end(), [&](const std::string& glob) {
    return ::fnmatch(glob.c_str(), name.c_str(), 0) == 0 || ::fnmatch(glob.c_str(), relative.c_str(), 0) == 0;
  });
}

Result<std::vector<FoundFile>> walk_folder(const std::string& folder,
                                           const std::vector<std::string>& excludes) {
  std::vector<FoundFile> found;
  if (const auto walked = walk(folder, {}, excludes, 0, found); !walked) return walked.error();
  std::sort(found.begin(), found.end(),
            [](const FoundFile& left, const FoundFile& right) { return left.relative < right.relative; });
  return found;
}

bool is_safe_relative(std::string_view path) {
  if (path.empty() || path.size() >= PATH_MAX || path.find('\0') != std::string_view::npos) return false;
  const std::vector<std::string> parts = split(path, '/');
  return std::none_of(parts.begin(), parts.end(),
                      [](const std::string& part) { return part.empty() || part == "." || part == ".."; });
}

Result<void> make_folders(const std::string& path) {
  if (::mkdir(path.c_str(), 0777) == 0 || is_folder(path)) return {};
  if (errno != ENOENT || path == parent_of(path)) return local_file_error("make the folder", path, errno);
  if (const auto made = make_folders(parent_of(path)); !made) return made;
  if (::mkdir(path.c_str(), 0777) == 0 || is_folder(path)) return {};
  return local_file_error("make the folder", path, errno);
}

std::string base_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.find_last_of('/');
  return std::string(slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1));
}

std::string joined(const std::string& folder, std::string_view name) {
  return folder.ends_with('/') ? folder + std::string(name) : folder + "/" + std::string(name);
}

std::uint64_t free_bytes_at(const std::string& path) {
  struct statvfs space {};
  for (std::string at = path;; at = parent_of(at)) {
    if (::statvfs(at.c_str(), &space) == 0)
      return static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
    if (at == parent_of(at)) return std::numeric_limits<std::uint64_t>::max();
  }
}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::move(other.fd_)) {}

NewFile::~NewFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<NewFile> NewFile::begin(const std::string& path) {
  std::string temporary = joined(parent_of(path), ".hostlink-XXXXXX");
  OwnedFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return local_file_error("write", path, errno);
  NewFile file(path, std::move(temporary), std::move(fd));
  struct stat status {};
  const bool replaces = ::stat(path.c_str(), &status) == 0;
  if (replaces && !S_ISREG(status.st_mode))
    return make_error("LOCAL_FILE", path + " is there, and no regular file");
  const mode_t mode = replaces ? status.st_mode & kPermissionBits : 0666 & ~current_umask();
  if (::fchmod(file.fd_.get(), mode) != 0) return local_file_error("write", path, errno);
  return file;
}

Result<void> NewFile::write(std::string_view bytes) { return write_fully(fd_.get(), bytes, path_); }

Result<void> NewFile::finish() {
  if (!fd_.close() || ::rename(temporary_.c_str(), path_.c_str()) != 0)
    return local_file_error("write", path_, errno);
  temporary_.clear();
  return {};
}

Result<void> write_fully(int fd, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done > 0) bytes.remove_prefix(static_cast<std::size_t>(done));
    if (done < 0 && errno == EAGAIN) {
      wait_for(fd, POLLOUT, {});  // somebody else has made it one that does not block
    } else if (done < 0 && errno != EINTR) {
      return local_file_error("write", name, errno);
    }
  }
  return {};
}

}  // namespace hostclaw::hostlink
