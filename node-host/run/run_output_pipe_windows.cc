// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/run_output_pipe.h"

#include <array>
#include <boost/asio/windows/object_handle.hpp>
#include <cwchar>

#include "base/text.h"
#include "node-host/system/files/windows_handle.h"
#include "node-host/system/host/random_bytes.h"
#include "node-host/system/host/system_error_windows.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

constexpr DWORD kPipeBytes = 256 * 1024;
constexpr DWORD kReadBytes = 65536;
constexpr int kReadsPerEvent = 16;  // so that one loud child does not starve the link

// A pipe without a name cannot be read without blocking, so that one with a name that nobody can guess is
// made: one instance, for this machine only, and never the second to make it.
Result<Pipe> make_pipe_of(DWORD reading_flags) {
  std::array<std::uint8_t, 16> bytes{};
  fill_random(bytes);
  const auto name = exact_wide("\\\\.\\pipe\\hostclaw-" + to_hex(bytes));
  Pipe pipe;
  pipe.reading = owned(
      ::CreateNamedPipeW(name->c_str(), PIPE_ACCESS_INBOUND | FILE_FLAG_FIRST_PIPE_INSTANCE | reading_flags,
                         PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1, 0,
                         kPipeBytes, 0, nullptr));
  if (!pipe.reading) return last_windows_error();
  // Children expect streams that block.
  pipe.writing = owned(::CreateFileW(name->c_str(), GENERIC_WRITE | FILE_READ_ATTRIBUTES, 0, nullptr,
                                     OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!pipe.writing) return last_windows_error();
  return pipe;
}

}  // namespace

Result<Pipe> make_pipe() { return make_pipe_of(0); }

Result<Pipe> make_output_pipe() { return make_pipe_of(FILE_FLAG_OVERLAPPED); }

// One read is always under way; `arrived` is set when it is done.
struct OutputPipe::Native {
  explicit Native(const boost::asio::any_io_executor& executor) : watched(executor) {}
  ~Native() { stop(); }

  HANDLE pipe() const { return as_handle(reading.get()); }

  // ERROR_IO_PENDING: nothing has come yet, `arrived` will tell. Any other error: the end.
  DWORD begin_read() {
    operation = OVERLAPPED{};
    operation.hEvent = as_handle(arrived.get());
    under_way = true;
    if (::ReadFile(pipe(), buffer.data(), kReadBytes, nullptr, &operation) != 0) return ERROR_SUCCESS;
    const DWORD error = ::GetLastError();
    under_way = error == ERROR_IO_PENDING;
    return error;
  }

  // The system must not write into the buffer of an object that is gone.
  void stop() {
    if (under_way) {
      DWORD count = 0;
      ::CancelIoEx(pipe(), &operation);
      ::GetOverlappedResult(pipe(), &operation, &count, TRUE);
      under_way = false;
    }
    reading.reset();
  }

  UniqueFd reading;
  UniqueFd arrived;
  OVERLAPPED operation{};
  bool under_way = false;
  bool end_told = false;
  std::array<char, kReadBytes> buffer;
  boost::asio::windows::object_handle watched;  // a second handle of `arrived`
};

OutputPipe::OutputPipe(const boost::asio::any_io_executor& executor, Handlers handlers)
    : native_(std::make_unique<Native>(executor)), handlers_(std::move(handlers)) {}

OutputPipe::~OutputPipe() = default;

void OutputPipe::start(UniqueFd reading) { native_->reading = std::move(reading); }

Result<void> OutputPipe::start_terminal(UniqueFd) {
  return make_error("UNSUPPORTED", "there are no terminals for commands on Windows");
}

void OutputPipe::hold(bool held) {
  if (held == held_) return;
  held_ = held;
  if (!held && !ended()) drain();
}

bool OutputPipe::ended() const { return !native_->reading; }

Result<void> OutputPipe::watch() {
  if (ended() || native_->watched.is_open()) return {};
  drain();
  if (ended()) return {};
  HANDLE copy = nullptr;
  if (::DuplicateHandle(::GetCurrentProcess(), as_handle(native_->arrived.get()), ::GetCurrentProcess(),
                        &copy, 0, FALSE, DUPLICATE_SAME_ACCESS) == 0)
    return last_windows_error();
  UniqueFd event = owned(copy);
  boost::system::error_code error;
  native_->watched.assign(copy, error);
  if (error) return windows_error(static_cast<unsigned long>(error.value()));
  event.release();
  wait_for_bytes();
  return {};
}

void OutputPipe::wait_for_bytes() {
  native_->watched.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->ended()) return;
    if (self->held_) ::ResetEvent(as_handle(self->native_->arrived.get()));
    self->drain();
    if (!self->ended()) self->wait_for_bytes();
  });
}

void OutputPipe::drain() {
  Native& native = *native_;
  for (int reads = 0; reads < kReadsPerEvent && !ended() && !held_; ++reads) {
    DWORD error = ERROR_SUCCESS;
    if (!native.arrived) {
      native.arrived = owned(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
      error = native.arrived ? ERROR_SUCCESS : ::GetLastError();
    }
    if (error == ERROR_SUCCESS && !native.under_way) error = native.begin_read();
    DWORD count = 0;
    if (error == ERROR_SUCCESS || error == ERROR_IO_PENDING) {
      const bool done = ::GetOverlappedResult(native.pipe(), &native.operation, &count, FALSE) != 0;
      error = done ? ERROR_SUCCESS : ::GetLastError();
      if (error == ERROR_IO_INCOMPLETE) return;
      native.under_way = false;
    }
    if (error == ERROR_SUCCESS) {
      // A writer may write nothing; that is not the end.
      if (count > 0) handlers_.on_bytes({native.buffer.data(), count});
      continue;
    }
    close();
    handlers_.on_end();
  }
  // There may be more: no read is under way that would tell.
  if (!ended() && !held_) ::SetEvent(as_handle(native.arrived.get()));
}

void OutputPipe::close() {
  native_->stop();
  if (!native_->watched.is_open()) return;
  boost::system::error_code ignored;
  native_->watched.close(ignored);
}

}  // namespace hostclaw::node_host
