// SPDX-License-Identifier: Apache-2.0
// Files on this side of a transfer. Errors: LOCAL_FILE with the path and the system's reason.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hostlink/client/stream.h"

namespace hostclaw::hostlink {

Error local_file_error(const std::string& what, const std::string& path, int error);

Result<std::string> read_local_file(const std::string& path, std::size_t max_bytes);
bool is_missing(const std::string& path);

struct LocalFile {
  OwnedFd fd;
  std::uint64_t size = 0;
  std::uint32_t mode = 0;  // permission bits
};
// Regular files alone: others have no size to announce.
Result<LocalFile> open_local_file(const std::string& path);
bool is_folder(const std::string& path);

struct FoundFile {
  std::string relative;  // below the folder, with /
  std::uint64_t size = 0;
};
// Regular files below a folder, by name; links are not followed, and what is excluded (fnmatch(3) against the
// name and the relative path) is left out. At most 100 000.
Result<std::vector<FoundFile>> walk_folder(const std::string& folder,
                                           const std::vector<std::string>& excludes);
bool is_excluded(const std::string& relative, const std::vector<std::string>& excludes);

// Whether a name that a daemon gave may be put below a folder: relative, and no way out of it.
bool is_safe_relative(std::string_view path);
Result<void> make_folders(const std::string& path);  // with its parents
std::string base_name(std::string_view path);
std::string joined(const std::string& folder, std::string_view name);
// Free bytes where the path will lie; the largest number when that cannot be told.
std::uint64_t free_bytes_at(const std::string& path);

// A file that appears under its name when it is whole, and never otherwise. It takes the place of one that
// there is, with that one's mode; a new one has what the umask leaves of 0666.
class NewFile {
 public:
  static Result<NewFile> begin(const std::string& path);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();  // takes away what was not finished
  Result<void> write(std::string_view bytes);
  Result<void> finish();

 private:
  NewFile(std::string path, std::string temporary, OwnedFd fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}
  std::string path_;
  std::string temporary_;
  OwnedFd fd_;
};

// All of it to a descriptor that may block. Errors: LOCAL_FILE.
Result<void> write_fully(int fd, std::string_view bytes, const std::string& name);

}  // namespace hostclaw::hostlink
