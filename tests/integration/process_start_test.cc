// SPDX-License-Identifier: Apache-2.0
// What a node inherits from whoever starts it is put into a known state.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

// A node that `command` starts: a shell's text in which "$@" is the node.
void start_through(Scene& scene, const std::string& command) {
  scene.preset("yolo");
  Environment all = scene.environment();
  all["OPENCLAW_GATEWAY_TOKEN"] = kSharedToken;
  scene.host = std::make_unique<HostProcess>(
      "/bin/sh",
      std::vector<std::string>{"-c", command, "sh", hostclaw_program(), "node", "run", "--host", "127.0.0.1",
                               "--port", std::to_string(scene.gateway->port())},
      all);
  scene.node_id = string_at(scene.await("connected"), "nodeId");
}

std::string line_of(const std::string& path, const std::string& begin) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(begin)) return line;
  return {};
}

std::string proc(const Scene& scene, const std::string& name) {
  return "/proc/" + std::to_string(scene.host->pid()) + "/" + name;
}

// What the node has open is shown to root alone.
bool may_look_into_node() {
  if (::geteuid() == 0) return true;
  WARN("skipped: this needs root");
  return false;
}

// SIGTERM ends it in its own way.
void check_stops_on_sigterm(Scene& scene) {
  scene.host->signal(SIGTERM);
  const auto ended = scene.host->wait_exit(kPatience);
  REQUIRE(ended.has_value());
  CHECK(ended->status == 143);
}

TEST_CASE("signals that were ignored or blocked when the node started change nothing") {
  Scene scene;
  start_through(scene, "exec env --ignore-signal=CHLD --block-signal=TERM \"$@\"");
  const Json answer = scene.run({"/bin/sh", "-c", "exit 7"});
  INFO(answer.dump());
  CHECK(pick(answer, "/exitCode") == 7);
  CHECK(pick(scene.run({"/bin/true"}), "/exitCode") == 0);
  check_stops_on_sigterm(scene);
}

TEST_CASE("nohup keeps its meaning") {
  Scene scene;
  start_through(scene, "trap '' HUP; exec \"$@\"");
  scene.host->signal(SIGHUP);
  CHECK(pick(scene.run({"/bin/true"}), "/exitCode") == 0);
  scene.stop_host();
}

TEST_CASE("closed standard descriptors are never those of the database") {
  if (!may_look_into_node()) return;
  Scene scene;
  start_through(scene, "exec \"$@\" <&- >&-");
  for (const char* fd : {"fd/0", "fd/1"})
    CHECK(std::filesystem::read_symlink(proc(scene, fd)).string() == "/dev/null");
  CHECK(pick(scene.run({"/bin/echo", "fine"}), "/stdout") == "fine\n");
}

TEST_CASE("what else was open reaches no command") {
  if (!may_look_into_node()) return;
  Scene scene;
  start_through(scene, "exec 9</etc/passwd; exec \"$@\"");
  // Held, because the lock of whoever started us may hang on it, and closed on exec.
  const std::string flags = line_of(proc(scene, "fdinfo/9"), "flags:");
  CHECK((std::stol(flags.substr(flags.find_last_of(" \t") + 1), nullptr, 8) & 02000000) != 0);
  CHECK(pick(scene.run({"/bin/sh", "-c", "ls /proc/self/fd | grep -c '^9$'"}), "/stdout") == "0\n");
}

TEST_CASE("a log that nobody reads any more does not end the node") {
  Scene scene;
  const std::string fifo = scene.directory.path() + "/log";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  // Its only reader leaves at the first line.
  start_through(scene, "head -n 1 '" + fifo + "' >/dev/null & exec \"$@\" 2>'" + fifo + "'");
  for (int i = 0; i < 3; ++i) CHECK(pick(scene.run({"/bin/echo", "fine"}), "/stdout") == "fine\n");
  check_stops_on_sigterm(scene);
}

TEST_CASE("a log pipe that is open and never read does not freeze the node") {
  Scene scene;
  const std::string fifo = scene.directory.path() + "/log";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  start_through(scene, "exec 3<>'" + fifo + "'; exec \"$@\" 2>'" + fifo + "'");
  REQUIRE(scene.hostclaw({"exec-policy", "preset", "deny-all"}).status == 0);
  // Each refusal is a line; together they are more than a pipe holds.
  const std::string word(4'000, 'x');
  for (int i = 0; i < 40; ++i) CHECK_FALSE(node_error(scene.run({"/bin/echo", word})).is_null());
  check_stops_on_sigterm(scene);
}

TEST_CASE("the limit of open files is raised for the node and stays as it was for commands") {
  Scene scene;
  start_through(scene, "ulimit -Sn 64; exec \"$@\"");
  std::istringstream limits(line_of(proc(scene, "limits"), "Max open files").substr(14));
  long soft = 0;
  limits >> soft;
  CHECK(soft >= 1'000);
  CHECK(pick(scene.run({"/bin/sh", "-c", "ulimit -Sn"}), "/stdout") == "64\n");
}

TEST_CASE("running out of descriptors is told as what it is") {
  Scene scene;
  start_through(scene, "ulimit -n 40; exec \"$@\"");
  CHECK(scene.host->standard_error().find("files open") != std::string::npos);
  Fifo held(scene.directory.path() + "/held");
  std::vector<std::future<Reply>> running;
  std::string told;
  for (int i = 0; i < 12 && told.empty(); ++i) {
    running.push_back(scene.invoke_async(
        "system.run",
        {{"command", Json::array({"/bin/sh", "-c", "echo x >'" + held.path() + "'; sleep 30"})}}));
    const Json answer = scene.run({"/bin/echo", "fine"});
    if (pick(answer, "/stdout") != "fine\n") told = answer.dump();
    // Or one of the others was refused, and what it had held was free again for this one. They sleep.
    for (std::future<Reply>& other : running) {
      if (!told.empty() || !other.valid() ||
          other.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
        continue;
      const Reply reply = other.get();
      told = (reply.ok ? reply.payload : Json(reply.error)).dump();
    }
  }
  INFO(told);
  CHECK(told.find("run out of file descriptors") != std::string::npos);
  CHECK(told.find("EMFILE") != std::string::npos);
  CHECK(told.find("working directory") == std::string::npos);
  CHECK(told.find("SYSTEM_RUN_DENIED") == std::string::npos);
}

}  // namespace
}  // namespace hostclaw::integration
