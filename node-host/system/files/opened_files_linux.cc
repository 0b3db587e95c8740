// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/sha256.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/files/path_ownership.h"
#include "node-host/system/files/patient_look.h"
#include "node-host/system/host/system_error.h"

namespace hostclaw::node_host {
namespace {

constexpr std::size_t kMaxHeadBytes = 1 << 20;

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

policy::FileKind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return policy::FileKind::kRegular;
  if (S_ISDIR(mode)) return policy::FileKind::kDirectory;
  return policy::FileKind::kOther;
}

bool means_missing(int error_number) {
  return error_number == ENOENT || error_number == ENOTDIR || error_number == ELOOP ||
         error_number == ENAMETOOLONG;
}

std::string descriptor_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

bool same_file(const struct stat& left, const struct stat& right) {
  return left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

bool same_state(const struct stat& left, const struct stat& right) {
  if (!same_file(left, right) || left.st_mode != right.st_mode || left.st_uid != right.st_uid ||
      left.st_gid != right.st_gid)
    return false;
  // The times and size of a directory say that something in it changed, not that it is another one.
  if (!S_ISREG(left.st_mode)) return true;
  return left.st_size == right.st_size && nanoseconds(left.st_mtim) == nanoseconds(right.st_mtim) &&
         nanoseconds(left.st_ctim) == nanoseconds(right.st_ctim);
}

bool can_execute(int fd) {
#ifdef SYS_faccessat2
  if (::syscall(SYS_faccessat2, fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) == 0) return true;
  if (errno != ENOSYS && errno != EPERM) return false;
#endif
  return ::faccessat(AT_FDCWD, descriptor_path(fd).c_str(), X_OK, AT_EACCESS) == 0;
}

// The path of the opened file, or empty when no path leads to it any more.
std::string real_path_of(int fd, const std::string& asked_path, const struct stat& opened) {
  std::array<char, PATH_MAX> buffer{};
  const ssize_t length = ::readlink(descriptor_path(fd).c_str(), buffer.data(), buffer.size());
  std::string path;
  if (length > 0 && static_cast<std::size_t>(length) < buffer.size()) {
    path.assign(buffer.data(), static_cast<std::size_t>(length));
  } else if (::realpath(asked_path.c_str(), buffer.data()) != nullptr) {
    path = buffer.data();  // no /proc here
  }
  struct stat now {};
  // Also refuses the " (deleted)" that the kernel appends to the name of a file that is gone.
  if (path.empty() || ::stat(path.c_str(), &now) != 0 || !same_file(now, opened)) return {};
  return path;
}

UniqueFd reopen_for_reading(int fd) {
  return UniqueFd(::open(descriptor_path(fd).c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
}

ssize_t read_some(int fd, char* buffer, std::size_t size) {
  for (;;) {
    const ssize_t count = ::read(fd, buffer, size);
    if (count >= 0 || errno != EINTR) return count;
  }
}

// Whoever names a larger one would keep everybody else waiting while it is read: a hole costs nothing to
// make.
constexpr off_t kMostHashedBytes = off_t{256} << 20;

std::optional<std::string> hash_descriptor(int fd) {
  Sha256 hash;
  std::array<char, 65536> buffer;
  off_t total = 0;
  for (;;) {
    const ssize_t count = read_some(fd, buffer.data(), buffer.size());
    total += count;
    if (count < 0 || total > kMostHashedBytes) return std::nullopt;
    if (count == 0) return hash.hex();
    hash.update({buffer.data(), static_cast<std::size_t>(count)});
  }
}

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

void take_exposure(const PathExposure& exposure, policy::FileFacts& facts) {
  facts.mutable_by_us = exposure.mutable_by_us;
  facts.writable_by_others = exposure.writable_by_others;
}

// What `look` answers, or `unanswered` where a file system does not answer in time. `look` owns what it works
// on.
template <class Answer, class Patience, class Look>
Answer in_time(Patience& patience, const std::string& path, Answer unanswered, Look look) {
  if (!patience.not_answering.empty()) return unanswered;
  if (!patience.needed) patience.needed = mounts_may_hang();
  if (!*patience.needed) return look();
  const auto answer = std::make_shared<Answer>();
  const auto began = std::chrono::steady_clock::now();
  if (!look_in_time(path, patience.left, [answer, look] { *answer = look(); })) {
    patience.not_answering = path;
    return unanswered;
  }
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  patience.left -= std::min(took, patience.left);
  return std::move(*answer);
}

struct Hashed {
  std::optional<std::string> digest;
  struct stat status {};
};

struct Opening {
  std::shared_ptr<const UniqueFd> file;
  struct stat status {};
  policy::FileFacts facts;
};

// Opens it and says what it is, or why not.
void open_file(const std::string& path, std::shared_ptr<const UniqueFd>& file, struct stat& status,
               policy::FileFacts& facts) {
  UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    facts.error = errno;
    facts.kind = means_missing(facts.error) ? policy::FileKind::kMissing : policy::FileKind::kUnreadable;
    return;
  }
  const PathExposure exposure = path_exposure(path);
  // Where the names lead to the very file that is open, they say where it is.
  const bool found = exposure.device == status.st_dev && exposure.inode == status.st_ino;
  facts.real_path =
      found && !exposure.real_path.empty() ? exposure.real_path : real_path_of(fd.get(), path, status);
  if (facts.real_path.empty()) {
    facts.error = ENOENT;
    return;
  }
  take_exposure(exposure, facts);
  facts.kind = kind_of(status.st_mode);
  facts.executable = facts.kind == policy::FileKind::kRegular && can_execute(fd.get());
  facts.identity = {true,
                    status.st_dev,
                    status.st_ino,
                    static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0)),
                    nanoseconds(status.st_mtim),
                    status.st_uid};
  file = std::make_shared<const UniqueFd>(std::move(fd));
}

}  // namespace

struct OpenedFiles::Entry {
  NativeHandle descriptor() const { return file ? file->get() : -1; }

  std::shared_ptr<const UniqueFd> file;  // null: none could be opened
  bool looked = false;
  bool exposed = false;  // the facts tell who could change this very path
  policy::FileFacts facts;
  struct stat status {};
  std::optional<bool> symlink;
  std::optional<std::string> sha256;
};

OpenedFiles::OpenedFiles() = default;
OpenedFiles::~OpenedFiles() = default;

OpenedFiles::Entry& OpenedFiles::entry(const std::string& path) {
  auto& slot = entries_[path];
  if (!slot) slot = std::make_unique<Entry>();
  return *slot;
}

OpenedFiles::Entry& OpenedFiles::opened(const std::string& path) {
  Entry& entry = this->entry(path);
  if (entry.looked) return entry;
  entry.looked = true;
  auto& facts = entry.facts;
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string::npos) {
    facts.error = ENOENT;
    return entry;
  }
  // A file that was opened by another name: this path led to it then, and unchanged() asks whether it still
  // does.
  const auto known = std::find_if(entries_.begin(), entries_.end(), [&](const auto& item) {
    return item.second->file && item.second->facts.real_path == path;
  });
  if (known != entries_.end()) {
    entry.file = known->second->file;
    entry.status = known->second->status;
    facts = known->second->facts;
  } else {
    entry.exposed = true;
    Opening unanswered;
    unanswered.facts.kind = policy::FileKind::kUnreadable;
    unanswered.facts.error = ETIMEDOUT;
    Opening opening = in_time(patience_, path, std::move(unanswered), [path] {
      Opening found;
      open_file(path, found.file, found.status, found.facts);
      return found;
    });
    entry.file = std::move(opening.file);
    entry.status = opening.status;
    facts = std::move(opening.facts);
    if (facts.error != 0 && !exhausted_what(error_name(facts.error)).empty()) exhausted_ = facts.error;
  }
  return entry;
}

policy::FileFacts OpenedFiles::facts(const std::string& path) {
  Entry& entry = opened(path);
  if (entry.file && !entry.exposed) {
    entry.exposed = true;
    const PathExposure unsafe{true, true, {}, 0, 0};
    take_exposure(in_time(patience_, path, unsafe, [path] { return path_exposure(path); }), entry.facts);
  }
  return entry.facts;
}

policy::FileIdentity OpenedFiles::identity(const std::string& path) { return opened(path).facts.identity; }

bool OpenedFiles::changeable_by_others(const std::string& path) {
  return in_time(patience_, path, true, [path] { return node_host::changeable_by_others(path); });
}

bool OpenedFiles::is_one_of_many_names(const std::string& path) {
  const auto known = many_names_.find(path);
  if (known != many_names_.end()) return known->second;
  return many_names_[path] =
             in_time(patience_, path, true, [path] { return node_host::is_one_of_many_names(path); });
}

bool OpenedFiles::is_symlink(const std::string& path) {
  Entry& entry = this->entry(path);
  if (!entry.symlink) {
    entry.symlink = in_time(patience_, path, true, [path] {
      struct stat status {};
      return path.find('\0') == std::string::npos && !path.empty() &&
             ::lstat(without_trailing_slashes(path).c_str(), &status) == 0 && S_ISLNK(status.st_mode);
    });
  }
  return *entry.symlink;
}

std::optional<std::string> OpenedFiles::content_sha256(const std::string& path) {
  if (facts(path).kind != policy::FileKind::kRegular) return std::nullopt;
  Entry& entry = this->entry(path);
  struct stat now {};
  if (entry.sha256 && ::fstat(entry.descriptor(), &now) == 0 && same_state(now, entry.status))
    return entry.sha256;
  entry.sha256.reset();
  const Hashed hashed = in_time(patience_, path, Hashed{}, [file = entry.file] {
    Hashed found;
    const UniqueFd readable = reopen_for_reading(file->get());
    if (!readable || ::fstat(readable.get(), &found.status) != 0 || found.status.st_size > kMostHashedBytes)
      return found;
    found.digest = hash_descriptor(readable.get());
    struct stat after {};
    if (::fstat(readable.get(), &after) != 0 || !same_state(found.status, after)) found.digest.reset();
    return found;
  });
  // Kept only for the state that facts() described.
  if (hashed.digest && same_state(hashed.status, entry.status)) entry.sha256 = hashed.digest;
  return hashed.digest;
}

bool OpenedFiles::has_content(const std::string& path, const std::string& sha256) {
  entry(path).sha256.reset();
  return content_sha256(path) == sha256;
}

std::string OpenedFiles::head(const std::string& path, std::size_t count) {
  if (facts(path).kind != policy::FileKind::kRegular) return {};
  return in_time(patience_, path, std::string(), [file = entry(path).file, count] {
    const UniqueFd readable = reopen_for_reading(file->get());
    if (!readable) return std::string();
    std::string text(std::min(count, kMaxHeadBytes), '\0');
    std::size_t filled = 0;
    while (filled < text.size()) {
      const ssize_t got = read_some(readable.get(), text.data() + filled, text.size() - filled);
      if (got <= 0) break;
      filled += static_cast<std::size_t>(got);
    }
    text.resize(filled);
    return text;
  });
}

// A lease binds what runs, for as long as the spawn takes; nothing is held against writing.
void OpenedFiles::let_go_except(const std::vector<std::string>&) {}

NativeHandle OpenedFiles::descriptor(const std::string& path) const {
  const auto found = entries_.find(path);
  return found == entries_.end() ? -1 : found->second->descriptor();
}

std::string OpenedFiles::state(const std::string& path) {
  const Entry& entry = opened(path);
  if (!entry.file) return {};
  const struct stat& is = entry.status;
  std::string text;
  for (const std::uint64_t number :
       {std::uint64_t{is.st_dev}, std::uint64_t{is.st_ino}, std::uint64_t{is.st_mode},
        std::uint64_t{is.st_uid}, std::uint64_t{is.st_gid}})
    text += std::to_string(number) + " ";
  if (!S_ISREG(is.st_mode)) return text;
  return text + std::to_string(is.st_size) + " " + std::to_string(nanoseconds(is.st_mtim)) + " " +
         std::to_string(nanoseconds(is.st_ctim));
}

bool OpenedFiles::unchanged(const std::string& path) const {
  const auto found = entries_.find(path);
  if (found == entries_.end() || !found->second->looked) return false;
  const Entry& entry = *found->second;
  return in_time(patience_, path, false, [path, file = entry.file, status = entry.status] {
    struct stat at_path {};
    const bool reachable =
        path.find('\0') == std::string::npos && !path.empty() && ::stat(path.c_str(), &at_path) == 0;
    if (!file) return !reachable;
    struct stat opened {};
    return reachable && ::fstat(file->get(), &opened) == 0 && same_state(opened, status) &&
           same_file(at_path, status);
  });
}

}  // namespace hostclaw::node_host
