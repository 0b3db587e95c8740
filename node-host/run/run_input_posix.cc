// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/run_input.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>

#include "node-host/system/host/system_error.h"

namespace hostclaw::node_host {

struct RunInput::Native {
  explicit Native(const boost::asio::any_io_executor& executor) : writing(executor) {}
  boost::asio::posix::stream_descriptor writing;
};

RunInput::RunInput(const boost::asio::any_io_executor& executor, std::function<void(std::size_t)> on_taken)
    : native_(std::make_unique<Native>(executor)), on_taken_(std::move(on_taken)) {}

RunInput::~RunInput() = default;

Result<void> RunInput::start(UniqueFd writing) {
  if (::fcntl(writing.get(), F_SETFL, O_NONBLOCK) != 0) return system_error(errno);
  boost::system::error_code error;
  native_->writing.assign(writing.get(), error);
  if (error) return system_error(error.value());
  writing.release();
  started_ = true;
  flush();
  return {};
}

void RunInput::write(std::string_view bytes) {
  if (lost_) {
    if (on_taken_) on_taken_(bytes.size());
    return;
  }
  pending_.append(bytes);
  flush();
}

void RunInput::end(bool terminal) {
  if (terminal) return write("\x04");
  ending_ = true;
  flush();
}

void RunInput::close() {
  on_taken_ = nullptr;
  lose();
}

void RunInput::lose() {
  lost_ = true;
  boost::system::error_code ignored;
  if (native_->writing.is_open()) native_->writing.close(ignored);
  const std::size_t gone = std::exchange(pending_, {}).size();
  if (gone > 0 && on_taken_) on_taken_(gone);
}

void RunInput::flush() {
  if (!started_ || lost_ || waiting_) return;
  while (!pending_.empty()) {
    const ssize_t count = ::write(native_->writing.native_handle(), pending_.data(), pending_.size());
    if (count > 0) {
      pending_.erase(0, static_cast<std::size_t>(count));
      if (on_taken_) on_taken_(static_cast<std::size_t>(count));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return lose();  // the program reads no more
    waiting_ = true;
    native_->writing.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                                [self = shared_from_this()](const boost::system::error_code& error) {
                                  self->waiting_ = false;
                                  if (!error) self->flush();
                                });
    return;
  }
  if (ending_) lose();
}

Result<Terminal> make_terminal(TerminalSize size) {
  Terminal terminal;
  terminal.own = UniqueFd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  std::array<char, 64> name{};
  if (!terminal.own || ::grantpt(terminal.own.get()) != 0 || ::unlockpt(terminal.own.get()) != 0 ||
      ::ptsname_r(terminal.own.get(), name.data(), name.size()) != 0)
    return system_error(errno);
  terminal.program = UniqueFd(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.program) return system_error(errno);
  resize_terminal(terminal.own.get(), size);
  return terminal;
}

void resize_terminal(NativeHandle own, TerminalSize size) {
  winsize window{};
  window.ws_col = size.columns;
  window.ws_row = size.rows;
  window.ws_xpixel = size.width;
  window.ws_ypixel = size.height;
  ::ioctl(own, TIOCSWINSZ, &window);
}

Result<UniqueFd> duplicate(NativeHandle handle) {
  UniqueFd copy(::fcntl(handle, F_DUPFD_CLOEXEC, 3));
  if (!copy) return system_error(errno);
  return copy;
}

}  // namespace hostclaw::node_host
