#include "node-host/system/instance_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hostclaw::node_host {

std::int64_t process_id() { return getpid(); }

bool process_is_alive(std::int64_t pid) {
  return pid > 0 && (kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM);
}

std::string host_platform() {
#ifdef __APPLE__
  return "darwin";
#else
  return "linux";
#endif
}

Result<InstanceLock> InstanceLock::acquire(const std::string& state_directory) {
  const std::string path = state_directory + "/node.lock";
  InstanceLock lock;
  lock.file_.reset(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.file_) return make_error("STORE_IO", "cannot open " + path + ": " + std::strerror(errno));
  if (flock(lock.file_.get(), LOCK_EX | LOCK_NB) != 0) {
    char owner[32] = {};
    const ssize_t size = pread(lock.file_.get(), owner, sizeof owner - 1, 0);
    std::string who = size > 0 ? " (process " + std::string(owner, static_cast<std::size_t>(size)) + ")" : "";
    return make_error("ALREADY_RUNNING", "another hostclaw node uses this state directory" + who,
                      "hostclaw status, or give this one its own HOSTCLAW_STATE_DIR");
  }
  const std::string pid = std::to_string(getpid());
  if (ftruncate(lock.file_.get(), 0) != 0 || pwrite(lock.file_.get(), pid.data(), pid.size(), 0) < 0) {
    return make_error("STORE_IO", "cannot write " + path + ": " + std::strerror(errno));
  }
  return lock;
}

}  // namespace hostclaw::node_host
