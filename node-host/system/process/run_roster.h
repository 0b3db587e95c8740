// SPDX-License-Identifier: Apache-2.0
// Which process belongs to which run, kept by a node for the command line of this program: a small file in
// the state directory with a line for each program that a run has started and that has not been reaped.
//
// Nothing depends on it but what a command inside a run may see: a line that is missing shows less. Whoever
// can write it could as well write the record. Cost: one write of 80 bytes to the page cache when a program
// starts, and one when it has ended. Thread rule: one thread at a time; others may read() meanwhile.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace hostclaw::node_host {

inline constexpr const char* kRosterName = "node.runs";

// The name of the job object of the run that has this marker. Windows only.
std::string run_job_name(const std::string& marker);

class RunRoster {
 public:
  struct Member {
    std::int64_t pid = 0;
    std::int64_t row = 0;  // of the run, in the table of runs
    std::string marker;    // value of HOSTCLAW_RUN; on Windows part of the job's name
  };

  RunRoster() = default;  // keeps nothing
  // Begins anew: makes or empties the file. Requires: no other node uses it.
  explicit RunRoster(const std::string& path);

  // Answers the place to give back.
  std::size_t enter(const Member& member);
  void leave(std::size_t place);

  static std::vector<Member> read(const std::string& path);  // empty when there is no such file

 private:
  void write(std::size_t place, const std::string& line);

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
  std::vector<bool> taken_;
};

}  // namespace hostclaw::node_host
