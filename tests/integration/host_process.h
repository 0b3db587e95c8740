// SPDX-License-Identifier: Apache-2.0
// The shipped `hostclaw` executable as a child process, with its stderr as lines to wait on.
// Thread rule: one thread uses an object; a thread of its own reads.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hostclaw::integration {

// A private directory, removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

using Environment = std::map<std::string, std::string>;

struct Finished {
  int status = 0;  // exit status, or 128 + signal
  std::string standard_output;
  std::string standard_error;
};

class HostProcess {
 public:
  // The environment is exactly `environment`.
  HostProcess(const std::string& program, const std::vector<std::string>& arguments,
              const Environment& environment);
  ~HostProcess();  // kills when still running
  HostProcess(const HostProcess&) = delete;
  HostProcess& operator=(const HostProcess&) = delete;

  int pid() const;
  // The first line of stderr, from the start, that holds `text`. Nothing when none came in time.
  std::optional<std::string> wait_line(const std::string& text, std::chrono::milliseconds timeout) const;
  // The same for stdout.
  std::optional<std::string> wait_output(const std::string& text, std::chrono::milliseconds timeout) const;
  std::string standard_error() const;
  void signal(int number);
  std::optional<Finished> wait_exit(std::chrono::milliseconds timeout);

 private:
  std::optional<std::string> wait_text(std::size_t stream, const std::string& text,
                                       std::chrono::milliseconds timeout) const;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The program under test.
std::string hostclaw_program();

}  // namespace hostclaw::integration
