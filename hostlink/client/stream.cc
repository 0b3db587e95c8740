// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/stream.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace hostclaw::hostlink {
namespace {

class PlainStream : public Stream {
 public:
  explicit PlainStream(OwnedFd socket) : socket_(std::move(socket)) {}

  int fd() const override { return socket_.get(); }

  IoStep read_some(char* to, std::size_t size) override {
    return step(::recv(socket_.get(), to, size, MSG_DONTWAIT), IoState::kWantRead);
  }

  IoStep write_some(std::string_view bytes) override {
    return step(::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL),
                IoState::kWantWrite);
  }

  std::string problem() const override { return std::strerror(error_); }

 private:
  IoStep step(ssize_t done, IoState again) {
    if (done > 0) return {IoState::kDone, static_cast<std::size_t>(done)};
    if (done == 0) return {IoState::kClosed, 0};
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {again, 0};
    error_ = errno;
    return {error_ == ECONNRESET || error_ == EPIPE ? IoState::kClosed : IoState::kFailed, 0};
  }

  OwnedFd socket_;
  int error_ = 0;
};

Error connection_lost(const Stream& stream, IoState state) {
  return make_error("CONNECTION_LOST", state == IoState::kFailed
                                           ? "the connection to the daemon broke: " + stream.problem()
                                           : "the daemon closed the connection");
}

Error timed_out() { return make_error("TIMED_OUT", "the daemon did not answer in time"); }

short events_of(IoState state) { return state == IoState::kWantWrite ? POLLOUT : POLLIN; }

}  // namespace

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.release();
  }
  return *this;
}

OwnedFd::~OwnedFd() { close(); }

int OwnedFd::release() { return std::exchange(fd_, -1); }

bool OwnedFd::close() {
  const int fd = release();
  return fd < 0 || ::close(fd) == 0;
}

int Deadline::poll_timeout() const {
  if (!at_) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*at_ - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 1'000'000'000));
}

std::unique_ptr<Stream> make_plain_stream(OwnedFd socket) {
  return std::make_unique<PlainStream>(std::move(socket));
}

bool wait_for(int fd, short events, const Deadline& deadline) {
  for (;;) {
    pollfd waited{fd, events, 0};
    const int ready = ::poll(&waited, 1, deadline.poll_timeout());
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return true;  // the next step on it says what is wrong
  }
}

Result<void> write_all(Stream& stream, std::string_view bytes, const Deadline& deadline) {
  while (!bytes.empty()) {
    const IoStep step = stream.write_some(bytes);
    if (step.state == IoState::kDone) {
      bytes.remove_prefix(step.bytes);
    } else if (step.state == IoState::kClosed || step.state == IoState::kFailed) {
      return connection_lost(stream, step.state);
    } else if (!wait_for(stream.fd(), events_of(step.state), deadline)) {
      return timed_out();
    }
  }
  return {};
}

Result<std::size_t> read_some(Stream& stream, char* to, std::size_t size, const Deadline& deadline) {
  for (;;) {
    const IoStep step = stream.read_some(to, size);
    if (step.state == IoState::kDone) return step.bytes;
    if (step.state == IoState::kClosed) return std::size_t{0};
    if (step.state == IoState::kFailed) return connection_lost(stream, step.state);
    if (!wait_for(stream.fd(), events_of(step.state), deadline)) return timed_out();
  }
}

}  // namespace hostclaw::hostlink
