// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "node-host/system/files/file_handles.h"
#include "node-host/system/host/record_sinks.h"
#include "node-host/system/host/system_error.h"

namespace hostclaw::node_host {
namespace {

// More than any row of ordinary work has; the system gives less to those who may not have it.
constexpr int kSendBufferBytes = 1024 * 1024;

Error sink_failure(const std::string& path, const std::string& why) {
  return make_error("SINK_FAILED", path + ": " + why);
}

class Datagrams final : public RecordSink {
 public:
  explicit Datagrams(std::string path) : path_(std::move(path)) {}

  Result<void> send(std::string_view row, std::chrono::milliseconds patience) override {
    const bool was_connected = static_cast<bool>(socket_);
    int failed = send_once(row, patience);
    // Whoever listened may have been started again since.
    if (was_connected && (failed == ECONNREFUSED || failed == ENOTCONN || failed == ECONNRESET)) {
      socket_.reset();
      failed = send_once(row, patience);
    }
    if (failed == 0) return {};
    if (failed == EMSGSIZE)
      return make_error("SINK_TOO_LONG", path_ + ": a row of " + std::to_string(row.size()) +
                                             " bytes is too long for a datagram");
    if (failed != EAGAIN && failed != ENOBUFS) socket_.reset();
    return sink_failure(path_, error_text(failed));
  }

 private:
  int connect() {
    sockaddr_un peer{};
    if (path_.size() >= sizeof peer.sun_path) return ENAMETOOLONG;
    peer.sun_family = AF_UNIX;
    std::memcpy(peer.sun_path, path_.data(), path_.size());
    UniqueFd made(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made) return errno;
    (void)::setsockopt(made.get(), SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size() + 1);
    if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&peer), size) != 0) return errno;
    socket_ = std::move(made);
    return 0;
  }

  int send_once(std::string_view row, std::chrono::milliseconds patience) {
    if (!socket_) {
      if (const int failed = connect(); failed != 0) return failed;
    }
    const auto end = std::chrono::steady_clock::now() + patience;
    for (;;) {
      if (::send(socket_.get(), row.data(), row.size(), MSG_NOSIGNAL) >= 0) return 0;
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return errno;
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      if (left.count() <= 0) return EAGAIN;
      pollfd writable{socket_.get(), POLLOUT, 0};
      if (::poll(&writable, 1, static_cast<int>(left.count())) == 0) return EAGAIN;
    }
  }

  const std::string path_;
  UniqueFd socket_;
};

class LineFile final : public RecordSink {
 public:
  explicit LineFile(std::string path) : path_(std::move(path)) {}

  Result<void> send(std::string_view row, std::chrono::milliseconds) override {
    if (!still_there()) {
      file_.reset();
      if (Result<void> opened = open(); !opened) return opened;
    }
    struct stat before {};
    if (::fstat(file_.get(), &before) != 0) return sink_failure(path_, error_text(errno));
    const std::string line = std::string(row) + "\n";
    std::size_t done = 0;
    while (done < line.size()) {
      const ssize_t count = ::write(file_.get(), line.data() + done, line.size() - done);
      if (count < 0 && errno == EINTR) continue;
      if (count > 0) {
        done += static_cast<std::size_t>(count);
        continue;
      }
      const int failed = count < 0 ? errno : ENOSPC;
      // Half a line would make the next one unreadable. This process is the only one that appends.
      if (done > 0) (void)!::ftruncate(file_.get(), before.st_size);
      return sink_failure(path_, error_text(failed));
    }
    return {};
  }

 private:
  bool still_there() const {
    struct stat named {};
    struct stat held {};
    return file_ && ::lstat(path_.c_str(), &named) == 0 && ::fstat(file_.get(), &held) == 0 &&
           named.st_dev == held.st_dev && named.st_ino == held.st_ino;
  }

  Result<void> open() {
    // Not blocking: somebody may have put a pipe there.
    UniqueFd made(::open(
        path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600));
    if (!made) {
      return sink_failure(path_, errno == ELOOP ? "is a link" : error_text(errno));
    }
    struct stat facts {};
    if (::fstat(made.get(), &facts) != 0) return sink_failure(path_, error_text(errno));
    if (!S_ISREG(facts.st_mode)) return sink_failure(path_, "is not a file");
    if (facts.st_uid != ::geteuid()) return sink_failure(path_, "belongs to another account");
    if ((facts.st_mode & 077) != 0) return sink_failure(path_, "others may read or write it (chmod 600)");
    file_ = std::move(made);
    return {};
  }

  const std::string path_;
  UniqueFd file_;
};

}  // namespace

std::unique_ptr<RecordSink> datagram_sink(std::string path) {
  return std::make_unique<Datagrams>(std::move(path));
}

std::unique_ptr<RecordSink> line_file_sink(std::string path) {
  return std::make_unique<LineFile>(std::move(path));
}

}  // namespace hostclaw::node_host
