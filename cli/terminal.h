// SPDX-License-Identifier: Apache-2.0
// A terminal that answers single keys. Made only where standard input and output are a terminal; puts the
// terminal back when it goes, also when a signal ends the process. At most one at a time, one thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace hostclaw::cli {

class Terminal {
 public:
  static bool available();

  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void write(const std::string& text);

  struct Key {
    char key = 0;         // 0: none in this time
    bool closed = false;  // nobody can type any more, or Ctrl-C, Ctrl-D
  };
  Key key(std::chrono::milliseconds at_most);
  // Throws away what was typed before now and during `settle`: it was meant for something else.
  void forget_keys(std::chrono::milliseconds settle);
  // A line with the terminal's own editing, after `prompt`; nothing when the input is closed.
  std::optional<std::string> line(const std::string& prompt);

 private:
  void single_keys(bool yes);
};

}  // namespace hostclaw::cli
