// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/process_tree.h"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>

#include "node-host/system/process/proc_files.h"
#include "node-host/system/process/spawn.h"

namespace hostclaw::node_host {
namespace {

constexpr std::size_t kMaxEnvironmentBytes = 8 << 20;

std::optional<ProcessStatus> read_status(std::int64_t pid) {
  return read_process_status(proc_file(pid, "stat"));
}

std::vector<ProcessStatus> read_all_processes() {
  std::vector<ProcessStatus> processes;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), ::closedir);
  if (!directory) return processes;
  while (const dirent* item = ::readdir(directory.get())) {
    const std::string_view name(item->d_name);
    if (name.empty() || name.find_first_not_of("0123456789") != std::string_view::npos) continue;
    if (auto status = read_status(std::strtoll(item->d_name, nullptr, 10))) processes.push_back(*status);
  }
  return processes;
}

// Whether a mark that a process was started with satisfies `wanted`. A process may carry several: a run that
// starts another program with a mark in front of its own must not hide by that.
template <class Wanted>
bool has_mark(std::int64_t pid, const Wanted& wanted) {
  const std::string name = std::string(kRunMarkerVariable) + "=";
  const std::string environment = read_proc_file(proc_file(pid, "environ"), kMaxEnvironmentBytes);
  const std::string_view text(environment);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    const std::string_view entry = text.substr(at, end - at);
    if (entry.starts_with(name) && wanted(entry.substr(name.size()))) return true;
    at = end + 1;
  }
  return false;
}

bool carries_marker(std::int64_t pid, const std::string& marker) {
  return has_mark(pid, [&marker](std::string_view mark) { return mark == marker; });
}

class Classifier {
 public:
  Classifier(const TreeQuery& query, std::vector<ProcessStatus> processes)
      : query_(query), processes_(std::move(processes)), self_(::getpid()) {
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      index_.emplace(processes_[i].pid, i);
      by_parent_[processes_[i].parent].push_back(i);
    }
  }

  std::vector<const ProcessStatus*> members() {
    if (!query_.groups_only) {
      for (const std::int64_t leader : query_.leaders) add(leader);
    }
    for (const std::int64_t pid : query_.known) add(pid);
    for (const auto& process : processes_)
      if (in_created_group(process)) add(process.pid);
    if (!query_.groups_only && query_.all_adopted) {
      const pid_t own_session = ::getsid(0);
      for (const auto& process : processes_)
        if (process.parent == self_ && process.session != own_session && !is_our_child(process.pid))
          add(process.pid);
    }
    if (!query_.groups_only && !query_.marker.empty()) {
      for (const auto& process : processes_)
        if (may_be_marked(process) && carries_marker(process.pid, query_.marker)) add(process.pid);
    }
    std::vector<const ProcessStatus*> result;
    for (const std::int64_t pid : members_)
      if (!processes_[index_.at(pid)].ended()) result.push_back(&processes_[index_.at(pid)]);
    return result;
  }

 private:
  bool too_old(const ProcessStatus& process) const { return process.start_ticks < query_.not_before_ticks; }

  bool in_created_group(const ProcessStatus& process) const {
    const auto created = [&](std::int64_t id) {
      return std::find(query_.groups.begin(), query_.groups.end(), id) != query_.groups.end();
    };
    if (too_old(process)) return false;
    return created(process.group) || (!query_.groups_only && created(process.session));
  }

  // Reading an environment is the expensive question: only for what is young enough and not yet a member.
  bool may_be_marked(const ProcessStatus& process) const {
    return !too_old(process) && !process.ended() && members_.count(process.pid) == 0 && process.pid != self_;
  }

  void add(std::int64_t pid) {
    const auto found = index_.find(pid);
    if (found == index_.end() || pid == self_ || too_old(processes_[found->second])) return;
    if (!members_.insert(pid).second || query_.groups_only) return;
    const auto children = by_parent_.find(pid);
    if (children == by_parent_.end()) return;
    for (const std::size_t child : children->second) add(processes_[child].pid);
  }

  const TreeQuery& query_;
  std::vector<ProcessStatus> processes_;
  std::int64_t self_;
  std::unordered_map<std::int64_t, std::size_t> index_;
  std::unordered_map<std::int64_t, std::vector<std::size_t>> by_parent_;
  std::set<std::int64_t> members_;
};

UniqueFd open_process(std::int64_t pid) {
#ifdef SYS_pidfd_open
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
#else
  return UniqueFd();
#endif
}

}  // namespace

std::vector<TreeProcess> find_processes(const TreeQuery& query) {
  std::vector<TreeProcess> result;
  Classifier classifier(query, read_all_processes());
  for (const ProcessStatus* member : classifier.members()) {
    TreeProcess process{member->pid, member->start_ticks, open_process(member->pid)};
    // The handle may already belong to a successor of the pid: compare after opening.
    const auto now = read_status(member->pid);
    if (!now || now->start_ticks != member->start_ticks || now->ended()) continue;
    result.push_back(std::move(process));
  }
  return result;
}

bool send_signal(const TreeProcess& process, int signal_number) {
#ifdef SYS_pidfd_send_signal
  if (process.handle) {
    if (::syscall(SYS_pidfd_send_signal, process.handle.get(), signal_number, nullptr, 0) == 0) return true;
    if (errno != ENOSYS) return false;
  }
#endif
  const auto now = read_status(process.pid);
  if (!now || now->start_ticks != process.start_ticks) return false;
  return ::kill(static_cast<pid_t>(process.pid), signal_number) == 0;
}

std::uint64_t ticks_since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto per_second = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_CLK_TCK)));
  return static_cast<std::uint64_t>(now.tv_sec) * per_second +
         static_cast<std::uint64_t>(now.tv_nsec) * per_second / 1'000'000'000U;
}

bool become_reaper_of_orphans() { return ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0; }

namespace {

bool adopted(pid_t pid) { return !is_our_child(pid) && ::getsid(pid) != ::getsid(0); }

void reap(pid_t pid) {
  siginfo_t information;
  ::waitid(P_PID, static_cast<id_t>(pid), &information, WEXITED | WNOHANG);
}

}  // namespace

bool reap_orphans(Sweep sweep) {
  for (;;) {
    siginfo_t information{};
    if (::waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) != 0) return errno != ECHILD;
    if (information.si_pid == 0) return true;  // children, none of them ended
    if (!adopted(information.si_pid)) break;   // hides the others from waitid
    reap(information.si_pid);
  }
  if (sweep == Sweep::kQuick) return true;
  const std::int64_t self = ::getpid();
  for (const auto& process : read_all_processes())
    if (process.parent == self && process.ended() && adopted(static_cast<pid_t>(process.pid)))
      reap(static_cast<pid_t>(process.pid));
  return true;
}

std::vector<LeftProcess> find_left_behind(const std::vector<std::string>& prefixes) {
  const std::vector<ProcessStatus> processes = read_all_processes();
  std::unordered_map<std::int64_t, std::int64_t> parents;
  for (const ProcessStatus& process : processes) parents.emplace(process.pid, process.parent);
  std::set<std::int64_t> ours;
  for (std::int64_t pid = ::getpid(); pid > 0 && ours.insert(pid).second;) {
    const auto parent = parents.find(pid);
    pid = parent == parents.end() ? 0 : parent->second;
  }
  std::vector<LeftProcess> found;
  for (const ProcessStatus& process : processes) {
    if (process.ended() || ours.count(process.pid) != 0) continue;
    std::string found_by;
    const bool marked = has_mark(process.pid, [&](std::string_view mark) {
      const auto prefix = std::find_if(prefixes.begin(), prefixes.end(), [mark](const std::string& wanted) {
        return !wanted.empty() && mark.starts_with(wanted);
      });
      if (prefix != prefixes.end()) found_by = *prefix;
      return prefix != prefixes.end();
    });
    if (!marked) continue;
    std::string name = read_proc_file(proc_file(process.pid, "comm"), 64);
    while (!name.empty() && name.back() == '\n') name.pop_back();
    found.push_back({process.pid, process.start_ticks, std::move(name), std::move(found_by)});
  }
  return found;
}

void tell_to_end(const LeftProcess& process, bool now) {
  TreeProcess target{process.pid, process.start_ticks, open_process(process.pid)};
  // The handle may already belong to a successor of the pid: compare after opening.
  const auto status = read_status(process.pid);
  if (!status || status->start_ticks != process.start_ticks) return;
  send_signal(target, now ? SIGKILL : SIGTERM);
}

}  // namespace hostclaw::node_host
