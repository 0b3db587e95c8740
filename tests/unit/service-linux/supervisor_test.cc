// SPDX-License-Identifier: Apache-2.0
// The datagrams that systemd gets, through a socket of our own.
#include "node-host/system/process/supervisor.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {
namespace {

class Listener {
 public:
  Listener() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    char pattern[] = "/tmp/hostclaw-notify.XXXXXX";
    directory_ = ::mkdtemp(pattern);
    path_ = directory_ + "/socket";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~Listener() {
    ::unlink(path_.c_str());
    ::rmdir(directory_.c_str());
  }
  std::string next() {
    char block[2048];
    const ssize_t size = ::recv(socket_.get(), block, sizeof block, 0);
    return size < 0 ? std::string() : std::string(block, static_cast<std::size_t>(size));
  }
  const std::string& path() const { return path_; }

 private:
  UniqueFd socket_;
  std::string directory_;
  std::string path_;
};

}  // namespace

TEST_CASE("a supervisor hears ready once, and each status on one line") {
  Listener listener;
  ::setenv("NOTIFY_SOCKET", listener.path().c_str(), 1);
  const auto supervisor = supervisor_of_this_process();
  supervisor->status("waiting\nREADY=1");
  CHECK(listener.next() == "STATUS=waiting READY=1\n");
  supervisor->ready();
  supervisor->ready();
  supervisor->stopping();
  CHECK(listener.next() == "READY=1\n");
  CHECK(listener.next() == "STOPPING=1\n");
  CHECK(listener.next().empty());
}

TEST_CASE("the supervisor's variables are gone from the environment that commands get") {
  Listener listener;
  const char* names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY",
                         "INVOCATION_ID"};
  for (const char* name : names) ::setenv(name, listener.path().c_str(), 1);
  (void)supervisor_of_this_process();
  for (const char* name : names) {
    INFO(name);
    CHECK(std::getenv(name) == nullptr);
  }
}

TEST_CASE("the watchdog's interval counts only when it is meant for this process") {
  Listener listener;
  const auto interval = [&](const char* microseconds, const std::string& pid) {
    ::setenv("NOTIFY_SOCKET", listener.path().c_str(), 1);
    ::setenv("WATCHDOG_USEC", microseconds, 1);
    ::setenv("WATCHDOG_PID", pid.c_str(), 1);
    return supervisor_of_this_process()->watchdog_interval();
  };
  CHECK(interval("120000000", std::to_string(::getpid())) == std::chrono::seconds(120));
  CHECK(interval("120000000", "1") == std::nullopt);
  CHECK(interval("many", std::to_string(::getpid())) == std::nullopt);
  CHECK(interval("", "") == std::nullopt);
}

TEST_CASE("without a supervisor, or with a strange address, nothing is said and nothing fails") {
  for (const char* address : {"", "relative", "@"}) {
    ::setenv("NOTIFY_SOCKET", address, 1);
    const auto supervisor = supervisor_of_this_process();
    supervisor->ready();
    supervisor->alive();
    CHECK_FALSE(supervisor->watchdog_interval().has_value());
  }
}

TEST_CASE("a secret is a regular file of the credentials directory, without its line end") {
  char pattern[] = "/tmp/hostclaw-credentials.XXXXXX";
  const std::string directory = ::mkdtemp(pattern);
  std::ofstream(directory + "/gateway-token") << "a-token\n";
  ::setenv("CREDENTIALS_DIRECTORY", directory.c_str(), 1);
  CHECK(supervised_secret("gateway-token") == "a-token");
  CHECK(supervised_secret("gateway-password").empty());
  REQUIRE(::symlink("gateway-token", (directory + "/gateway-password").c_str()) == 0);
  CHECK(supervised_secret("gateway-password").empty());
  ::unlink((directory + "/gateway-password").c_str());
  ::unlink((directory + "/gateway-token").c_str());
  ::rmdir(directory.c_str());
  ::unsetenv("CREDENTIALS_DIRECTORY");
}

}  // namespace hostclaw::node_host
