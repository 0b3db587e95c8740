// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) reset(other.release());
  return *this;
}

void UniqueFd::reset(NativeHandle fd) {
  // close() is not repeated on EINTR: on Linux the descriptor is gone either way.
  if (fd_ >= 0 && fd_ != fd) ::close(fd_);
  fd_ = fd;
}

UniqueFd open_null_input() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

std::size_t write_once(NativeHandle file, std::string_view bytes) {
  const ssize_t written = ::write(file, bytes.data(), bytes.size());
  return written > 0 ? static_cast<std::size_t>(written) : 0;
}

bool leads_to(NativeHandle directory, const std::string& word, NativeHandle file) {
  struct stat there {};
  struct stat here {};
  return ::fstatat(directory, word.c_str(), &there, 0) == 0 && ::fstat(file, &here) == 0 &&
         there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

}  // namespace hostclaw::node_host
