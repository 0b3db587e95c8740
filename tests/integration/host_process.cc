// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/host_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace hostclaw::integration {

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "hostclaw-test-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary directory");
  path_ = std::filesystem::canonical(pattern).string();
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

struct HostProcess::Impl {
  pid_t pid = -1;
  int pidfd = -1;
  std::array<int, 2> pipes{-1, -1};  // stdout, stderr
  std::thread reader;
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  std::array<std::string, 2> texts;
  bool output_ended = false;
  std::optional<int> status;

  void read_all() {
    std::array<pollfd, 2> watched{{{pipes[0], POLLIN, 0}, {pipes[1], POLLIN, 0}}};
    int open = 2;
    while (open > 0) {
      poll(watched.data(), watched.size(), -1);
      for (std::size_t i = 0; i < watched.size(); ++i) {
        if (watched[i].fd < 0 || watched[i].revents == 0) continue;
        std::array<char, 65536> buffer;
        const ssize_t count = ::read(watched[i].fd, buffer.data(), buffer.size());
        if (count <= 0) {
          watched[i].fd = -1;
          --open;
          continue;
        }
        const std::lock_guard lock(mutex);
        texts[i].append(buffer.data(), static_cast<std::size_t>(count));
        changed.notify_all();
      }
    }
    const std::lock_guard lock(mutex);
    output_ended = true;
    changed.notify_all();
  }
};

HostProcess::HostProcess(const std::string& program, const std::vector<std::string>& arguments,
                         const Environment& environment)
    : impl_(std::make_unique<Impl>()) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  // The gateway's sockets live in this process; a copy in the child would keep a port open that was closed
  // here.
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  std::vector<std::string> words = arguments;
  words.insert(words.begin(), program);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<std::string> pairs;
  for (const auto& [name, value] : environment) pairs.push_back(name + "=" + value);
  std::vector<char*> envp;
  for (std::string& pair : pairs) envp.push_back(pair.data());
  envp.push_back(nullptr);
  const int failed = posix_spawn(&impl_->pid, program.c_str(), &actions, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  impl_->pipes = {out[0], err[0]};
  if (failed != 0) throw std::runtime_error("cannot start " + program);
  impl_->pidfd = static_cast<int>(syscall(SYS_pidfd_open, impl_->pid, 0));
  impl_->reader = std::thread([impl = impl_.get()] { impl->read_all(); });
}

HostProcess::~HostProcess() {
  if (!impl_->status) {
    kill(impl_->pid, SIGKILL);
    waitpid(impl_->pid, nullptr, 0);
  }
  impl_->reader.join();
  for (const int fd : {impl_->pipes[0], impl_->pipes[1], impl_->pidfd}) close(fd);
}

int HostProcess::pid() const { return impl_->pid; }

std::optional<std::string> HostProcess::wait_line(const std::string& text,
                                                  std::chrono::milliseconds timeout) const {
  return wait_text(1, text, timeout);
}

std::optional<std::string> HostProcess::wait_output(const std::string& text,
                                                    std::chrono::milliseconds timeout) const {
  return wait_text(0, text, timeout);
}

std::optional<std::string> HostProcess::wait_text(std::size_t stream, const std::string& text,
                                                  std::chrono::milliseconds timeout) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::unique_lock lock(impl_->mutex);
  for (;;) {
    const std::string& all = impl_->texts[stream];
    if (const std::size_t at = all.find(text); at != std::string::npos) {
      const std::size_t end = all.find('\n', at);
      if (end != std::string::npos) {
        const std::size_t before = all.rfind('\n', at);
        const std::size_t start = before == std::string::npos ? 0 : before + 1;
        return all.substr(start, end - start);
      }
    }
    if (impl_->output_ended) return std::nullopt;
    if (impl_->changed.wait_until(lock, deadline) == std::cv_status::timeout) return std::nullopt;
  }
}

std::string HostProcess::standard_error() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->texts[1];
}

void HostProcess::signal(int number) { kill(impl_->pid, number); }

std::optional<Finished> HostProcess::wait_exit(std::chrono::milliseconds timeout) {
  if (!impl_->status) {
    pollfd watched{impl_->pidfd, POLLIN, 0};
    if (poll(&watched, 1, static_cast<int>(timeout.count())) != 1) return std::nullopt;
    int status = 0;
    waitpid(impl_->pid, &status, 0);
    impl_->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  // Output is complete once both pipes are closed; a child that outlives the host may hold them.
  std::unique_lock lock(impl_->mutex);
  impl_->changed.wait_for(lock, std::chrono::seconds(2), [&] { return impl_->output_ended; });
  return Finished{*impl_->status, impl_->texts[0], impl_->texts[1]};
}

std::string hostclaw_program() { return std::string(HOSTCLAW_BINARY_DIR) + "/hostclaw"; }

}  // namespace hostclaw::integration
