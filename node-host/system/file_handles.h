// Owned descriptors and the real FileProbe. Everything that is judged stays open from the decision to the
// spawn.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "policy/file_probe.h"

namespace hostclaw::node_host {

// Closes on destruction. -1 means none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// A FileProbe over the real file system for one request. Each file or directory that is looked at is opened
// (O_PATH, close-on-exec) and kept, keyed by the path that was asked for, until the object dies; facts()
// answers from the descriptor, so a second look cannot see another file.
//
// A path that is not absolute, is empty or holds a NUL byte is kMissing (error ENOENT). FileFacts::executable
// is for regular files. What `unchanged` compares: device, inode, owner, group and mode; for regular files
// also size, modification and change time (the last cannot be set by a program). content_sha256 and head read
// through the descriptor; a content that changes while it is hashed has no digest.
//
// Thread rule: one thread at a time.
class OpenedFiles final : public policy::FileProbe {
 public:
  OpenedFiles();
  ~OpenedFiles() override;
  OpenedFiles(const OpenedFiles&) = delete;
  OpenedFiles& operator=(const OpenedFiles&) = delete;
  policy::FileFacts facts(const std::string& path) override;
  bool is_symlink(const std::string& path) override;
  std::optional<std::string> content_sha256(const std::string& path) override;
  std::string head(const std::string& path, std::size_t count) override;

  // True when the opened file holds exactly this content now: read again, whatever was read before.
  bool has_content(const std::string& path, const std::string& sha256);

  // The descriptor that facts(path) judged, or -1. Owned by this object.
  int descriptor(const std::string& path) const;
  // Looks at the opened file again: false when its content, owner or mode changed since facts(path), or when
  // `path` now leads to another file. Call immediately before the spawn.
  bool unchanged(const std::string& path) const;

 private:
  struct Entry;
  Entry& entry(const std::string& path);
  std::map<std::string, std::unique_ptr<Entry>> entries_;
};

}  // namespace hostclaw::node_host
