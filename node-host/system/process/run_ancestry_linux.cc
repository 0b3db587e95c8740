// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/text.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/files/instance_lock.h"
#include "node-host/system/process/control_group.h"
#include "node-host/system/process/orphans.h"
#include "node-host/system/process/proc_files.h"
#include "node-host/system/process/run_ancestry.h"

namespace hostclaw::node_host {
namespace {

constexpr std::string_view kLockName = "/node.lock";
constexpr std::string_view kDeleted = " (deleted)";
constexpr std::string_view kInitialPidNamespace = "pid:[4026531836]";
constexpr std::size_t kMostTextBytes = 65'536;
constexpr std::size_t kMostEnvironment = 8 << 20;

std::string link_text(const std::string& path) {
  std::array<char, PATH_MAX> buffer;
  const ssize_t size = ::readlink(path.c_str(), buffer.data(), buffer.size());
  return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size)) : std::string();
}

std::string_view name_in(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// `PROGRAM node run ...` or `hostclaw connect ...`, with or without options of the program itself in front of
// the verb; for a process whose open files may not be seen.
bool is_command_line_of_keeper(std::int64_t pid) {
  const std::vector<std::string> words =
      split(read_proc_file(proc_file(pid, "cmdline"), kMostTextBytes), '\0');
  return words.size() > 1 && name_in(words[0]) == "hostclaw" && words[1] == kKeepRunWord;
}

bool is_command_line_of_node(std::int64_t pid) {
  std::vector<std::string> words = split(read_proc_file(proc_file(pid, "cmdline"), kMostTextBytes), '\0');
  while (words.size() > 1 && words[1].starts_with('-')) {
    const bool has_value = words[1] == "--profile" || words[1] == "--color";
    words.erase(words.begin() + 1, words.begin() + (has_value && words.size() > 2 ? 3 : 2));
  }
  if (!words.empty() && name_in(words[0]) == "hostlinkd") return true;
  if (words.size() < 2) return false;
  if (words.size() > 2 && words[1] == "hostlink" && words[2] == "serve") return true;
  return (words[1] == "connect" && name_in(words[0]) == "hostclaw") ||
         (words.size() > 2 && words[1] == "node" && words[2] == "run");
}

// A node holds the lock of its state directory open for as long as it lives.
std::optional<std::string> node_directory_of(std::int64_t pid) {
  const std::string directory = proc_file(pid, "fd");
  const std::unique_ptr<DIR, int (*)(DIR*)> files(::opendir(directory.c_str()), ::closedir);
  if (!files) return is_command_line_of_node(pid) ? std::optional<std::string>("") : std::nullopt;
  while (const dirent* item = ::readdir(files.get())) {
    std::string target = link_text(directory + "/" + item->d_name);
    if (target.ends_with(kDeleted)) target.resize(target.size() - kDeleted.size());
    if (!target.ends_with(kLockName)) continue;
    const std::string state = target.substr(0, target.size() - kLockName.size());
    if (::access((state + "/hostclaw.sqlite").c_str(), F_OK) == 0) return state;
  }
  // Its files may be in a place that this process does not see under that name.
  return is_command_line_of_node(pid) ? std::optional<std::string>("") : std::nullopt;
}

// The path in the unified hierarchy, or in systemd's own where that one is not used.
std::string control_group(const std::string& file) {
  constexpr std::string_view kUnified = "0::";
  constexpr std::string_view kNamed = ":name=systemd:";
  std::string unified;
  std::string named;
  for (const std::string& line : split(read_proc_file(file, kMostTextBytes), '\n')) {
    if (line.starts_with(kUnified)) unified = line.substr(kUnified.size());
    if (const std::size_t at = line.find(kNamed); at != std::string::npos)
      named = line.substr(at + kNamed.size());
  }
  return unified.size() > 1 || named.empty() ? unified : named;
}

class LinuxProcesses final : public ProcessTable {
 public:
  explicit LinuxProcesses(std::string state_directory) : state_directory_(std::move(state_directory)) {}

  std::optional<ProcessFacts> look(std::int64_t pid) override {
    const std::optional<ProcessStatus> status = read_process_status(proc_file(pid, "stat"));
    if (!status) return std::nullopt;
    ProcessFacts facts = facts_of(*status, proc_file(pid, "environ"));
    facts.node_of = node_directory_of(pid);
    facts.keeps_run = is_command_line_of_keeper(pid);
    return facts;
  }

  // Under the number that /proc itself uses, which in a namespace need not be getpid()'s.
  std::optional<ProcessFacts> look_at_self() override {
    if (!has_proc()) return std::nullopt;
    const std::optional<ProcessStatus> status = read_process_status("/proc/self/stat");
    if (!status) return std::nullopt;
    return facts_of(*status, "/proc/self/environ");
  }

  std::string confinement() override {
    if (!has_proc()) {
      if (std::getenv(kRunMarkerVariable) != nullptr) return "it carries HOSTCLAW_RUN";
      return is_locked()
                 ? "a node uses this state directory, and without /proc it cannot be seen who started this"
                 : "";
    }
    const std::int64_t node = visible_node();
    if (node != 0) {
      const std::string group = own_service_group(node);
      const std::string mine = control_group("/proc/self/cgroup");
      if (!group.empty() && (mine == group || mine.starts_with(group + "/")))
        return "it is in the control group of the node's service, " + std::string(name_in(group));
      return {};
    }
    if (link_text("/proc/self/ns/pid") == kInitialPidNamespace || !is_locked()) return {};
    return "it is in a PID namespace in which the node of this state directory cannot be seen";
  }

  bool in_job_of(const std::string&) override { return false; }

 private:
  static bool has_proc() {
    struct statfs system {};
    return ::statfs("/proc", &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
  }

  static ProcessFacts facts_of(const ProcessStatus& status, const std::string& environment) {
    ProcessFacts facts;
    facts.pid = status.pid;
    facts.parent = status.parent;
    facts.session = status.session;
    facts.started = status.start_ticks;
    const std::string name = std::string(kRunMarkerVariable) + "=";
    const std::string text = read_proc_file(environment, kMostEnvironment);
    facts.marked = text.starts_with(name) || text.find('\0' + name) != std::string::npos;
    return facts;
  }

  // The node of the state directory, as it has written itself into its lock; 0 when it is not to be seen.
  std::int64_t visible_node() const {
    const std::string content = read_proc_file(state_directory_ + std::string(kLockName), 256);
    const std::string text = content.substr(0, content.find('\n'));
    if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos)
      return 0;
    const std::int64_t pid = std::stoll(text);
    return node_directory_of(pid) ? pid : 0;
  }

  // Of a node that a service manager started: then the group holds nothing but the node and its runs. A node
  // in a terminal shares its group with whoever else works there.
  static std::string own_service_group(std::int64_t node) {
    const std::optional<ProcessStatus> status = read_process_status(proc_file(node, "stat"));
    if (!status || status->session != node) return {};
    const std::string parent = std::string(trim(read_proc_file(proc_file(status->parent, "comm"), 64)));
    if (status->parent != 1 && parent != "systemd" && parent != "(systemd)") return {};
    std::string group = control_group(proc_file(node, "cgroup"));
    // Where it is delegated to the node, that has moved one down, and each run is in one of its own beside
    // it.
    const std::string below = std::string("/") + kNodeGroupName;
    if (group.ends_with(".service" + below)) group.resize(group.size() - below.size());
    return group.ends_with(".service") ? group : std::string();
  }

  // Asks for a moment; only where the node cannot be seen.
  bool is_locked() const { return InstanceLock::holder(state_directory_).has_value(); }

  std::string state_directory_;
};

}  // namespace

std::unique_ptr<ProcessTable> processes_of_this_system(const std::string& state_directory) {
  return std::make_unique<LinuxProcesses>(state_directory);
}

}  // namespace hostclaw::node_host
