// SPDX-License-Identifier: Apache-2.0
// Standard input of runs is not carried on Windows, and there is no terminal for them.
#include "node-host/run/run_input.h"

namespace hostclaw::node_host {

struct RunInput::Native {};

RunInput::RunInput(const boost::asio::any_io_executor&, std::function<void(std::size_t)> on_taken)
    : on_taken_(std::move(on_taken)) {}
RunInput::~RunInput() = default;
Result<void> RunInput::start(UniqueFd) { return make_error("UNSUPPORTED", "not on Windows"); }
void RunInput::write(std::string_view bytes) {
  if (on_taken_) on_taken_(bytes.size());
}
void RunInput::end(bool) {}
void RunInput::close() { on_taken_ = nullptr; }
void RunInput::flush() {}
void RunInput::lose() {}

Result<Terminal> make_terminal(TerminalSize) {
  return make_error("UNSUPPORTED", "there are no terminals for commands on Windows");
}
void resize_terminal(NativeHandle, TerminalSize) {}
Result<UniqueFd> duplicate(NativeHandle) { return make_error("UNSUPPORTED", "not on Windows"); }

}  // namespace hostclaw::node_host
