// SPDX-License-Identifier: Apache-2.0
// The reading end of one output stream of a run. Most programs end before anyone needs to look at their
// output, so the pipe enters the event queue only when watch() is called; until then drain() reads what has
// come. Thread rule: the executor's thread. Handlers keep the object alive; close() ends them.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

struct Pipe {
  UniqueFd reading;
  UniqueFd writing;
};

// Both ends close on exec. Errors: errno names.
Result<Pipe> make_pipe();
// The same, larger than usual where the system allows it and with a reading end that does not block: one
// wake-up for what fits in a result.
Result<Pipe> make_output_pipe();

class OutputPipe : public std::enable_shared_from_this<OutputPipe> {
 public:
  struct Handlers {
    std::function<void(std::string_view)> on_bytes;
    std::function<void()> on_end;  // once, when every writing end is closed
  };

  OutputPipe(const boost::asio::any_io_executor& executor, Handlers handlers);
  ~OutputPipe();

  // Takes the reading end of make_output_pipe().
  void start(UniqueFd reading);
  // Takes our end of a terminal. Errors: errno names.
  Result<void> start_terminal(UniqueFd own);
  // From now on bytes and the end are noticed when they come. Errors: errno names.
  Result<void> watch();
  // Reads what is there now, unless it is held.
  void drain();
  // Held: nothing is read. Let go: what has come is read, and watched again if it was before.
  void hold(bool held);
  bool held() const { return held_; }
  bool ended() const;
  // No handler is called afterwards.
  void close();

 private:
  struct Native;
  void wait_for_bytes();

  std::unique_ptr<Native> native_;
  Handlers handlers_;
  bool held_ = false;
  bool waiting_ = false;
};

}  // namespace hostclaw::node_host
