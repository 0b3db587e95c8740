// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "approvals/platform/private_files.h"

namespace hostclaw::approvals {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// `what` starts the sentence: "cannot create /x".
Error system_error(int error_number, const std::string& what) {
  const std::string message = what + ": " + std::strerror(error_number);
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return make_error("STORE_FULL", message, "df -h");
    case EROFS:
      return make_error("STORE_READ_ONLY", message);
    case EACCES:
    case EPERM:
      return make_error("STORE_PERMISSIONS", message);
    default:
      return make_error("STORE_IO", message);
  }
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_not_of('/') == std::string::npos
                                ? std::string::npos
                                : path.find_last_of('/', path.find_last_not_of('/'));
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_empty_directory(const std::string& directory) {
  std::error_code ignored;
  return std::filesystem::is_empty(directory, ignored) && !ignored;
}

Result<void> check_owner_and_mode(const struct stat& facts, const std::string& path, const char* kind,
                                  const char* mode) {
  if (facts.st_uid != ::geteuid()) {
    return make_error("STORE_PERMISSIONS",
                      std::string(kind) + " " + path + " belongs to user id " + std::to_string(facts.st_uid) +
                          ", this process runs as user id " + std::to_string(::geteuid()),
                      "sudo chown " + std::to_string(::geteuid()) + " " + shell_word(path));
  }
  if ((facts.st_mode & 077U) != 0) {
    return make_error("STORE_PERMISSIONS",
                      std::string(kind) + " " + path + " holds secrets and is open to other users",
                      std::string("chmod ") + mode + " " + shell_word(path));
  }
  return {};
}

Result<void> make_directory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0) {
    if (errno == EEXIST) return {};
    return system_error(errno, "cannot create directory " + directory);
  }
  // The umask can take bits away from mkdir, never from chmod.
  if (::chmod(directory.c_str(), 0700) != 0)
    return system_error(errno, "cannot close directory " + directory);
  return {};
}

Result<void> make_directories(const std::string& directory) {
  if (file_exists(directory)) return {};
  const std::string parent = parent_of(directory);
  if (parent != directory && parent != "/" && parent != ".") {
    if (Result<void> made = make_directories(parent); !made) return made;
  }
  return make_directory(directory);
}

Result<void> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return system_error(errno, "cannot write " + path);
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// Gives `from` the name `to` unless that name is taken. In one step where the file system can: whoever is
// killed between two would leave a file with two names.
Result<void> publish(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  int failure = errno;
  if (failure != EEXIST) failure = ::link(from.c_str(), to.c_str()) == 0 ? 0 : errno;
  ::unlink(from.c_str());
  if (failure == 0 || failure == EEXIST) return {};
  return system_error(failure, "cannot create " + to);
}

}  // namespace

std::string shell_word(std::string_view text) {
  if (!text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                              "_-./:@%+,=") == std::string_view::npos) {
    return std::string(text);
  }
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

bool is_out_of_space(int error_number) {
  return error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
}

bool is_access_denied(int error_number) {
  return error_number == EACCES || error_number == EROFS || error_number == EPERM;
}

std::string command_for_free_space(const std::string& path) { return "df -h " + shell_word(path); }

std::string command_for_access_rights(const std::string& path) {
  return "ls -l " + shell_word(path) + "; findmnt -T " + shell_word(path);
}

std::string command_for_users_of(const std::string& path) { return "fuser -v " + shell_word(path); }

std::string command_for_names_of(const std::string& path) {
  const std::string word = shell_word(path);
  return "find \"$(stat -c %m " + word + ")\" -xdev -samefile " + word;
}

std::string command_to_rename(const std::string& from, const std::string& to) {
  return "mv " + shell_word(from) + " " + shell_word(to);
}

bool file_exists(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0;
}

std::uint64_t file_size_or_zero(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 ? static_cast<std::uint64_t>(facts.st_size) : 0;
}

std::string file_fingerprint(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return "absent";
  return std::to_string(facts.st_dev) + ":" + std::to_string(facts.st_ino) + ":" +
         std::to_string(facts.st_size) + ":" + std::to_string(facts.st_mtim.tv_sec) + "." +
         std::to_string(facts.st_mtim.tv_nsec);
}

std::uint64_t file_names(const std::string& path) {
  struct stat facts {};
  return ::lstat(path.c_str(), &facts) == 0 ? facts.st_nlink : 0;
}

std::string file_identity(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return "absent";
  return std::to_string(facts.st_dev) + ":" + std::to_string(facts.st_ino);
}

Result<void> check_private_directory(const std::string& directory) {
  struct stat facts {};
  if (::stat(directory.c_str(), &facts) != 0) {
    if (errno == ENOENT) return {};
    return system_error(errno, "cannot look at " + directory);
  }
  if (!S_ISDIR(facts.st_mode)) return make_error("STORE_IO", directory + " is not a directory");
  return check_owner_and_mode(facts, directory, "directory", "700");
}

Result<void> check_private_file(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    if (errno == ENOENT) return {};
    return system_error(errno, "cannot look at " + path);
  }
  if (!S_ISREG(facts.st_mode)) return make_error("STORE_IO", path + " is not a regular file");
  return check_owner_and_mode(facts, path, "file", "600");
}

Result<void> ensure_private_directory(const std::string& directory) {
  if (Result<void> made = make_directories(directory); !made) return made;
  struct stat facts {};
  if (::stat(directory.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode) && facts.st_uid == ::geteuid() &&
      (facts.st_mode & 077U) != 0 && is_empty_directory(directory)) {
    if (::chmod(directory.c_str(), 0700) != 0)
      return system_error(errno, "cannot close directory " + directory);
  }
  return check_private_directory(directory);
}

Result<void> create_private_file(const std::string& path, std::string_view content) {
  std::string temporary = path + ".XXXXXX";
  // mkostemp creates with 0600 and O_EXCL.
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.get() < 0) return system_error(errno, "cannot create " + path);
  Result<void> outcome = write_all(file.get(), content, path);
  if (outcome && ::fchmod(file.get(), 0600) != 0) outcome = system_error(errno, "cannot close " + path);
  if (outcome && ::fsync(file.get()) != 0) outcome = system_error(errno, "cannot write " + path);
  if (!outcome) {
    ::unlink(temporary.c_str());
    return outcome;
  }
  if (Result<void> published = publish(temporary, path); !published) return published;
  const Descriptor directory(::open(parent_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
  return {};
}

Result<std::FILE*> open_new_private_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return make_error("FILE_EXISTS", path + " exists already");
  if (fd < 0) return system_error(errno, "cannot create " + path);
  std::FILE* file = ::fdopen(fd, "wb");
  if (file != nullptr) return file;
  const int problem = errno;
  ::close(fd);
  return system_error(problem, "cannot create " + path);
}

Result<void> copy_private_file(const std::string& from, const std::string& to) {
  const Descriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (source.get() < 0) return system_error(errno, "cannot read " + from);
  const Descriptor target(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (target.get() < 0) return system_error(errno, "cannot create " + to);
  std::string buffer(1 << 16, '\0');
  for (;;) {
    const ssize_t count = ::read(source.get(), buffer.data(), buffer.size());
    if (count == 0) return {};
    if (count < 0) {
      if (errno == EINTR) continue;
      return system_error(errno, "cannot read " + from);
    }
    const std::string_view part(buffer.data(), static_cast<std::size_t>(count));
    if (Result<void> written = write_all(target.get(), part, to); !written) return written;
  }
}

Result<std::string> make_private_temporary_directory() {
  const char* base = std::getenv("TMPDIR");
  std::string name =
      (base != nullptr && *base == '/' ? std::string(base) : std::string("/tmp")) + "/hostclaw.XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return system_error(errno, "cannot create a temporary directory");
  if (::chmod(name.c_str(), 0700) != 0) return system_error(errno, "cannot close " + name);
  return name;
}

}  // namespace hostclaw::approvals
