// SPDX-License-Identifier: Apache-2.0
#include "service-linux/tool.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "node-host/system/files/file_handles.h"

namespace hostclaw::service_linux {
namespace {

using node_host::UniqueFd;
using Clock = std::chrono::steady_clock;

constexpr const char* kDirectories[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};
constexpr std::size_t kMaxOutput = 1'000'000;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return make_error("TOOL_FAILED", std::strerror(errno));
  Pipe made;
  made.read_end.reset(ends[0]);
  made.write_end.reset(ends[1]);
  return made;
}

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& extra) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    bool replaced = false;
    for (const auto& [name, value] : extra) replaced = replaced || text.starts_with(name + "=");
    if (!replaced) out.push_back(text);
  }
  for (const auto& [name, value] : extra) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

struct Account {
  bool switch_to = false;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

Result<Account> account_of(const std::string& name) {
  Account account;
  if (name.empty()) return account;
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry == nullptr) return make_error("SERVICE_ACCOUNT", "there is no account " + name);
  account.switch_to = ::geteuid() == 0;
  account.uid = entry->pw_uid;
  account.gid = entry->pw_gid;
  int count = 64;
  account.groups.resize(64);
  while (::getgrouplist(name.c_str(), account.gid, account.groups.data(), &count) < 0) {
    account.groups.resize(static_cast<std::size_t>(count));
  }
  account.groups.resize(static_cast<std::size_t>(count));
  return account;
}

// Between fork and exec: only what is safe there.
[[noreturn]] void become(const std::string& program, const std::vector<char*>& argv,
                         const std::vector<char*>& environment, const std::array<int, 3>& stdio,
                         const Account& account) {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int at = 0; at < 3; ++at) {
    const int from = stdio[static_cast<std::size_t>(at)];
    if (from >= 0 && ::dup2(from, at) < 0) ::_exit(126);
  }
  if (account.switch_to && (::setgroups(account.groups.size(), account.groups.data()) != 0 ||
                            ::setgid(account.gid) != 0 || ::setuid(account.uid) != 0 || ::chdir("/") != 0)) {
    ::_exit(126);
  }
  ::execve(program.c_str(), argv.data(), environment.data());
  ::_exit(127);
}

void collect(int fd, std::string& into, bool& open) {
  char block[8192];
  const ssize_t size = ::read(fd, block, sizeof block);
  if (size > 0) {
    if (into.size() < kMaxOutput) into.append(block, static_cast<std::size_t>(size));
  } else if (size == 0 || errno != EINTR) {
    open = false;
  }
}

constexpr int kStillRunning = -1;
constexpr int kStatusLost = -2;

int wait_for(pid_t child, Clock::time_point until) {
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) break;
    // Its status is lost (somebody else took it): that is no success.
    if (ended < 0 && errno != EINTR) return kStatusLost;
    if (Clock::now() >= until) return kStillRunning;
    ::poll(nullptr, 0, 5);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::string find_tool(const std::string& name) {
  if (name.starts_with('/')) return ::access(name.c_str(), X_OK) == 0 ? name : std::string();
  for (const char* directory : kDirectories) {
    const std::string path = std::string(directory) + "/" + name;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

Result<ToolOutput> run_tool(const std::vector<std::string>& argv, const ToolOptions& options) {
  const std::string program = find_tool(argv.front());
  if (program.empty()) return make_error("TOOL_MISSING", argv.front() + " is not installed here");
  auto account = account_of(options.account);
  if (!account) return account.error();
  auto input = make_pipe();
  auto output = make_pipe();
  auto errors = make_pipe();
  if (!input || !output || !errors) return make_error("TOOL_FAILED", "no more pipes");

  const std::vector<std::string> environment = environment_with(options.extra);
  const std::vector<char*> environment_pointers = pointers(environment);
  const std::vector<char*> argv_pointers = pointers(argv);
  std::array<int, 3> stdio{input->read_end.get(), output->write_end.get(), errors->write_end.get()};
  if (options.inherit_output) stdio[1] = stdio[2] = -1;
  const pid_t child = ::fork();
  if (child < 0) return make_error("TOOL_FAILED", "cannot start " + program + ": " + std::strerror(errno));
  if (child == 0) become(program, argv_pointers, environment_pointers, stdio, *account);
  input->read_end.reset();
  output->write_end.reset();
  errors->write_end.reset();
  // Small by contract (a setup code): it fits the pipe, so this cannot block.
  if (!options.input.empty()) {
    (void)!::write(input->write_end.get(), options.input.data(),
                   std::min<std::size_t>(options.input.size(), 60'000));
  }
  input->write_end.reset();

  ToolOutput result;
  const auto until = Clock::now() + options.timeout;
  bool out_open = true;
  bool err_open = true;
  while ((out_open || err_open) && Clock::now() < until) {
    std::array<pollfd, 2> wanted{pollfd{out_open ? output->read_end.get() : -1, POLLIN, 0},
                                 pollfd{err_open ? errors->read_end.get() : -1, POLLIN, 0}};
    if (::poll(wanted.data(), wanted.size(), 200) <= 0) continue;
    if (wanted[0].revents != 0) collect(wanted[0].fd, result.standard_output, out_open);
    if (wanted[1].revents != 0) collect(wanted[1].fd, result.standard_error, err_open);
  }
  result.status = wait_for(child, until);
  if (result.status == kStatusLost)
    return make_error("TOOL_FAILED", "how " + argv.front() + " ended could not be learned");
  if (result.status == kStillRunning) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    return make_error("TOOL_TIMEOUT",
                      argv.front() + " did not end within " + std::to_string(options.timeout.count()) + " s");
  }
  return result;
}

}  // namespace hostclaw::service_linux
