// SPDX-License-Identifier: Apache-2.0
// Makes the bytes that were judged the bytes that run, also when someone writes to the file meanwhile.
//
// Two means. A lease keeps writers waiting while a program is started: until the kernel has it, from when on
// writing is refused (ETXTBSY). A sealed copy can never change; what reads a file by itself, as interpreters
// do, is given that.
//
// Windows has a third: a file that OpenedFiles holds cannot be written by anyone until it lets go, which it
// does not do before the program that reads it has ended. There is nothing to lease or to copy then.
//
// Thread rule: safe from any thread.
#pragma once

#include <string>

#include "base/result.h"
#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

// While it lives, nobody can open the file for writing or cut it (they wait, the kernel says how long at
// most: /proc/sys/fs/lease-break-time).
class WriteLease {
 public:
  enum class State {
    kHeld,
    kOpenForWriting,  // somebody has the file open for writing now
    kUnavailable,     // not our file and no CAP_LEASE, or the file system has no leases
  };
  explicit WriteLease(NativeHandle fd);  // O_PATH is enough
  State state() const { return state_; }
  NativeHandle readable() const { return fd_.get(); }  // the same file, open for reading, or -1

 private:
  UniqueFd fd_;
  State state_ = State::kUnavailable;
};

struct SealedCopy {
  UniqueFd fd;         // memory, readable and executable; sealed against every change
  std::string sha256;  // of exactly these bytes, lower-case hex
};

inline constexpr std::size_t kMaxSealedBytes = std::size_t{64} << 20;

// Copies what the opened regular file holds. Errors: the errno name; EFBIG above kMaxSealedBytes; ENOTSUP
// where opened_files_are_bound().
Result<SealedCopy> sealed_copy(NativeHandle fd);

// True where what OpenedFiles holds cannot change while it is held (Windows).
bool opened_files_are_bound();

// A file that a program is told to read, in a form that always gives it the judged content.
struct BoundOperand {
  UniqueFd handle;     // for SpawnRequest::operand, or none
  std::string word;    // what the program is told instead of the path
  std::string sha256;  // of what it will read, lower-case hex
};

// `real_path` is the one that the opened regular `file` has. Errors: as sealed_copy.
Result<BoundOperand> bind_operand(NativeHandle file, const std::string& real_path);

}  // namespace hostclaw::node_host
