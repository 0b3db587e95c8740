// SPDX-License-Identifier: Apache-2.0
// Files that a caller names, kept beneath the directories it was given: found, looked at, read, and replaced
// whole. Nothing outside is ever opened: a path that leaves its root by `..` or by a link is refused by the
// kernel (openat2 with RESOLVE_BENEATH), and what was found is used by its descriptor from then on, so that
// no name can be re-pointed meanwhile. With the root `/` links lead wherever they lead.
//
// Errors: FILE_OUTSIDE_ROOTS, FILE_NOT_ABSOLUTE, FILE_KIND (a directory, device or pipe where a regular file
// is meant), else errno names with the system's words. Windows: FILE_UNSUPPORTED for everything. Thread rule:
// safe from any thread; every function may block as the file system does.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

enum class FoundKind { kMissing, kRegular, kDirectory, kOther };

// Where a path leads. Holds what it found.
struct FoundFile {
  std::string
      real_path;  // links followed; of a missing file: of the deepest directory there is, and the rest
  FoundKind kind = FoundKind::kMissing;
  std::uint64_t size = 0;
  std::uint32_t mode = 0;  // permission bits
  UniqueFd file;           // O_PATH; none when it is missing
  UniqueFd directory;      // O_PATH: the directory that holds it, or would; for a missing one the deepest
  std::string name;        // in that directory; with slashes when directories are missing
};

// Looks where `path` leads within one of `roots` (absolute; the longest that holds the path counts).
Result<FoundFile> find_beneath(const std::vector<std::string>& roots, const std::string& path);

// Opened for reading from its beginning. Requires: kRegular. Files of /proc have a size of 0 and are read to
// their end.
Result<UniqueFd> open_found(const FoundFile& found);
// What is there, up to `most` bytes; empty: the end.
Result<std::size_t> read_some(NativeHandle file, char* buffer, std::size_t most);

// A file that takes the place of another, or of none, when it is complete: written beside it, synced,
// renamed. Until then, and when it breaks off, the one before stays as it was.
class ReplacementFile {
 public:
  // `mode`: permission bits; absent: those of the file it replaces, else 0644. `make_directories`: those that
  // are missing on the way, 0755. Follows what find_beneath found, never a new look at the path.
  static Result<ReplacementFile> begin(const FoundFile& found, std::optional<std::uint32_t> mode,
                                       bool make_directories);
  ReplacementFile(ReplacementFile&&) noexcept = default;
  ReplacementFile& operator=(ReplacementFile&&) = delete;
  ~ReplacementFile();  // what was not put in its place is removed

  Result<void> write(std::string_view bytes);
  Result<void> put_in_place();

 private:
  ReplacementFile() = default;
  UniqueFd directory_;
  UniqueFd file_;
  std::string name_;
  std::string temporary_;  // empty: it has no name yet, or is in its place
  std::optional<std::uint32_t> mode_;
};

struct ListedFile {
  std::string path;  // relative to the directory
  std::uint64_t size = 0;
};
struct Listing {
  std::vector<ListedFile> files;  // regular files; links and what is neither are left out
  std::uint64_t size = 0;         // of all of them
  bool truncated = false;
};
// Every regular file below a directory, in no order; at most `most`, at most 64 directories deep.
Result<Listing> list_beneath(const FoundFile& directory, std::size_t most);

struct FreeSpace {
  std::string resolved;  // the nearest directory there is
  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t block_size = 0;
};
Result<FreeSpace> free_space(const FoundFile& found);

}  // namespace hostclaw::node_host
