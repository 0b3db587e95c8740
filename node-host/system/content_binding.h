// Makes the bytes that were judged the bytes that run, also when someone writes to the file meanwhile.
//
// Two means. A lease keeps writers waiting while a program is started: until the kernel has it, from when on
// writing is refused (ETXTBSY). A sealed copy can never change; what reads a file by itself, as interpreters
// do, is given that.
//
// Thread rule: safe from any thread.
#pragma once

#include <string>

#include "base/result.h"
#include "node-host/system/file_handles.h"

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
  explicit WriteLease(int fd);  // O_PATH is enough
  State state() const { return state_; }

 private:
  UniqueFd fd_;
  State state_ = State::kUnavailable;
};

struct SealedCopy {
  UniqueFd fd;         // memory, readable and executable; sealed against every change
  std::string sha256;  // of exactly these bytes, lower-case hex
};

inline constexpr std::size_t kMaxSealedBytes = std::size_t{64} << 20;

// Copies what the opened regular file holds. Errors: the errno name; EFBIG above kMaxSealedBytes.
Result<SealedCopy> sealed_copy(int fd);

}  // namespace hostclaw::node_host
