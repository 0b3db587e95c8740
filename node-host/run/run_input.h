// SPDX-License-Identifier: Apache-2.0
// Standard input of a run, written as it comes. Thread rule: the executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "node-host/run/run_control.h"
#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

class RunInput : public std::enable_shared_from_this<RunInput> {
 public:
  // `on_taken`: so many bytes more have gone to the program, or are lost because it takes none any more.
  RunInput(const boost::asio::any_io_executor& executor, std::function<void(std::size_t)> on_taken);
  ~RunInput();

  // Where the bytes go: the writing end of a pipe, or a terminal's own end. What was written before waits for
  // it. Errors: errno names.
  Result<void> start(UniqueFd writing);
  void write(std::string_view bytes);
  // The program sees the end when what was written has been taken. A terminal is sent its end-of-file
  // character.
  void end(bool terminal);
  // Nothing is told any more.
  void close();

 private:
  struct Native;
  void flush();
  void lose();

  std::unique_ptr<Native> native_;
  std::function<void(std::size_t)> on_taken_;
  std::string pending_;
  bool started_ = false;
  bool ending_ = false;
  bool lost_ = false;
  bool waiting_ = false;
};

struct Terminal {
  UniqueFd own;      // ours: what is written is typed, what is read was printed
  UniqueFd program;  // the programs' standard input, output and error
};
// Errors: errno names; UNSUPPORTED on Windows.
Result<Terminal> make_terminal(TerminalSize size);
void resize_terminal(NativeHandle own, TerminalSize size);
Result<UniqueFd> duplicate(NativeHandle handle);

}  // namespace hostclaw::node_host
