// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/selftest.h"
#include "node-host/run/run_executor.h"
#include "node-host/system/files/content_binding.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/host/host_facts.h"
#include "node-host/system/process/spawn.h"

namespace hostclaw::cli::selftest {
namespace {

using namespace std::chrono_literals;

// Older headers do not name them; the numbers are the same on every architecture that has them.
constexpr long kClone3 = 435;
constexpr long kPidfdOpen = 434;
constexpr long kLandlockCreateRuleset = 444;
constexpr unsigned kLandlockVersion = 1;

std::string reason() { return std::strerror(errno); }

std::string first_file_text(const std::string& path) {
  auto text = read_input(path, 100'000);
  return text ? std::move(*text) : std::string();
}

Answer look_at_descriptors(Scene& scene) {
  // As a node has them: one that would be inherited.
  const node_host::UniqueFd leaked(::open("/dev/null", O_RDONLY));
  const auto outcome = scene.child({"descriptors"});
  if (!outcome.success()) return failed(told(outcome));
  if (outcome.standard_output.text != "0 1 2 \n")
    return failed("a child has " + std::string(trim(outcome.standard_output.text)));
  return passed("a child has the three streams and nothing else");
}

Answer look_at_terminal(Scene& scene) {
  const auto outcome = scene.child({"terminal"});
  if (!outcome.success()) return failed(told(outcome));
  return passed("a child has no terminal to ask on");
}

Answer look_at_tree(Scene& scene) {
  const std::string file = scene.folder() + "/grandchild";
  const auto outcome = scene.child({"tree", file}, 1s);
  if (!outcome.timed_out) return failed(told(outcome));
  const auto pid = static_cast<pid_t>(std::atoi(first_file_text(file).c_str()));
  if (pid <= 1) return failed("the grandchild did not start");
  if (::kill(pid, 0) == 0 || errno != ESRCH) {
    ::kill(pid, SIGKILL);
    return failed("a process in a session of its own outlived its run");
  }
  return passed("a process in a session of its own ended with its run");
}

Answer look_at_pidfd(Scene&) {
  const node_host::UniqueFd fd(static_cast<int>(::syscall(kPidfdOpen, ::getpid(), 0)));
  if (fd) return passed("the end of a process is an event");
  return impossible("this kernel does not say so (" + reason() +
                    "): ends are looked for every few milliseconds");
}

Answer look_at_clone3(Scene&) {
  ::syscall(kClone3, nullptr, 0);
  if (errno == ENOSYS) return impossible("this kernel or a filter has no clone3");
  return passed("there");
}

Answer look_at_sealed_script(Scene& scene) {
  const std::string path = scene.folder() + "/script";
  { std::ofstream(path) << "#!/bin/sh\nexit 7\n"; }
  if (::chmod(path.c_str(), 0700) != 0) return failed(reason());
  const node_host::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const node_host::UniqueFd folder(::open(scene.folder().c_str(), O_PATH | O_CLOEXEC));
  const node_host::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  auto sealed = node_host::sealed_copy(file.get());
  if (!sealed) return failed("no sealed copy: " + sealed.error().code);
  const std::vector<std::string> argv{"script"};
  const std::vector<std::string> environment{"PATH=/usr/bin:/bin"};
  node_host::SpawnRequest request{.executable = sealed->fd.get(),
                                  .form = node_host::LaunchForm::kScriptByDescriptor,
                                  .path = path,
                                  .argv = argv,
                                  .environment = environment,
                                  .directory = folder.get(),
                                  .stdio = {null.get(), null.get(), null.get()},
                                  .want_exit_descriptor = false};
  const auto child = node_host::spawn(request);
  if (!child) return failed("a sealed copy does not start here: " + child.error().code);
  int status = 0;
  const pid_t ended = ::waitpid(static_cast<pid_t>(child->pid), &status, 0);
  node_host::forget_child(child->pid);
  if (ended < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
    return failed("its interpreter could not read it");
  return passed("a script runs from the copy that was judged");
}

Answer look_at_lease(Scene& scene) {
  const std::string path = scene.folder() + "/leased";
  { std::ofstream(path) << "x"; }
  const node_host::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (::fcntl(file.get(), F_SETLEASE, F_RDLCK) == 0)
    return passed("a program is held against writing while it starts");
  return impossible("no leases on this file system (" + reason() +
                    "): programs that others can change run from a copy");
}

Answer look_at_links(Scene& scene) {
  const std::string link = scene.folder() + "/link";
  std::error_code problem;
  std::filesystem::create_symlink("/bin/sh", link, problem);
  if (problem) return failed(problem.message());
  node_host::OpenedFiles files;
  const std::string real = std::filesystem::canonical("/bin/sh", problem).string();
  if (files.facts(link).real_path != real) return failed("a link is judged as another file than it leads to");
  return passed("a link is judged as what it leads to");
}

Answer look_at_cgroup(Scene&) {
  std::string own;
  for (const std::string& line : split(first_file_text("/proc/self/cgroup"), '\n'))
    if (line.starts_with("0::")) own = line.substr(3);
  if (own.empty()) return impossible("no cgroup v2 here");
  const std::string folder = "/sys/fs/cgroup" + own;
  if (::access((folder + "/cgroup.procs").c_str(), F_OK) != 0)
    return impossible("cgroup v2 is not mounted where it usually is");
  if (::access((folder + "/cgroup.subtree_control").c_str(), W_OK) != 0)
    return impossible("this process's cgroup is not delegated to this account");
  return passed("cgroup v2, delegated to this account");
}

Answer look_at_landlock(Scene&) {
  const long version = ::syscall(kLandlockCreateRuleset, nullptr, 0, kLandlockVersion);
  if (version < 1) return impossible("this kernel has none, or it is off (" + reason() + ")");
  return passed("ABI " + std::to_string(version));
}

Answer look_at_lingering(Scene&) {
  if (::access("/run/systemd/system", F_OK) != 0) return impossible("no systemd here");
  std::string user = node_host::current_user();  // "uid 1000 (name)"
  const std::size_t open = user.find('(');
  if (open == std::string::npos) return impossible("this account has no name");
  user = user.substr(open + 1, user.size() - open - 2);
  if (::access(("/var/lib/systemd/linger/" + user).c_str(), F_OK) == 0)
    return passed("this account's services go on after it has logged out");
  return impossible("off: a service of this account ends when it logs out (loginctl enable-linger)");
}

Answer look_at_docker(Scene&) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, "/var/run/docker.sock");
  if (::access(address.sun_path, F_OK) != 0) return impossible("no Docker socket at its usual place");
  const node_host::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return passed("its socket takes this account: that is as good as root");
  return impossible("its socket does not take this account (" + reason() + ")");
}

constexpr std::array kRows = {
    Row{"descriptors", "what a child inherits", look_at_descriptors},
    Row{"terminal", "a terminal that a child could ask on", look_at_terminal},
    Row{"tree", "what a run leaves in another session", look_at_tree},
    Row{"pidfd", "how ends of processes are noticed", look_at_pidfd},
    Row{"clone3", "system call", look_at_clone3},
    Row{"sealed-script", "scripts that others could change", look_at_sealed_script},
    Row{"lease", "programs that others could change", look_at_lease},
    Row{"links", "what links are judged as", look_at_links},
    Row{"cgroup", "control groups", look_at_cgroup},
    Row{"landlock", "kernel feature", look_at_landlock},
    Row{"lingering", "services of this account after logout", look_at_lingering},
    Row{"docker", "Docker's socket", look_at_docker},
};

int print_descriptors() {
  std::vector<int> open;
  std::error_code problem;
  for (const auto& item : std::filesystem::directory_iterator("/proc/self/fd", problem))
    open.push_back(std::atoi(item.path().filename().c_str()));
  std::sort(open.begin(), open.end());
  // Not the one that was just read through.
  for (const int fd : open)
    if (::fcntl(fd, F_GETFD) >= 0) std::printf("%d ", fd);
  std::printf("\n");
  std::fflush(stdout);
  return problem ? 1 : 0;
}

// Leaves a process in a session of its own, with its number in `file`, and waits.
int leave_grandchild(const std::string& file) {
  const pid_t child = ::fork();
  if (child < 0) return 1;
  if (child == 0) {
    ::setsid();
    if (std::FILE* out = std::fopen(file.c_str(), "w")) {
      std::fprintf(out, "%d", static_cast<int>(::getpid()));
      std::fclose(out);
    }
    // As a daemon would; the run has to end it all the same.
    ::signal(SIGTERM, SIG_IGN);
  }
  for (;;) ::pause();
}

}  // namespace

std::span<const Row> system_rows() { return kRows; }

Json system_facts() { return Json::object(); }

std::optional<int> run_system_child(const std::string& mode, std::span<const std::string> arguments) {
  if (mode == "descriptors") return print_descriptors();
  if (mode == "terminal") {
    const int terminal = ::open("/dev/tty", O_RDWR | O_CLOEXEC);
    return terminal < 0 ? 0 : 1;
  }
  if (mode == "tree" && arguments.size() == 1) return leave_grandchild(arguments[0]);
  return std::nullopt;
}

}  // namespace hostclaw::cli::selftest
