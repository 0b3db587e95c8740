// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/run_output_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>

#include "node-host/system/host/system_error.h"

namespace hostclaw::node_host {
namespace {

constexpr int kPipeBytes = 256 * 1024;
constexpr std::size_t kReadBytes = 65536;
constexpr int kReadsPerEvent = 16;  // so that one loud child does not starve the link
thread_local std::array<char, kReadBytes> read_buffer;

}  // namespace

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error(errno);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<Pipe> make_output_pipe() {
  auto pipe = make_pipe();
  if (!pipe) return pipe;
  // Only this end: the two ends of a pipe have flags of their own, and children expect blocking streams.
  if (::fcntl(pipe->reading.get(), F_SETFL, O_NONBLOCK) != 0) return system_error(errno);
  // Small enough that many runs stay far below the limit of pipe pages per user.
  ::fcntl(pipe->reading.get(), F_SETPIPE_SZ, kPipeBytes);
  return pipe;
}

struct OutputPipe::Native {
  explicit Native(const boost::asio::any_io_executor& executor) : watched(executor) {}
  int descriptor() { return reading ? reading.get() : watched.native_handle(); }

  UniqueFd reading;  // until it is watched
  boost::asio::posix::stream_descriptor watched;
};

OutputPipe::OutputPipe(const boost::asio::any_io_executor& executor, Handlers handlers)
    : native_(std::make_unique<Native>(executor)), handlers_(std::move(handlers)) {}

OutputPipe::~OutputPipe() = default;

void OutputPipe::start(UniqueFd reading) { native_->reading = std::move(reading); }

Result<void> OutputPipe::start_terminal(UniqueFd own) {
  if (::fcntl(own.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0) return system_error(errno);
  native_->reading = std::move(own);
  return {};
}

bool OutputPipe::ended() const { return !native_->reading && !native_->watched.is_open(); }

Result<void> OutputPipe::watch() {
  if (!native_->reading) return {};
  boost::system::error_code error;
  native_->watched.assign(native_->reading.get(), error);
  if (error) return system_error(error.value());
  native_->reading.release();
  wait_for_bytes();
  return {};
}

void OutputPipe::hold(bool held) {
  if (held == held_) return;
  held_ = held;
  if (held || ended()) return;
  drain();
  if (!ended() && !waiting_ && native_->watched.is_open()) wait_for_bytes();
}

void OutputPipe::wait_for_bytes() {
  waiting_ = true;
  native_->watched.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                              [self = shared_from_this()](const boost::system::error_code& error) {
                                self->waiting_ = false;
                                if (error || self->ended()) return;
                                self->drain();
                                if (!self->ended() && !self->held_) self->wait_for_bytes();
                              });
}

void OutputPipe::drain() {
  for (int reads = 0; reads < kReadsPerEvent && !ended() && !held_; ++reads) {
    const ssize_t count = ::read(native_->descriptor(), read_buffer.data(), read_buffer.size());
    if (count > 0) {
      handlers_.on_bytes({read_buffer.data(), static_cast<std::size_t>(count)});
    } else if (count == 0) {
      close();
      handlers_.on_end();
    } else if (errno == EIO) {
      // A terminal whose programs have all gone.
      close();
      handlers_.on_end();
    } else if (errno != EINTR) {
      return;
    }
  }
}

void OutputPipe::close() {
  native_->reading.reset();
  if (!native_->watched.is_open()) return;
  boost::system::error_code ignored;
  native_->watched.close(ignored);
}

}  // namespace hostclaw::node_host
