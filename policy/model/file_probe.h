// SPDX-License-Identifier: Apache-2.0
// Facts about the file system, the only way policy/ learns them. The real implementation (node-host/system)
// opens what it looks at and keeps it open, so that what was judged is what is spawned; tests use a fake.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/model/types.h"

namespace hostclaw::policy {

struct FileIdentity {
  bool known = false;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;  // of the content, nanoseconds since the epoch
  std::uint32_t owner = 0;       // uid; 0 on Windows

  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

enum class FileKind { kMissing, kRegular, kDirectory, kOther, kUnreadable };

struct FileFacts {
  FileKind kind = FileKind::kMissing;
  bool executable = false;  // by this process
  std::string real_path;    // symlinks resolved; empty when missing
  FileIdentity identity;
  bool mutable_by_us =
      false;  // the file, its directory or a symlink on the way is writable or owned by this uid
  bool writable_by_others = false;  // group or world can write the file or its directory
  int error = 0;                    // errno of the failed look, 0 when none
};

// Thread rule: one request, one thread.
class FileProbe {
 public:
  virtual ~FileProbe() = default;
  // Follows symlinks. `path` is absolute. Never fails: what cannot be seen is kMissing or kUnreadable.
  virtual FileFacts facts(const std::string& path) = 0;
  // Does not follow a final symlink; true when `path` itself is one.
  virtual bool is_symlink(const std::string& path) = 0;
  // True when anybody but root and this process's user can change what the path leads to: by writing it, or
  // by putting something else in its place or in that of a directory or link on the way. True for what is
  // missing.
  virtual bool changeable_by_others(const std::string& path) = 0;
  // True when at least two more names in the directory that holds `path` lead to the same file, versions of
  // the file's own name (python, python3) not counted.
  virtual bool is_one_of_many_names([[maybe_unused]] const std::string& path) { return false; }
  // Lower-case hex SHA-256 of the content of a regular file; nullopt when it cannot be read.
  virtual std::optional<std::string> content_sha256(const std::string& path) = 0;
  // The first `count` bytes of a regular file (magic numbers, #! lines); empty when it cannot be read.
  virtual std::string head(const std::string& path, std::size_t count) = 0;
};

}  // namespace hostclaw::policy
