// SPDX-License-Identifier: Apache-2.0
// How a door reaches into a run while it runs: it holds output back, sends signals, gives the terminal
// another size. Before the run has started its programs, and after its end, nothing happens but that output
// that is held back stays so. Thread rule: the executor's thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <utility>

namespace hostclaw::node_host {

enum class Stream { kStandardOutput, kStandardError };

struct TerminalSize {
  std::uint16_t columns = 80;
  std::uint16_t rows = 24;
  std::uint16_t width = 0;  // pixels; 0: not known
  std::uint16_t height = 0;
};

class RunControl {
 public:
  // A stream that is held is not read: its program waits when the pipe is full. The run is not over while it
  // has output that is held, unless its time is.
  void hold(Stream stream) { held_[index(stream)] = true; }
  void release(Stream stream) {
    if (!std::exchange(held_[index(stream)], false)) return;
    if (handlers_.released) handlers_.released();
  }
  bool held(Stream stream) const { return held_[index(stream)]; }

  // To the process group of each program that runs, as a terminal would.
  void signal(int number) {
    if (handlers_.signal) handlers_.signal(number);
  }
  void resize(TerminalSize size) {
    if (handlers_.resize) handlers_.resize(size);
  }

  // The run's side.
  struct Handlers {
    std::function<void()> released;
    std::function<void(int)> signal;
    std::function<void(TerminalSize)> resize;
  };
  void attach(Handlers handlers) { handlers_ = std::move(handlers); }
  void detach() { handlers_ = {}; }

 private:
  static std::size_t index(Stream stream) { return static_cast<std::size_t>(stream); }
  std::array<bool, 2> held_{};
  Handlers handlers_;
};

}  // namespace hostclaw::node_host
