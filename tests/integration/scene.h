// SPDX-License-Identifier: Apache-2.0
// One development gateway in this process and one real `hostclaw node run` beside it.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "tests/devgateway/dev_gateway.h"
#include "tests/devgateway/json_members.h"
#include "tests/integration/host_process.h"

namespace hostclaw::integration {

using devgateway::DevGateway;
using devgateway::GatewaySettings;
using devgateway::ListenSettings;
using devgateway::Reply;
using devgateway::string_at;

// Generous: many of these tests share few cores. Nothing waits this long when it works.
inline constexpr std::chrono::seconds kPatience(30);
inline constexpr const char* kSharedToken = "shared-token-of-the-tests";

// A gateway with the shared token of the tests that approves devices and surfaces at once.
GatewaySettings approving_settings(int protocol = 4);
// A gateway that waits for an operator at both stages, although everything happens on loopback.
GatewaySettings asking_settings(int protocol = 4);

// The member that a JSON pointer names, or null. Missing members are no mistake of the test.
Json pick(const Json& value, const std::string& pointer);
// code and message that the node gave, from the error a caller got; null when there is none.
Json node_error(const Reply& reply);
// The same from what Scene::run answers.
Json node_error(const Json& answer);

class Scene {
 public:
  explicit Scene(const GatewaySettings& settings = approving_settings(), const ListenSettings& listen = {});

  // `hostclaw <arguments>` with this scene's state directory, to its end.
  Finished hostclaw(const std::vector<std::string>& arguments, const Environment& extra = {});
  // Lists a program for every agent.
  void allow(const std::string& pattern);
  // The policy preset: yolo, cautious or deny-all.
  void preset(const std::string& name);

  // `hostclaw node run` against the gateway. `arguments` come after --host and --port.
  HostProcess& start_host(const std::vector<std::string>& arguments = {}, const Environment& extra = {},
                          bool with_token = true);
  // start_host() and the first `connected`.
  HostProcess& connect_host(const std::vector<std::string>& arguments = {});
  void stop_host();  // SIGTERM, waits

  // The next record of this kind from `from` on; fails the test when it does not come.
  Json await(const std::string& kind, const devgateway::Journal::Predicate& predicate = {},
             std::size_t from = 0);
  std::size_t mark() { return gateway->journal().mark(); }

  Reply invoke(const std::string& command, const Json& params, const Json& extra = Json::object());
  std::future<Reply> invoke_async(const std::string& command, const Json& params,
                                  const Json& extra = Json::object());
  // system.run with agent main; answers the payload or {"error": ...}.
  Json run(const std::vector<std::string>& argv, const Json& extra = Json::object());
  // The exec tool's way; answers its outcome.
  Json exec(const std::string& text, const Json& extra = Json::object());
  std::future<Reply> exec_async(const std::string& text, const Json& extra = Json::object());
  void fault(const Json& params);

  const std::string& state_directory() const { return state_directory_; }
  Environment environment() const;

  TemporaryDirectory directory;
  std::unique_ptr<DevGateway> gateway;
  std::unique_ptr<HostProcess> host;
  std::string node_id;  // known after connect_host()

 private:
  std::string state_directory_;
};

// A self-signed certificate for 127.0.0.1 in `directory`.
devgateway::TlsFiles make_certificate(const std::string& directory);

// Whether a process tree still holds a file: it opens `path` (made here) and this object sees the end.
class Fifo {
 public:
  explicit Fifo(const std::string& path);
  ~Fifo();
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;
  bool wait_opened(std::chrono::milliseconds timeout);  // a line was written
  bool wait_closed(std::chrono::milliseconds timeout);  // every writer is gone
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_;
};

// For Scene::await: a record whose member `name` has this value.
inline std::function<bool(const Json&)> with(const char* name, Json value) {
  return [name, value = std::move(value)](const Json& record) { return record.value(name, Json()) == value; };
}

inline std::string real(const std::string& path) { return std::filesystem::canonical(path).string(); }
std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& text, unsigned mode = 0644);

}  // namespace hostclaw::integration
