// SPDX-License-Identifier: Apache-2.0
// A connection to a daemon, as bytes: a Unix socket, plain TCP, or TLS 1.3. Nothing blocks but wait_for.
// An object belongs to one thread. POSIX alone.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hostclaw::hostlink {

// A file descriptor that is closed with its owner.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.release()) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();
  bool close();  // false when the system has an error to tell, as of a write that it had put off

 private:
  int fd_ = -1;
};

// When to stop waiting; without a time: never.
class Deadline {
 public:
  Deadline() = default;
  static Deadline in(std::chrono::milliseconds time) { return Deadline(Clock::now() + time); }
  int poll_timeout() const;  // milliseconds for poll(2), -1 for never

 private:
  using Clock = std::chrono::steady_clock;
  explicit Deadline(Clock::time_point at) : at_(at) {}
  std::optional<Clock::time_point> at_;
};

enum class IoState { kDone, kWantRead, kWantWrite, kClosed, kFailed };

struct IoStep {
  IoState state = IoState::kDone;
  std::size_t bytes = 0;  // for kDone, above 0
};

class Stream {
 public:
  virtual ~Stream() = default;
  virtual int fd() const = 0;
  virtual IoStep read_some(char* to, std::size_t size) = 0;
  virtual IoStep write_some(std::string_view bytes) = 0;
  // What a proof is bound to, for Exchange::channel of hostlink/proto/v2_scram.h; empty without TLS.
  virtual std::string channel_binding() const { return {}; }
  // Why the last step was kFailed, without a secret.
  virtual std::string problem() const = 0;
};

std::unique_ptr<Stream> make_plain_stream(OwnedFd socket);

// False when the deadline passed first.
bool wait_for(int fd, short events, const Deadline& deadline);

// Errors: CONNECTION_LOST, TIMED_OUT.
Result<void> write_all(Stream& stream, std::string_view bytes, const Deadline& deadline = {});
// At least one byte into `to`; 0 at the end of the connection.
Result<std::size_t> read_some(Stream& stream, char* to, std::size_t size, const Deadline& deadline = {});

}  // namespace hostclaw::hostlink
