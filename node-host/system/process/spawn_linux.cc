// SPDX-License-Identifier: Apache-2.0
// The fast path is clone(CLONE_VM | CLONE_VFORK): no page table is copied and the parent sleeps until exec,
// as posix_spawn does it, which has no way to exec a descriptor. The child shares our memory until then, so
// it runs raw system calls on values that were prepared before and nothing else. Where the kernel has clone3,
// it also takes back the handlers of signals and puts the child into its control group; else the child does
// both itself. ThreadSanitizer does not understand shared memory; there it is fork with a pipe for the error.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <set>

#include "node-host/system/files/descriptor_limit.h"
#include "node-host/system/files/path_ownership.h"
#include "node-host/system/host/system_error.h"
#include "node-host/system/process/process_start.h"
#include "node-host/system/process/spawn.h"

#if defined(__SANITIZE_THREAD__)
#define HOSTCLAW_SPAWN_FORK 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HOSTCLAW_SPAWN_FORK 1
#endif
#endif

namespace hostclaw::node_host {
namespace {

constexpr int kScriptDescriptor = 97;  // out of the way of the numbers that scripts choose for themselves
constexpr int kFirstFreeDescriptor = kOperandDescriptor + 1;
constexpr int kLastSignal = 64;
constexpr std::size_t kKernelSignalSetBytes = 8;

std::mutex children_mutex;
std::set<std::int64_t>& children() {
  static std::set<std::int64_t> set;
  return set;
}

struct ChildPlan {
  int executable;
  LaunchForm form;
  const char* path;
  char* const* argv;
  char* const* envp;
  int directory;
  std::array<int, 3> stdio;
  int operand;
  bool terminal;
  int tree;                     // a control group that the child enters by itself; -1: none
  std::uint64_t reset_signals;  // bit n - 1: signal n is put to its default
  rlim_t descriptor_limit;
  const rlimit* inherited_limit = nullptr;  // null: ours
  int error_pipe = -1;                      // fork only
  volatile int error = 0;
  volatile bool in_tree = false;
};

// Everything from 3 up is marked close-on-exec: what the parent leaked ends here.
__attribute__((no_sanitize("address"), no_sanitize("undefined"))) bool close_others_on_exec(
    const ChildPlan& plan) {
#ifdef SYS_close_range
  constexpr unsigned kCloseOnExec = 1U << 2;
  if (::syscall(SYS_close_range, 3U, ~0U, kCloseOnExec) == 0) return true;
#endif
  // Kernels before 5.11.
  for (rlim_t fd = 3; fd < plan.descriptor_limit; ++fd)
    ::syscall(SYS_fcntl, static_cast<int>(fd), F_SETFD, FD_CLOEXEC);
  return true;
}

__attribute__((no_sanitize("address"), no_sanitize("undefined"))) bool enter_tree(const ChildPlan& plan) {
  const long processes = ::syscall(SYS_openat, plan.tree, "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);
  return processes >= 0 && ::syscall(SYS_write, static_cast<int>(processes), "0", 1) == 1;
}

__attribute__((no_sanitize("address"), no_sanitize("undefined"))) bool prepare_child(ChildPlan& plan) {
  if (plan.tree >= 0) plan.in_tree = enter_tree(plan);
  // The kernel's struct, all zero: SIG_DFL, no flags, empty mask.
  static const unsigned long default_action[8] = {};
  for (int number = 1; number <= kLastSignal; ++number) {
    if (number == SIGKILL || number == SIGSTOP || (plan.reset_signals >> (number - 1) & 1U) == 0) continue;
    ::syscall(SYS_rt_sigaction, number, default_action, nullptr, kKernelSignalSetBytes);
  }
  ::syscall(SYS_setsid);
  for (int target = 0; target < 3; ++target)
    if (::syscall(SYS_dup3, plan.stdio[static_cast<std::size_t>(target)], target, 0) < 0) return false;
  if (plan.terminal && ::syscall(SYS_ioctl, 0, TIOCSCTTY, 0) < 0) return false;
  if (::syscall(SYS_fchdir, plan.directory) < 0) return false;
  if (!close_others_on_exec(plan)) return false;
  const unsigned long no_signals = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, nullptr, kKernelSignalSetBytes);
  return true;
}

// Last: it may be lower than the numbers that are handed over.
__attribute__((no_sanitize("address"), no_sanitize("undefined"))) void take_inherited_limit(
    const ChildPlan& plan) {
  if (plan.inherited_limit != nullptr)
    ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, plan.inherited_limit, nullptr);
}

__attribute__((no_sanitize("address"), no_sanitize("undefined"))) void execute(const ChildPlan& plan) {
  // spawn() has kept every source away from these two numbers.
  if (plan.operand >= 0 && ::syscall(SYS_dup3, plan.operand, kOperandDescriptor, 0) < 0) return;
  int executable = plan.executable;
  switch (plan.form) {
    case LaunchForm::kScriptByPath:
      take_inherited_limit(plan);
      ::syscall(SYS_execve, plan.path, plan.argv, plan.envp);
      return;
    case LaunchForm::kScriptByDescriptor:
      if (::syscall(SYS_dup3, executable, kScriptDescriptor, 0) < 0) return;
      executable = kScriptDescriptor;
      break;
    case LaunchForm::kProgram:
      break;
  }
  take_inherited_limit(plan);
  ::syscall(SYS_execveat, executable, "", plan.argv, plan.envp, AT_EMPTY_PATH);
}

__attribute__((no_sanitize("address"), no_sanitize("undefined"))) void tell_parent(const ChildPlan& plan,
                                                                                   int number) {
  if (plan.error_pipe >= 0) ::syscall(SYS_write, plan.error_pipe, &number, sizeof number);
}

__attribute__((no_sanitize("address"), no_sanitize("undefined"))) int child_main(void* argument) {
  ChildPlan& plan = *static_cast<ChildPlan*>(argument);
  const bool prepared = prepare_child(plan);
  if (!prepared) plan.error = errno;
  tell_parent(plan, plan.in_tree ? 1 : 0);
  if (prepared) {
    execute(plan);
    plan.error = errno;
  }
  tell_parent(plan, plan.error);
  ::syscall(SYS_exit_group, 127);
  return 127;
}

class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    const unsigned long all = ~0UL;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &saved_, kKernelSignalSetBytes);
  }
  ~AllSignalsBlocked() {
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &saved_, nullptr, kKernelSignalSetBytes);
  }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  unsigned long saved_ = 0;
};

#ifdef HOSTCLAW_SPAWN_FORK

// What the child tells; 0 when that was all.
int next_number(int pipe) {
  int number = 0;
  ssize_t count;
  do {
    count = ::read(pipe, &number, sizeof number);
  } while (count < 0 && errno == EINTR);
  return count == static_cast<ssize_t>(sizeof number) ? number : 0;
}

// Returns the pid, or -1 with errno set; plan.error holds the child's error.
pid_t start_child(ChildPlan& plan, int* exit_descriptor) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return -1;
  UniqueFd reading(ends[0]);
  UniqueFd writing(::fcntl(ends[1], F_DUPFD_CLOEXEC, kFirstFreeDescriptor));
  ::close(ends[1]);
  plan.error_pipe = writing.get();
  pid_t pid;
  {
    const AllSignalsBlocked blocked;
    pid = ::fork();
    if (pid == 0) child_main(&plan);
  }
  if (pid < 0) return -1;
  writing.reset();
  plan.in_tree = next_number(reading.get()) == 1;
  plan.error = next_number(reading.get());
#ifdef SYS_pidfd_open
  if (exit_descriptor != nullptr) *exit_descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
#endif
  return pid;
}

#else

#ifdef __x86_64__

// The kernel's struct clone_args, as Linux 5.7 has it.
struct CloneArguments {
  std::uint64_t flags;
  std::uint64_t pidfd;
  std::uint64_t child_tid;
  std::uint64_t parent_tid;
  std::uint64_t exit_signal;
  std::uint64_t stack;
  std::uint64_t stack_size;
  std::uint64_t tls;
  std::uint64_t set_tid;
  std::uint64_t set_tid_size;
  std::uint64_t cgroup;
};
constexpr std::uint64_t kClearHandlers = 1ULL << 32;
constexpr std::uint64_t kIntoGroup = 1ULL << 33;
constexpr std::uint64_t kExitDescriptor = 0x1000;
constexpr long kClone3 = 435;

// As clone(2) of the C library, which does not offer clone3: the child calls `main` on its new stack and
// never returns from it.
__attribute__((no_sanitize("address"), noinline)) long clone3_and_call(CloneArguments* arguments,
                                                                       int (*main)(void*), void* given) {
  long result = kClone3;
  asm volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "movq %[given], %%rdi\n\t"
      "callq *%[main]\n\t"
      "ud2\n"
      "1:"
      : "+a"(result)
      : "D"(arguments), "S"(sizeof *arguments), [main] "r"(main), [given] "r"(given)
      : "rcx", "r11", "cc", "memory");
  return result;
}

// The pid; nullopt where the older way must be gone. An error that the older way would meet as well is -1.
std::optional<pid_t> start_by_clone3(ChildPlan& plan, unsigned char* stack, std::size_t stack_size,
                                     int* exit_descriptor) {
  static std::atomic<bool> known_to_be_missing{false};
  if (known_to_be_missing) return std::nullopt;
  CloneArguments arguments{};
  arguments.flags = CLONE_VM | CLONE_VFORK | kClearHandlers;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<std::uint64_t>(stack);
  arguments.stack_size = stack_size;
  if (exit_descriptor != nullptr) {
    arguments.flags |= kExitDescriptor;
    arguments.pidfd = reinterpret_cast<std::uint64_t>(exit_descriptor);
  }
  if (plan.tree >= 0) {
    arguments.flags |= kIntoGroup;
    arguments.cgroup = static_cast<std::uint64_t>(plan.tree);
  }
  const int tree = plan.tree;
  const std::uint64_t reset = plan.reset_signals;
  plan.tree = -1;
  plan.reset_signals &= ignored_signals();  // handlers go, what is ignored stays so
  const long result = clone3_and_call(&arguments, child_main, &plan);
  if (result > 0) {
    plan.in_tree = tree >= 0;
    return static_cast<pid_t>(result);
  }
  plan.tree = tree;
  plan.reset_signals = reset;
  errno = static_cast<int>(-result);
  if (errno == EAGAIN || errno == ENOMEM) return -1;
  // Kernels before 5.7, and filters of system calls that do not know it.
  if (tree < 0) known_to_be_missing = true;
  return std::nullopt;
}

#else

std::optional<pid_t> start_by_clone3(ChildPlan&, unsigned char*, std::size_t, int*) { return std::nullopt; }

#endif

__attribute__((no_sanitize("address"), noinline)) pid_t start_child(ChildPlan& plan, int* exit_descriptor) {
  constexpr std::size_t kStackBytes = 32 * 1024;
  alignas(64) unsigned char stack[kStackBytes];
  const AllSignalsBlocked blocked;
  if (const auto pid = start_by_clone3(plan, stack, kStackBytes, exit_descriptor)) return *pid;
  int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
#ifdef CLONE_PIDFD
  if (exit_descriptor != nullptr) flags |= CLONE_PIDFD;
#endif
  return ::clone(child_main, stack + kStackBytes, flags, &plan, exit_descriptor);
}

#endif

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  // exec takes char* for historical reasons and does not write.
  for (const auto& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

// dup2 onto the numbers that a child gets must not destroy a source, whatever numbers this process has.
Result<int> out_of_the_way(int fd, UniqueFd& keeper) {
  if (fd > 2 && fd != kScriptDescriptor && fd != kOperandDescriptor) return fd;
  keeper.reset(::fcntl(fd, F_DUPFD_CLOEXEC, fd > 2 ? kFirstFreeDescriptor : 3));
  if (keeper && (keeper.get() == kScriptDescriptor || keeper.get() == kOperandDescriptor))
    keeper.reset(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstFreeDescriptor));
  if (!keeper) return system_error(errno);
  return keeper.get();
}

void reap_failed_child(pid_t pid) {
  siginfo_t information;
  while (::waitid(P_PID, static_cast<id_t>(pid), &information, WEXITED) != 0 && errno == EINTR) {
  }
}

}  // namespace

LaunchForm launch_form(int executable, const std::string& path, int readable) {
  char magic[2] = {};
  UniqueFd opened;
  if (readable < 0) {
    opened.reset(::open(("/proc/self/fd/" + std::to_string(executable)).c_str(),
                        O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    readable = opened.get();
  }
  // What cannot be read is no script that an interpreter could read.
  if (readable < 0 || ::pread(readable, magic, sizeof magic, 0) != 2) return LaunchForm::kProgram;
  if (magic[0] != '#' || magic[1] != '!') return LaunchForm::kProgram;
  return changeable_by_others(path) ? LaunchForm::kScriptByDescriptor : LaunchForm::kScriptByPath;
}

Result<SpawnedChild> spawn(const SpawnRequest& request) {
  std::array<UniqueFd, 6> keepers;
  ChildPlan plan{};
  const auto executable = out_of_the_way(request.executable, keepers[0]);
  if (!executable) return executable.error();
  const auto directory = out_of_the_way(request.directory, keepers[1]);
  if (!directory) return directory.error();
  plan.operand = -1;
  if (request.operand >= 0) {
    const auto operand = out_of_the_way(request.operand, keepers[5]);
    if (!operand) return operand.error();
    plan.operand = *operand;
  }
  plan.executable = *executable;
  plan.terminal = request.terminal;
  plan.directory = *directory;
  for (std::size_t i = 0; i < plan.stdio.size(); ++i) {
    const auto fd = out_of_the_way(request.stdio[i], keepers[i + 2]);
    if (!fd) return fd.error();
    plan.stdio[i] = *fd;
  }
  const auto argv = pointers(request.argv);
  const auto envp = pointers(request.environment);
  plan.tree = request.tree;
  plan.reset_signals = ~std::uint64_t{0};
  plan.form = request.form;
  plan.path = request.path.c_str();
  plan.argv = argv.data();
  plan.envp = envp.data();
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  plan.descriptor_limit = std::min<rlim_t>(limit.rlim_cur, 65536);
  if (const auto& inherited = descriptor_limit_of_children()) plan.inherited_limit = &*inherited;

  int exit_descriptor = -1;
  // Held until the pid is entered, so that a sweep for orphans on another thread cannot take it for one.
  const std::lock_guard lock(children_mutex);
  const pid_t pid = start_child(plan, request.want_exit_descriptor ? &exit_descriptor : nullptr);
  const int clone_error = errno;
  SpawnedChild child{pid, UniqueFd(exit_descriptor), plan.in_tree};
  if (pid < 0) return system_error(clone_error);
  if (plan.error != 0) {
    reap_failed_child(pid);
    return system_error(plan.error);
  }
  children().insert(pid);
  return child;
}

void forget_child(std::int64_t pid) {
  const std::lock_guard lock(children_mutex);
  children().erase(pid);
}

bool is_our_child(std::int64_t pid) {
  const std::lock_guard lock(children_mutex);
  return children().count(pid) != 0;
}

}  // namespace hostclaw::node_host
