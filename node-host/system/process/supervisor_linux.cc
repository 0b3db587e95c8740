// SPDX-License-Identifier: Apache-2.0
// systemd's side: sd_notify(3) is one datagram of NAME=value lines to the socket named by NOTIFY_SOCKET, so
// no library is needed. Credentials are files below CREDENTIALS_DIRECTORY (systemd.exec(5)).
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/process/supervisor.h"

namespace hostclaw::node_host {
namespace {

constexpr std::size_t kMaxSecretBytes = 65'536;

std::string take(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value != nullptr ? value : "";
  ::unsetenv(name);
  return text;
}

class Nobody final : public Supervisor {
 public:
  void ready() override {}
  void status(std::string_view) override {}
  void stopping() override {}
  std::optional<std::chrono::milliseconds> watchdog_interval() const override { return std::nullopt; }
  void alive() override {}
};

class Systemd final : public Supervisor {
 public:
  Systemd(const std::string& address, std::optional<std::chrono::milliseconds> interval)
      : interval_(interval), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    peer_.sun_family = AF_UNIX;
    std::memcpy(peer_.sun_path, address.data(), address.size());
    if (address.front() == '@') peer_.sun_path[0] = '\0';
    peer_size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    if (address.front() != '@') ++peer_size_;  // a path ends with its zero byte
  }

  void ready() override {
    if (ready_) return;
    ready_ = true;
    send("READY=1\n");
  }
  void status(std::string_view text) override {
    std::string line = "STATUS=" + std::string(text.substr(0, 500));
    for (char& c : line) {
      if (c == '\n' || c == '\r') c = ' ';
    }
    send(line + "\n");
  }
  void stopping() override { send("STOPPING=1\n"); }
  std::optional<std::chrono::milliseconds> watchdog_interval() const override { return interval_; }
  void alive() override { send("WATCHDOG=1\n"); }

 private:
  // What cannot be told must not disturb the work: errors are ignored, the socket never blocks.
  void send(const std::string& text) {
    (void)::sendto(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&peer_), peer_size_);
  }

  std::optional<std::chrono::milliseconds> interval_;
  UniqueFd socket_;
  sockaddr_un peer_{};
  socklen_t peer_size_ = 0;
  bool ready_ = false;
};

std::optional<std::chrono::milliseconds> interval_from(const std::string& microseconds,
                                                       const std::string& pid) {
  if (microseconds.empty() || microseconds.size() > 18 ||
      microseconds.find_first_not_of("0123456789") != std::string::npos) {
    return std::nullopt;
  }
  if (!pid.empty() && pid != std::to_string(::getpid())) return std::nullopt;  // meant for another process
  const long long value = std::stoll(microseconds);
  if (value < 1'000) return std::nullopt;
  return std::chrono::milliseconds(value / 1'000);
}

}  // namespace

std::unique_ptr<Supervisor> supervisor_of_this_process() {
  const std::string address = take("NOTIFY_SOCKET");
  const std::string microseconds = take("WATCHDOG_USEC");
  const std::string pid = take("WATCHDOG_PID");
  // Of use to this process alone; a command that saw them could speak in its name or mistake them for its
  // own.
  for (const char* name : {"CREDENTIALS_DIRECTORY", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID",
                           "STATE_DIRECTORY", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE"}) {
    ::unsetenv(name);
  }
  const bool usable = address.size() >= 2 && address.size() < sizeof(sockaddr_un::sun_path) &&
                      (address.front() == '/' || address.front() == '@');
  if (!usable) return std::make_unique<Nobody>();
  return std::make_unique<Systemd>(address, interval_from(microseconds, pid));
}

std::string supervised_secret(std::string_view name) {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr || directory[0] != '/') return {};
  const std::string path = std::string(directory) + "/" + std::string(name);
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return {};
  std::string text;
  char block[4096];
  for (ssize_t size = 0; (size = ::read(file.get(), block, sizeof block)) > 0;) {
    text.append(block, static_cast<std::size_t>(size));
    if (text.size() > kMaxSecretBytes) return {};
  }
  return std::string(trim(text));
}

bool standard_error_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat facts {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &facts) != 0) return false;
  return stream == std::to_string(facts.st_dev) + ":" + std::to_string(facts.st_ino);
}

}  // namespace hostclaw::node_host
