// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/files_beneath.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/file_names.h"
#include "base/text.h"
#include "node-host/system/host/random_bytes.h"
#include "node-host/system/host/system_error.h"

namespace hostclaw::node_host {
namespace {

constexpr int kDeepest = 64;
constexpr std::size_t kTemporaryNameBytes = 8;
constexpr std::size_t kLongestPath = 4095;

UniqueFd open_in(int directory, const char* path, std::uint64_t flags, std::uint64_t resolve, int& error) {
  struct open_how how {};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve;
  // EAGAIN: something on the way was renamed at this moment; the kernel could not be sure.
  for (int tries = 0; tries < 8; ++tries) {
    const long fd = ::syscall(SYS_openat2, directory, path, &how, sizeof how);
    error = fd < 0 ? errno : 0;
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (error != EAGAIN && error != EINTR) break;
  }
  return {};
}

std::string link_of(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

std::string temporary_name() { return ".hostlink-" + to_hex(random_bytes(kTemporaryNameBytes)) + ".part"; }

std::string path_of(int descriptor) {
  const std::string link = link_of(descriptor);
  std::array<char, 4096> buffer{};
  const ssize_t length = ::readlink(link.c_str(), buffer.data(), buffer.size());
  return length > 0 ? std::string(buffer.data(), static_cast<std::size_t>(length)) : std::string();
}

// Without `.` and doubled slashes; nullopt when it has `..` or is not absolute.
std::optional<std::string> plain_path(std::string_view path) {
  if (path.size() > kLongestPath || !path.starts_with('/') || path.find('\0') != std::string_view::npos)
    return std::nullopt;
  std::string plain;
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return std::nullopt;
    plain += "/" + part;
  }
  return plain.empty() ? "/" : plain;
}

Error outside(const std::string& path) {
  return make_error("FILE_OUTSIDE_ROOTS", path + " leads out of the directories that may be reached");
}

Error error_of(int number, const std::string& path) {
  if (number == EXDEV) return outside(path);
  Error error = system_error(number);
  error.message = path + ": " + error.message;
  return error;
}

FoundKind found_kind(mode_t mode) {
  if (S_ISREG(mode)) return FoundKind::kRegular;
  return S_ISDIR(mode) ? FoundKind::kDirectory : FoundKind::kOther;
}

// The directory and the name of something that is there, by where it really lies.
Result<void> find_place(const std::string& root, int root_fd, std::uint64_t resolve, FoundFile& found) {
  const std::size_t slash = found.real_path.rfind('/');
  found.name = found.real_path.substr(slash + 1);
  const std::string parent = slash == 0 ? "/" : found.real_path.substr(0, slash);
  if (found.name.empty()) return {};
  std::string relative = root == "/" ? parent.substr(1) : parent.substr(std::min(parent.size(), root.size()));
  while (relative.starts_with('/')) relative.erase(0, 1);
  int error = 0;
  found.directory = open_in(root_fd, relative.empty() ? "." : relative.c_str(), O_PATH | O_DIRECTORY,
                            resolve | RESOLVE_NO_SYMLINKS, error);
  if (!found.directory) return error_of(error, parent);
  return {};
}

}  // namespace

Result<FoundFile> find_beneath(const std::vector<std::string>& roots, const std::string& path) {
  const auto plain = plain_path(path);
  if (!plain) {
    if (path.starts_with('/')) return outside(path);
    return make_error("FILE_NOT_ABSOLUTE", "`" + path + "` is no absolute path");
  }
  const std::string* root = nullptr;
  for (const std::string& candidate : roots)
    if (lies_beneath(*plain, candidate) && (root == nullptr || candidate.size() > root->size()))
      root = &candidate;
  if (root == nullptr) return outside(path);
  const std::uint64_t resolve = RESOLVE_NO_MAGICLINKS | (*root == "/" ? 0 : RESOLVE_BENEATH);
  const UniqueFd root_fd(::open(root->c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root_fd) return error_of(errno, *root);
  const std::string real_root = path_of(root_fd.get());
  std::string relative = plain->substr(*root == "/" ? 1 : std::min(plain->size(), root->size()));
  while (relative.starts_with('/')) relative.erase(0, 1);

  FoundFile found;
  int error = 0;
  found.file = open_in(root_fd.get(), relative.empty() ? "." : relative.c_str(), O_PATH, resolve, error);
  if (found.file) {
    struct stat status {};
    if (::fstat(found.file.get(), &status) != 0) return error_of(errno, path);
    found.kind = found_kind(status.st_mode);
    found.size = static_cast<std::uint64_t>(status.st_size);
    found.mode = status.st_mode & 07777;
    found.real_path = path_of(found.file.get());
    if (found.real_path.empty() || status.st_nlink == 0) return error_of(ENOENT, path);
    if (auto place = find_place(real_root, root_fd.get(), resolve, found); !place) return place.error();
    return found;
  }
  if (error != ENOENT) return error_of(error, path);
  // The deepest directory there is. A link that leads nowhere is no place for a file.
  std::string rest;
  for (;;) {
    const std::size_t slash = relative.rfind('/');
    const std::string name = slash == std::string::npos ? relative : relative.substr(slash + 1);
    relative = slash == std::string::npos ? std::string() : relative.substr(0, slash);
    rest = rest.empty() ? name : name + "/" + rest;
    found.directory = open_in(root_fd.get(), relative.empty() ? "." : relative.c_str(), O_PATH | O_DIRECTORY,
                              resolve, error);
    if (found.directory) break;
    if (error != ENOENT || relative.empty()) return error_of(error, path);
  }
  struct stat status {};
  const std::string first = rest.substr(0, rest.find('/'));
  if (::fstatat(found.directory.get(), first.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
    return make_error("FILE_KIND", path + " is a link that leads nowhere");
  found.name = rest;
  const std::string base = path_of(found.directory.get());
  found.real_path = (base == "/" ? "" : base) + "/" + rest;
  return found;
}

Result<UniqueFd> open_found(const FoundFile& found) {
  if (found.kind != FoundKind::kRegular)
    return make_error(
        "FILE_KIND",
        found.real_path + (found.kind == FoundKind::kDirectory ? " is a directory" : " is no regular file"));
  const std::string link = link_of(found.file.get());
  UniqueFd file(::open(link.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return error_of(errno, found.real_path);
  return file;
}

Result<std::size_t> read_some(NativeHandle file, char* buffer, std::size_t most) {
  for (;;) {
    const ssize_t count = ::read(file, buffer, most);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return system_error(errno);
  }
}

Result<ReplacementFile> ReplacementFile::begin(const FoundFile& found, std::optional<std::uint32_t> mode,
                                               bool make_directories) {
  if (found.kind == FoundKind::kDirectory || found.kind == FoundKind::kOther)
    return make_error(
        "FILE_KIND",
        found.real_path + (found.kind == FoundKind::kDirectory ? " is a directory" : " is no regular file"));
  int error = 0;
  ReplacementFile replacement;
  replacement.directory_ =
      open_in(found.directory.get(), ".", O_RDONLY | O_DIRECTORY, RESOLVE_NO_SYMLINKS, error);
  if (!replacement.directory_) return error_of(error, found.real_path);
  replacement.name_ = found.name;
  while (replacement.name_.find('/') != std::string::npos) {
    if (!make_directories) return error_of(ENOENT, found.real_path);
    const std::string next = replacement.name_.substr(0, replacement.name_.find('/'));
    if (::mkdirat(replacement.directory_.get(), next.c_str(), 0755) != 0 && errno != EEXIST)
      return error_of(errno, found.real_path);
    UniqueFd deeper = open_in(replacement.directory_.get(), next.c_str(), O_RDONLY | O_DIRECTORY,
                              RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, error);
    if (!deeper) return error_of(error, found.real_path);
    replacement.directory_ = std::move(deeper);
    replacement.name_.erase(0, next.size() + 1);
  }
  // Without a name until it is whole: nothing is left of it even if this process is killed.
  replacement.file_ =
      UniqueFd(::openat(replacement.directory_.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (!replacement.file_) {  // not every file system can do that
    replacement.temporary_ = temporary_name();
    replacement.file_ = UniqueFd(::openat(replacement.directory_.get(), replacement.temporary_.c_str(),
                                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  }
  if (!replacement.file_) {
    const int failed = errno;
    replacement.temporary_.clear();
    return error_of(failed, found.real_path);
  }
  // Never one that runs as somebody else: what is written is a caller's.
  const std::uint32_t kept = found.kind == FoundKind::kRegular ? found.mode : 0644U;
  replacement.mode_ = mode.value_or(kept) & 0777;
  return replacement;
}

ReplacementFile::~ReplacementFile() {
  if (!temporary_.empty() && directory_) ::unlinkat(directory_.get(), temporary_.c_str(), 0);
}

Result<void> ReplacementFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return error_of(errno, name_);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> ReplacementFile::put_in_place() {
  if (::fchmod(file_.get(), *mode_) != 0 || ::fsync(file_.get()) != 0) return error_of(errno, name_);
  if (temporary_.empty()) {  // a link replaces nothing, a renaming does
    const std::string unnamed = link_of(file_.get());
    const std::string name = temporary_name();
    if (::linkat(AT_FDCWD, unnamed.c_str(), directory_.get(), name.c_str(), AT_SYMLINK_FOLLOW) != 0)
      return error_of(errno, name_);
    temporary_ = name;
  }
  if (::renameat(directory_.get(), temporary_.c_str(), directory_.get(), name_.c_str()) != 0)
    return error_of(errno, name_);
  temporary_.clear();
  if (::fsync(directory_.get()) != 0) return error_of(errno, name_);
  return {};
}

namespace {

struct CloseListed {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using ListedDirectory = std::unique_ptr<DIR, CloseListed>;

// False: there are too many.
bool list_into(int directory, const std::string& prefix, int depth, std::size_t most, Listing& listing) {
  ListedDirectory entries(::fdopendir(directory));
  if (!entries) {
    ::close(directory);
    return true;
  }
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status {};
    if (::fstatat(::dirfd(entries.get()), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(status.st_mode)) {
      if (listing.files.size() >= most) return false;
      listing.files.push_back({prefix + name, static_cast<std::uint64_t>(status.st_size)});
      listing.size += static_cast<std::uint64_t>(status.st_size);
    } else if (S_ISDIR(status.st_mode)) {
      if (depth >= kDeepest) return false;
      int error = 0;
      UniqueFd deeper = open_in(::dirfd(entries.get()), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                                RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, error);
      if (deeper && !list_into(deeper.release(), prefix + name + "/", depth + 1, most, listing)) return false;
    }
  }
  return true;
}

}  // namespace

Result<Listing> list_beneath(const FoundFile& directory, std::size_t most) {
  int error = 0;
  UniqueFd top = open_in(directory.file.get(), ".", O_RDONLY | O_DIRECTORY, RESOLVE_NO_SYMLINKS, error);
  if (!top) return error_of(error, directory.real_path);
  Listing listing;
  listing.truncated = !list_into(top.release(), "", 0, most, listing);
  return listing;
}

Result<FreeSpace> free_space(const FoundFile& found) {
  struct statvfs status {};
  const UniqueFd& nearest = found.kind == FoundKind::kMissing ? found.directory : found.file;
  if (::fstatvfs(nearest.get(), &status) != 0) return error_of(errno, found.real_path);
  FreeSpace space;
  space.resolved = path_of(nearest.get());
  space.block_size = status.f_frsize;
  space.free_bytes = static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  space.total_bytes = static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize;
  return space;
}

}  // namespace hostclaw::node_host
