// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/run_processes.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <set>

#include "node-host/system/process/process_tree.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

constexpr auto kPollInterval = std::chrono::milliseconds(5);
constexpr auto kKillRound = std::chrono::milliseconds(20);

std::chrono::microseconds time_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

// A child begins in the memory of this process, and the kernel counts that as its own: a peak below ours
// tells nothing about it.
std::optional<std::uint64_t> peak_of(const rusage& child) {
  rusage own{};
  ::getrusage(RUSAGE_SELF, &own);
  if (child.ru_maxrss <= own.ru_maxrss) return std::nullopt;
  return static_cast<std::uint64_t>(child.ru_maxrss) * 1024;
}

// Without reaping, so that the pid, and with it the process group, cannot be re-used yet.
std::optional<ExitStatus> look_at_child(std::int64_t pid, rusage& used) {
  siginfo_t information{};
  long result;
  do {
    // waitid(2) of the C library has no place for the last one.
    result = ::syscall(SYS_waitid, P_PID, static_cast<id_t>(pid), &information, WEXITED | WNOHANG | WNOWAIT,
                       &used);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return ExitStatus{};  // not our child any more: its status is lost, the run must not hang
  if (information.si_pid == 0) return std::nullopt;
  ExitStatus status;
  if (information.si_code == CLD_EXITED) {
    status.code = information.si_status;
  } else {
    status.signal = information.si_status;
  }
  return status;
}

void reap_child(std::int64_t pid) {
  siginfo_t information{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &information, WEXITED | WNOHANG) != 0 && errno == EINTR) {
  }
  forget_child(pid);
}

}  // namespace

struct RunProcesses::Program {
  Program(const asio::any_io_executor& executor, std::int64_t process) : pid(process), exit_event(executor) {}
  std::int64_t pid;
  asio::posix::stream_descriptor exit_event;
  std::optional<ExitStatus> status;
  rusage used{};  // when it has a status
  bool reaped = false;
};

struct RunProcesses::Native {
  Native(RunProcesses& owner, std::string run_marker, bool with_pidfd,
         std::shared_ptr<ControlGroups> with_groups)
      : run(owner),
        groups(std::move(with_groups)),
        marker(std::move(run_marker)),
        use_pidfd(with_pidfd),
        started_ticks(ticks_since_boot()),
        poll_timer(owner.executor_) {}

  void poll_later();
  asio::awaitable<void> end(TreeQuery query, std::chrono::milliseconds grace);
  asio::awaitable<void> wait_for_end_of(const std::vector<TreeProcess>& members, SteadyTime deadline);
  void signal_leader_groups(int signal_number) const;

  RunProcesses& run;
  std::shared_ptr<ControlGroups> groups;
  std::unique_ptr<ControlGroup> group;
  bool group_holds_all = true;
  std::string marker;
  bool use_pidfd;
  std::uint64_t started_ticks;
  asio::steady_timer poll_timer;
  bool polling = false;
};

RunProcesses::RunProcesses(const asio::any_io_executor& executor, Wakeup& wakeup, std::string marker,
                           bool use_pidfd, std::chrono::milliseconds give_up,
                           std::shared_ptr<ControlGroups> groups)
    : executor_(executor),
      wakeup_(&wakeup),
      native_(std::make_unique<Native>(*this, std::move(marker), use_pidfd, std::move(groups))),
      give_up_(give_up) {}

RunProcesses::~RunProcesses() { abandon(); }

Result<std::size_t> RunProcesses::start(SpawnRequest request) {
  request.want_exit_descriptor = native_->use_pidfd;
  if (native_->groups && !native_->group) native_->group = native_->groups->make();
  if (native_->group) request.tree = native_->group->descriptor();
  auto child = spawn(request);
  if (!child) return child.error();
  native_->group_holds_all = native_->group_holds_all && child->in_tree;
  auto program = std::make_shared<Program>(executor_, child->pid);
  if (child->exit_descriptor) {
    boost::system::error_code error;
    program->exit_event.assign(child->exit_descriptor.get(), error);
    if (!error) child->exit_descriptor.release();
  }
  programs_.push_back(program);
  watch(program);
  return programs_.size() - 1;
}

void RunProcesses::watch(const std::shared_ptr<Program>& program) {
  if (!program->exit_event.is_open()) {
    native_->poll_later();
    return;
  }
  program->exit_event.async_wait(
      asio::posix::stream_descriptor::wait_read,
      [self = shared_from_this(), program](const boost::system::error_code& error) {
        if (error || program->reaped || program->status) return;
        if (!self->look(*program)) self->watch(program);
      });
}

void RunProcesses::Native::poll_later() {
  if (polling) return;
  polling = true;
  poll_timer.expires_after(kPollInterval);
  poll_timer.async_wait([self = run.shared_from_this()](const boost::system::error_code& error) {
    self->native_->polling = false;
    if (error) return;
    bool again = false;
    for (const auto& program : self->programs_)
      if (!program->exit_event.is_open() && !program->status) again = !self->look(*program) || again;
    if (again) self->native_->poll_later();
  });
}

bool RunProcesses::look(Program& program) {
  program.status = look_at_child(program.pid, program.used);
  if (!program.status) return false;
  boost::system::error_code ignored;
  program.exit_event.close(ignored);
  if (wakeup_ != nullptr) wakeup_->notify();
  return true;
}

const ExitStatus* RunProcesses::status(std::size_t index) const {
  const auto& status = programs_[index]->status;
  return status ? &*status : nullptr;
}

std::int64_t RunProcesses::pid(std::size_t index) const { return programs_[index]->pid; }

std::int64_t RunProcesses::first_pid() const { return programs_.empty() ? 0 : programs_.front()->pid; }

bool RunProcesses::all_ended() const {
  return std::all_of(programs_.begin(), programs_.end(),
                     [](const auto& program) { return program->status.has_value(); });
}

void RunProcesses::Native::signal_leader_groups(int signal_number) const {
  // One call reaches a whole group at once, before its members can react to each other's end.
  for (const auto& program : run.programs_)
    if (!program->reaped) ::kill(static_cast<pid_t>(-program->pid), signal_number);
}

void RunProcesses::signal_groups(int number) { native_->signal_leader_groups(number); }

asio::awaitable<void> RunProcesses::end_tree(std::chrono::milliseconds grace, bool alone) {
  TreeQuery query;
  for (const auto& program : programs_) {
    if (!program->reaped) query.leaders.push_back(program->pid);
    query.groups.push_back(program->pid);
  }
  query.marker = native_->marker;
  query.all_adopted = alone;
  co_await native_->end(std::move(query), grace);
}

asio::awaitable<void> RunProcesses::end_groups(std::chrono::milliseconds grace) {
  TreeQuery query;
  query.groups_only = true;
  for (const auto& program : programs_) {
    // Reaped, an empty group is gone and a question to the kernel saves a pass over all processes.
    if (!program->reaped) {
      program->reaped = true;
      reap_child(program->pid);
    }
    if (::kill(static_cast<pid_t>(-program->pid), 0) == 0 || errno == EPERM)
      query.groups.push_back(program->pid);
  }
  if (query.groups.empty() && (!native_->group || native_->group->empty())) co_return;
  co_await native_->end(std::move(query), grace);
}

asio::awaitable<void> RunProcesses::Native::end(TreeQuery query, std::chrono::milliseconds grace) {
  // Start times are counted in ticks; the one in which the run began may be rounded either way.
  query.not_before_ticks = started_ticks > 1 ? started_ticks - 1 : 0;
  const auto grace_end = steady_clock::now() + grace;
  std::set<std::pair<std::int64_t, std::uint64_t>> asked;
  bool kill_now = false;
  if (!query.groups_only) signal_leader_groups(SIGTERM);
  bool looked_again = false;
  run.left_alive_ = 0;
  for (;;) {
    if (kill_now && group) group->kill_all();
    if (kill_now && !query.groups_only) signal_leader_groups(SIGKILL);
    if (group) query.known = group->members();
    const auto members = find_processes(query);
    if (members.empty() && run.all_ended()) {
      // A process that was being born is in no list yet.
      if (looked_again) co_return;
      looked_again = true;
      continue;
    }
    looked_again = false;
    const auto now = steady_clock::now();
    if (now >= grace_end + run.give_up_) {
      // In uninterruptible sleep, or somebody else's by now: it does not end at all, and the run must.
      run.left_alive_ = std::max<std::size_t>(members.size(), 1);
      co_return;
    }
    for (const auto& member : members) {
      if (kill_now) {
        send_signal(member, SIGKILL);
      } else if (asked.emplace(member.pid, member.start_ticks).second) {
        // A program's own group was told above; telling it twice would run a handler twice.
        const bool told = !query.groups_only && ::getpgid(static_cast<pid_t>(member.pid)) > 0 &&
                          std::find(query.leaders.begin(), query.leaders.end(),
                                    ::getpgid(static_cast<pid_t>(member.pid))) != query.leaders.end();
        if (!told) send_signal(member, SIGTERM);
      }
    }
    co_await wait_for_end_of(members, kill_now ? now + kKillRound : grace_end);
    kill_now = kill_now || steady_clock::now() >= grace_end;
  }
}

asio::awaitable<void> RunProcesses::Native::wait_for_end_of(const std::vector<TreeProcess>& members,
                                                            SteadyTime deadline) {
  struct Waiting {
    std::size_t left = 0;
    std::vector<std::unique_ptr<asio::posix::stream_descriptor>> events;
  };
  auto waiting = std::make_shared<Waiting>();
  bool watchable = true;
  for (const auto& member : members) {
    UniqueFd copy(member.handle ? ::fcntl(member.handle.get(), F_DUPFD_CLOEXEC, 3) : -1);
    auto event = std::make_unique<asio::posix::stream_descriptor>(run.executor_);
    boost::system::error_code error;
    if (copy) event->assign(copy.get(), error);
    if (!copy || error) {
      watchable = false;
      continue;
    }
    copy.release();
    ++waiting->left;
    event->async_wait(asio::posix::stream_descriptor::wait_read,
                      [waiting, self = run.shared_from_this()](const boost::system::error_code& failed) {
                        if (failed) return;
                        --waiting->left;
                        if (self->wakeup_ != nullptr) self->wakeup_->notify();
                      });
    waiting->events.push_back(std::move(event));
  }
  if (!watchable) deadline = std::min(deadline, steady_clock::now() + kPollInterval);
  auto done = [waiting, watchable, this] { return watchable && waiting->left == 0 && run.all_ended(); };
  co_await run.wakeup_->wait(std::move(done), deadline);
  waiting->events.clear();
}

ResourceUse RunProcesses::use() const {
  if (native_->group && native_->group_holds_all) return native_->group->use();
  ResourceUse used;
  for (const auto& program : programs_) {
    if (!program->status) continue;
    used.of = ResourceUse::Of::kPrograms;
    used.cpu = used.cpu.value_or(std::chrono::microseconds(0)) + time_of(program->used.ru_utime) +
               time_of(program->used.ru_stime);
    if (const auto peak = peak_of(program->used))
      used.peak_memory_bytes = std::max(used.peak_memory_bytes.value_or(0), *peak);
  }
  return used;
}

void RunProcesses::reap() {
  for (const auto& program : programs_) {
    if (program->reaped || !program->status) continue;
    program->reaped = true;
    reap_child(program->pid);
  }
}

void RunProcesses::abandon() {
  wakeup_ = nullptr;
  native_->poll_timer.cancel();
  if (native_->group && !all_ended()) native_->group->kill_all();
  for (const auto& program : programs_) {
    if (program->reaped) continue;
    program->reaped = true;
    if (!program->status) {
      ::kill(static_cast<pid_t>(-program->pid), SIGKILL);
      ::kill(static_cast<pid_t>(program->pid), SIGKILL);
    }
    boost::system::error_code ignored;
    program->exit_event.close(ignored);
    // Whatever has not ended yet is reaped as an orphan later.
    reap_child(program->pid);
  }
}

}  // namespace hostclaw::node_host
