// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/content_binding.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/sha256.h"
#include "node-host/system/host/system_error.h"
#include "node-host/system/process/spawn.h"

namespace hostclaw::node_host {
namespace {

UniqueFd readable_twin(int fd) {
  return UniqueFd(
      ::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
}

UniqueFd make_memory_file() {
#ifdef MFD_EXEC
  constexpr unsigned kExecutable = MFD_EXEC;
#else
  constexpr unsigned kExecutable = 0x0010U;
#endif
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd fd(::memfd_create("hostclaw-judged", flags | kExecutable));
  // Kernels before 6.3 do not know the flag and make every such file executable.
  if (!fd && errno == EINVAL) fd.reset(::memfd_create("hostclaw-judged", flags));
  return fd;
}

bool write_whole(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

}  // namespace

WriteLease::WriteLease(NativeHandle fd) : fd_(readable_twin(fd)) {
  if (!fd_) return;
  // Whoever wants to write makes the kernel signal us. Nothing is to be done: the lease is short. The default
  // signal would end the process; this one is ignored by default.
  if (::fcntl(fd_.get(), F_SETSIG, SIGURG) != 0) return;
  if (::fcntl(fd_.get(), F_SETLEASE, F_RDLCK) == 0) {
    state_ = State::kHeld;
  } else if (errno == EAGAIN) {
    state_ = State::kOpenForWriting;
  }
}

Result<SealedCopy> sealed_copy(NativeHandle fd) {
  const UniqueFd source = readable_twin(fd);
  if (!source) return system_error(errno);
  SealedCopy copy;
  copy.fd = make_memory_file();
  if (!copy.fd) return system_error(errno);
  Sha256 hash;
  std::array<char, 65536> buffer;
  std::size_t total = 0;
  for (;;) {
    const ssize_t count = ::read(source.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(errno);
    if (count == 0) break;
    const auto size = static_cast<std::size_t>(count);
    total += size;
    if (total > kMaxSealedBytes) return system_error(EFBIG);
    hash.update({buffer.data(), size});
    if (!write_whole(copy.fd.get(), buffer.data(), size)) return system_error(errno);
  }
  if (::fchmod(copy.fd.get(), 0555) != 0 ||
      ::fcntl(copy.fd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return system_error(errno);
  copy.sha256 = hash.hex();
  // The kernel refuses to execute what is open for writing.
  UniqueFd reading = readable_twin(copy.fd.get());
  if (!reading) return system_error(errno);
  copy.fd = std::move(reading);
  return copy;
}

bool opened_files_are_bound() { return false; }

Result<BoundOperand> bind_operand(NativeHandle file, const std::string&) {
  auto copy = sealed_copy(file);
  if (!copy) return copy.error();
  return BoundOperand{std::move(copy->fd), "/dev/fd/" + std::to_string(kOperandDescriptor),
                      std::move(copy->sha256)};
}

}  // namespace hostclaw::node_host
