// SPDX-License-Identifier: Apache-2.0
// The consoles of a run. Each of its programs is started with a console that nobody sees (CREATE_NO_WINDOW):
// what would ask a person asks there, and Ctrl-C can be pressed there, which is the only gentle way to end a
// program without a window. A process has one console at most and ours is not to be lost, so a helper process
// of this program goes there: it attaches to one console after the other, writes down what each shows last,
// and presses Ctrl-C.
//
// Thread rule: safe from any thread. Cost: one process for a run that is ended.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

// Processes that a helper is told; the consoles of a run's programs are few, however many processes share
// them.
inline constexpr std::size_t kMaxConsoleProcesses = 256;

// The side of the node. One helper for one run that ends.
class ConsoleHelper {
 public:
  // Errors: errno names.
  static Result<ConsoleHelper> start(std::span<const std::uint32_t> pids);

  bool ended() const;
  // How many consoles it reached. Requires: ended().
  int reached() const;
  // What they showed, at most 4 KiB of UTF-8, blank lines left out; empty when they showed nothing. Requires:
  // ended(). Only the first call answers.
  std::string take_text();
  // Ends it where it is. Does nothing when it has ended.
  void abandon();

 private:
  UniqueFd process_;
  UniqueFd reading_;
};

// The command line of the helper without the numbers, by default this program with `service console`. Tests
// have another program. Requires: called before any helper is started.
void set_console_helper(std::vector<std::string> command);

// The side of the helper: everything that it does. Answers how many consoles it reached, as its exit status.
int serve_as_console_helper(std::span<const std::string> pids);

}  // namespace hostclaw::node_host
