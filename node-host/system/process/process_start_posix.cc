// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/process_start.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "node-host/system/files/descriptor_limit.h"

namespace hostclaw::node_host {
namespace {

std::atomic<bool> signals_seen{false};
std::atomic<std::uint64_t> signals_ignored{0};

void set_handling(int signal_number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(signal_number, &action, nullptr);
}

void close_inherited_on_exec() {
#ifdef SYS_close_range
  constexpr unsigned kCloseOnExec = 1U << 2;
  if (::syscall(SYS_close_range, 3U, ~0U, kCloseOnExec) == 0) return;
#endif
  // Kernels before 5.11.
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const int most = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 65536));
  for (int fd = 3; fd < most; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

}  // namespace

std::optional<rlimit>& descriptor_limit_of_children() {
  static std::optional<rlimit> limit;
  return limit;
}

void settle_inherited_state() {
  set_handling(SIGCHLD, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int fd = 0; fd < 3; ++fd) {
    // The lowest free number is the missing one.
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) (void)!::open("/dev/null", O_RDWR);
  }
  close_inherited_on_exec();
}

void ignore_broken_pipes() {
  set_handling(SIGPIPE, SIG_IGN);
  look_at_signals_again();
}

std::uint64_t ignored_signals() {
  if (signals_seen) return signals_ignored;
  std::uint64_t ignored = 0;
  for (int number = 1; number <= 64; ++number) {
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN)
      ignored |= std::uint64_t{1} << (number - 1);
  }
  signals_ignored = ignored;
  signals_seen = true;
  return ignored;
}

void look_at_signals_again() { signals_seen = false; }
void hold_console_close() {}

std::uint64_t raise_descriptor_limit(std::uint64_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  if (limit.rlim_cur >= wanted) return limit.rlim_cur;
  const rlimit raised{std::min<rlim_t>(wanted, limit.rlim_max), limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &raised) != 0) return limit.rlim_cur;
  if (auto& of_children = descriptor_limit_of_children(); !of_children) of_children = limit;
  return raised.rlim_cur;
}

std::string take_environment_secret(const char* name) {
  // The text itself, not what getenv() might copy.
  char* value = ::getenv(name);
  if (value == nullptr) return {};
  std::string secret(value);
  ::explicit_bzero(value, secret.size());
  ::unsetenv(name);
  return secret;
}

void keep_memory_private() {
#ifdef PR_SET_DUMPABLE
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

}  // namespace hostclaw::node_host
