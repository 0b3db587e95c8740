// SPDX-License-Identifier: Apache-2.0
// Owned descriptors and the real FileProbe. Everything that is judged stays open from the decision to the
// spawn.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/model/file_probe.h"

namespace hostclaw::node_host {

// What the system calls an open file: a descriptor, or a HANDLE as a number. -1 means none.
#ifdef _WIN32
using NativeHandle = std::intptr_t;
#else
using NativeHandle = int;
#endif

// Closes on destruction. -1 means none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(NativeHandle fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { reset(); }
  NativeHandle get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  NativeHandle release() {
    const NativeHandle fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(NativeHandle fd = -1);

 private:
  NativeHandle fd_ = -1;
};

// A standard input that is at its end; children may inherit it. None when the system refuses.
UniqueFd open_null_input();

// One write; answers how many bytes were taken, 0 when none were. Blocks as the file does.
std::size_t write_once(NativeHandle file, std::string_view bytes);

// True when `word`, as a program in `directory` would open it, is the opened `file`.
bool leads_to(NativeHandle directory, const std::string& word, NativeHandle file);

// A FileProbe over the real file system for one request. Each file or directory that is looked at is opened
// (O_PATH, close-on-exec) and kept, keyed by the path that was asked for, until the object dies; facts()
// answers from the descriptor, so a second look cannot see another file.
//
// A path that is not absolute, is empty or holds a NUL byte is kMissing (error ENOENT). FileFacts::executable
// is for regular files. What `unchanged` compares: device, inode, owner, group and mode; for regular files
// also size, modification and change time (the last cannot be set by a program). content_sha256 and head read
// through the descriptor; a content that changes while it is hashed has no digest.
//
// Windows. While a file is held nobody can write, rename or delete it, and a directory that is held keeps its
// name. A file that somebody has open for writing is kUnreadable (error ETXTBSY). real_path is what the
// handle says: long names, real case, links resolved, `C:\dir\file` or `\\server\share\file`. kMissing
// without a look, because the name would mean something else than it says: an alternate stream (`a:b`), a
// device (`NUL`, `\\.\`...), a part that ends in a dot or space, a path relative to a drive. Identity is
// the volume's serial number and the file's id; `executable` means an extension of this machine's PATHEXT.
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
  bool changeable_by_others(const std::string& path) override;
  bool is_one_of_many_names(const std::string& path) override;
  std::optional<std::string> content_sha256(const std::string& path) override;
  std::string head(const std::string& path, std::size_t count) override;

  // facts(path).identity, without the questions about who could change the path.
  policy::FileIdentity identity(const std::string& path);
  // True when the opened file holds exactly this content now: read again, whatever was read before.
  bool has_content(const std::string& path, const std::string& sha256);

  // The descriptor that facts(path) judged, or -1. Owned by this object.
  NativeHandle descriptor(const std::string& path) const;
  // Looks at the opened file again: false when its content, owner or mode changed since facts(path), or when
  // `path` now leads to another file. Call immediately before the spawn.
  bool unchanged(const std::string& path) const;
  // What `unchanged` compares, as a text: who opens `path` anew and gets the same text has the same file in
  // the same state. Empty: none could be opened. Windows: always empty.
  std::string state(const std::string& path);
  // The reason (an errno) when a file could not be looked at because this process or the machine has no more
  // descriptors or memory: then what was found tells nothing about the files. 0: none. Windows: always 0.
  int exhausted() const { return exhausted_; }
  // A path that did not answer in time (patient_look.h); from then on nothing is found, and what was tells
  // nothing. Empty: all answered. Windows: always empty.
  const std::string& not_answering() const { return patience_.not_answering; }
  // After the last spawn: who waits to write to a file that was held need not wait any longer, except for
  // `paths`, which programs read by themselves later. Only Windows holds files against writing.
  void let_go_except(const std::vector<std::string>& paths);

 private:
  struct Entry;
  Entry& entry(const std::string& path);
  Entry& opened(const std::string& path);  // POSIX
  std::map<std::string, std::unique_ptr<Entry>> entries_;
  std::map<std::string, bool> many_names_;
  int exhausted_ = 0;
  struct Patience {
    std::optional<bool> needed;             // something is mounted that may hang
    std::chrono::milliseconds left{3'000};  // of all looks together
    std::string not_answering;
  };
  mutable Patience patience_;
};

}  // namespace hostclaw::node_host
