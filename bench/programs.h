// SPDX-License-Identifier: Apache-2.0
// Programs that a bench starts: they end with their owner, also when something cannot be measured.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hostclaw::bench {

// It cannot be measured. Thrown, so that programs and directories go with their owners.
using Trouble = std::runtime_error;

template <class T>
T must(Result<T> result) {
  if (!result) throw Trouble(result.error().code + ": " + result.error().message);
  return std::move(*result);
}
inline void must(const Result<void>& result) {
  if (!result) throw Trouble(result.error().code + ": " + result.error().message);
}
inline void must(bool done, const std::string& what) {
  if (!done) throw Trouble(what + ": " + std::strerror(errno));
}

// Set by the signals that end a bench, so that it ends with what it has started.
inline volatile std::sig_atomic_t stopped = 0;
inline void stop_on_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, [](int) { stopped = 1; });
}

// Where a program's input and output go: what is not named is this process's.
struct Ends {
  std::string out;  // files, written at their end
  std::string error;
  int socket = -1;  // for both input and output
};

// A program that has ended, or is ended, when this object goes.
class Child {
 public:
  explicit Child(const std::vector<std::string>& argv, const Ends& ends = {}) {
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    for (const int fd : {0, 1})
      if (ends.socket >= 0) ::posix_spawn_file_actions_adddup2(&actions, ends.socket, fd);
    for (const auto& [fd, path] : {std::pair(1, &ends.out), std::pair(2, &ends.error)})
      if (!path->empty())
        ::posix_spawn_file_actions_addopen(&actions, fd, path->c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int error = ::posix_spawnp(&pid_, words[0], &actions, nullptr, words.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw Trouble("cannot start " + argv[0] + ": " + std::strerror(error));
  }
  ~Child() {
    using namespace std::chrono_literals;
    if (!ended()) ::kill(pid_, SIGTERM);
    for (int i = 0; i < 1000 && !ended(); ++i) std::this_thread::sleep_for(10ms);
    if (!ended()) ::kill(pid_, SIGKILL);
    (void)wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  bool ended() { return ended_ || (ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_); }
  int wait() {  // its status, or 128 + its signal
    while (!ended_) ended_ = ::waitpid(pid_, &status_, 0) == pid_;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  }

 private:
  pid_t pid_ = 0;
  int status_ = 0;
  bool ended_ = false;
};

// VmRSS, VmHWM and the like.
inline double memory_mib(pid_t pid, const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(name + ":")) return std::stod(line.substr(name.size() + 1)) / 1024;
  throw Trouble("the system does not tell " + name + " of process " + std::to_string(pid));
}

// The last lines of a program's log.
inline std::string last_words(const std::string& log) {
  std::ifstream file(log);
  std::string words{std::istreambuf_iterator<char>(file), {}};
  constexpr std::size_t kMost = 2000;
  return words.size() > kMost ? words.substr(words.size() - kMost) : words;
}

}  // namespace hostclaw::bench
