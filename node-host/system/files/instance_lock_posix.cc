// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/instance_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace hostclaw::node_host {
namespace {

// Whoever looks with holder() has the lock for a moment.
constexpr int kLockTries = 10;
constexpr std::chrono::milliseconds kLockPause{25};

std::string lock_path(const std::string& state_directory) { return state_directory + "/node.lock"; }

UniqueFd open_directory(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

// 0, or the reason.
int lock_now(int fd) {
  for (int left = kLockTries;; --left) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK || left == 0) return errno;
    std::this_thread::sleep_for(kLockPause);
  }
}

bool somebody_holds(int fd) {
  if (flock(fd, LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
  flock(fd, LOCK_UN);
  return false;
}

RunningNode read_holder(int fd) {
  char text[256] = {};
  const ssize_t size = pread(fd, text, sizeof text - 1, 0);
  return size <= 0 ? RunningNode{} : parse_running_node({text, static_cast<std::size_t>(size)});
}

Error already_running(const RunningNode& node) {
  const std::string who = node.pid > 0 ? " (process " + std::to_string(node.pid) + ")" : "";
  return make_error("ALREADY_RUNNING", "another hostclaw node uses this state directory" + who,
                    "hostclaw status, or give this one its own HOSTCLAW_STATE_DIR");
}

Error cannot(const std::string& what) {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return make_error(full ? "STORE_FULL" : "STORE_IO", "cannot " + what + ": " + std::strerror(errno),
                    full ? "df -h" : "");
}

Result<void> write_holder(int fd, std::string_view note, const std::string& path) {
  const std::string text = std::to_string(getpid()) + "\n" + std::string(note) + "\n";
  if (ftruncate(fd, 0) != 0 || pwrite(fd, text.data(), text.size(), 0) < 0) return cannot("write " + path);
  return {};
}

bool still_named(int fd, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

}  // namespace

std::int64_t process_id() { return getpid(); }

std::string host_platform() {
#ifdef __APPLE__
  return "darwin";
#else
  return "linux";
#endif
}

Result<InstanceLock> InstanceLock::acquire(const std::string& state_directory) {
  const std::string path = lock_path(state_directory);
  InstanceLock lock;
  lock.directory_ = open_directory(state_directory);
  const bool directory_held = lock.directory_ && lock_now(lock.directory_.get()) == EWOULDBLOCK;
  for (;;) {
    lock.file_.reset(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.file_) return cannot("open " + path);
    if (directory_held || lock_now(lock.file_.get()) != 0)
      return already_running(read_holder(lock.file_.get()));
    // Deleted between the two: what is locked then is nobody's file.
    if (still_named(lock.file_.get(), path)) break;
  }
  if (auto written = write_holder(lock.file_.get(), "", path); !written) return written.error();
  return lock;
}

std::optional<RunningNode> InstanceLock::holder(const std::string& state_directory) {
  const UniqueFd directory = open_directory(state_directory);
  const UniqueFd file(open(lock_path(state_directory).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  const bool held = (directory && somebody_holds(directory.get())) || (file && somebody_holds(file.get()));
  if (!held) return std::nullopt;
  return file ? read_holder(file.get()) : RunningNode{};
}

void InstanceLock::note(std::string_view text) const { (void)write_holder(file_.get(), text, ""); }

}  // namespace hostclaw::node_host
