// SPDX-License-Identifier: Apache-2.0
// What starting a program costs on this machine at the least: posix_spawn and waitpid, nothing else.
//
//   spawn_loop [--count N] [--at-once N] [--program PATH]
//
// Prints {"program", "sequential": {...}, "at_once": {"in_flight": N, ...}}. Other figures are to be read
// against these, taken in the same minute on the same machine: on a busy machine both are worse.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <map>

#include "bench/figures.h"

namespace {

using hostclaw::bench::Clock;
using hostclaw::bench::Figures;

pid_t start(const char* program) {
  char* const argv[] = {const_cast<char*>(program), nullptr};
  pid_t pid = 0;
  if (::posix_spawn(&pid, program, nullptr, nullptr, argv, environ) != 0) {
    std::perror("posix_spawn");
    std::exit(1);
  }
  return pid;
}

std::string sequential(const char* program, int count) {
  Figures figures;
  const auto begin = Clock::now();
  for (int i = 0; i < count; ++i) {
    const auto started = Clock::now();
    ::waitpid(start(program), nullptr, 0);
    figures.add(Clock::now() - started);
  }
  return figures.json(Clock::now() - begin);
}

std::string at_once(const char* program, int count, int in_flight) {
  Figures figures;
  std::map<pid_t, Clock::time_point> running;
  const auto begin = Clock::now();
  for (int started = 0; started < count || !running.empty();) {
    while (started < count && static_cast<int>(running.size()) < in_flight) {
      const auto now = Clock::now();
      running[start(program)] = now;
      ++started;
    }
    const pid_t ended = ::waitpid(-1, nullptr, 0);
    figures.add(Clock::now() - running[ended]);
    running.erase(ended);
  }
  return figures.json(Clock::now() - begin);
}

}  // namespace

int main(int argc, char** argv) {
  int count = 500;
  int in_flight = 16;
  const char* program = "/bin/true";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--count") == 0) count = std::max(1, std::atoi(argv[i + 1]));
    if (std::strcmp(argv[i], "--at-once") == 0) in_flight = std::max(1, std::atoi(argv[i + 1]));
    if (std::strcmp(argv[i], "--program") == 0) program = argv[i + 1];
  }
  const std::string one = sequential(program, count);
  const std::string many = at_once(program, count, in_flight);
  std::printf("{\"program\": \"%s\", \"sequential\": %s, \"at_once\": {\"in_flight\": %d, \"runs\": %s}}\n",
              program, one.c_str(), in_flight, many.c_str());
  return 0;
}
