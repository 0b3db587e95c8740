// SPDX-License-Identifier: Apache-2.0
// The shipped executable as HostLink's daemon on a Unix socket, and a peer that speaks frames to it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/json.h"
#include "tests/integration/host_process.h"

namespace hostclaw::integration {

// One connection, byte by byte.
class RawPeer {
 public:
  explicit RawPeer(const std::string& socket);
  // Not one that fails the test when nobody listens: for other threads, and daemons that come and go.
  static std::optional<RawPeer> try_connect(const std::string& socket);
  static RawPeer by_tcp(int port);  // on the loopback
  ~RawPeer();
  RawPeer(RawPeer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;
  RawPeer& operator=(RawPeer&&) = delete;

  void send(std::string_view bytes);
  void send_frame(std::string_view payload);
  // The payload of the next frame; nothing at the end of the connection, or after 60 s.
  std::optional<std::string> frame();
  Json reply();                     // fails without one
  std::optional<Json> try_reply();  // nothing at the end of the connection
  // Whether the daemon has closed it by now; what it has said is taken.
  bool has_ended();
  // True when the daemon closes without a further byte.
  bool closed_without_a_word();
  void hang_up();

 private:
  explicit RawPeer(int fd) : fd_(fd) {}
  int fd_;
};

class HostlinkScene {
 public:
  // `configuration` is added to what every scene has; `flags` to `hostlink serve`.
  explicit HostlinkScene(const std::string& configuration = "", std::vector<std::string> flags = {});
  ~HostlinkScene();  // a daemon that has ended by itself is a failure, with its last words
  HostlinkScene(HostlinkScene&&) = default;

  static HostlinkScene open_to_all(const std::string& configuration = "") {
    return HostlinkScene(configuration, {"--security", "full"});
  }

  std::string socket() const { return directory->path() + "/hostlink.sock"; }
  std::string path(const std::string& name) const { return directory->path() + "/" + name; }
  Environment environment() const;
  // `hostclaw <arguments>` to its end, on this daemon's state.
  Finished hostclaw(const std::vector<std::string>& arguments) const;
  // The client, under the name `hostlink`.
  Finished client(const std::vector<std::string>& arguments) const;

  // One request of protocol 1 with the configuration's token, and its one reply.
  Json ask(Json request) const;
  Json exec(const std::string& command, Json more = Json::object()) const;
  // From any thread; nothing when the daemon was not there, or went before it had answered.
  std::optional<Json> try_ask(Json request) const;

  void start();
  int stop(int signal);  // and wait; its status

  std::unique_ptr<TemporaryDirectory> directory;
  std::unique_ptr<HostProcess> daemon;

 private:
  std::vector<std::string> flags_;
  bool ended_on_purpose_ = false;
};

// What a condition of another process becomes within a while.
template <class Condition>
bool becomes_true(Condition condition) {
  for (int looks = 0; looks < 1000; ++looks) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

bool lives(int pid);  // and has not ended
std::uint64_t resident_kilobytes(int pid);
int free_port();  // of TCP, on the loopback
std::string content_of(const std::string& path);
// The token that `hostclaw hostlink token add <words>` prints.
std::string add_token(const HostlinkScene& scene, std::vector<std::string> words);

inline constexpr const char* kSceneToken = "a token of the configuration";

}  // namespace hostclaw::integration
