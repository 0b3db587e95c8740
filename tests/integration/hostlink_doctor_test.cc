// SPDX-License-Identifier: Apache-2.0
// What `hostclaw doctor` says of HostLink's door, each fault made for real; and a socket that the service
// manager has opened.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <utility>

#include "approvals/store/store.h"
#include "base/json.h"
#include "node-host/system/files/file_handles.h"
#include "tests/integration/host_process.h"

namespace hostclaw::integration {
namespace {

constexpr std::chrono::seconds kLongEnough(30);

// A state of its own, a configuration, and the daemon beside them.
class Household {
 public:
  explicit Household(const std::string& more = {}) {
    const std::string run = directory.path() + "/run";
    std::filesystem::create_directory(run);
    socket = run + "/hostlink.sock";
    configure(more);
  }

  void configure(const std::string& more) {
    std::ofstream(config_path()) << "node_name = devbox\nunix_path = " << socket << "\nunix_group =\n"
                                 << "output_tmpdir = " << directory.path() << "/run/output\n"
                                 << more;
    std::filesystem::permissions(config_path(),
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  std::string config_path() const { return directory.path() + "/hostlink.conf"; }

  Environment environment() const {
    return {{"PATH", "/usr/bin:/bin"},
            {"HOME", directory.path()},
            {"HOSTCLAW_STATE_DIR", directory.path() + "/state"}};
  }
  Finished hostclaw(const std::vector<std::string>& arguments) const {
    HostProcess process(hostclaw_program(), arguments, environment());
    const auto finished = process.wait_exit(kLongEnough);
    REQUIRE(finished.has_value());
    return *finished;
  }
  void done(const std::vector<std::string>& arguments) const {
    const Finished finished = hostclaw(arguments);
    INFO(finished.standard_error);
    REQUIRE(finished.status == 0);
  }
  void enable() const { done({"hostlink", "enable", "--config", config_path()}); }

  // Its time was up a moment after 1970.
  void expire(const std::string& name) const {
    auto store = approvals::Store::open(directory.path() + "/state", approvals::OpenMode::kReadWrite);
    REQUIRE(store.has_value());
    const auto stored = (*store)->setting("hostlink.tokens");
    REQUIRE(stored.has_value());
    REQUIRE(stored->has_value());
    Json tokens = **stored;
    const auto found =
        std::find_if(tokens.begin(), tokens.end(), [&name](const Json& one) { return one["name"] == name; });
    REQUIRE(found != tokens.end());
    (*found)["expiresAtMs"] = 1;
    REQUIRE((*store)->put_setting("hostlink.tokens", tokens).has_value());
  }

  void serve(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"hostlink", "serve", "--config", config_path()};
    words.insert(words.end(), more.begin(), more.end());
    daemon = std::make_unique<HostProcess>(hostclaw_program(), words, environment());
    REQUIRE(daemon->wait_line("hostlink: listening on", kLongEnough).has_value());
  }

  // Every code that these checks answer, and the exit status.
  struct Seen {
    Json checks;
    int status = 0;
    const Json* of(const std::string& code) const {
      for (const Json& check : checks)
        if (check["code"] == code) return &check;
      return nullptr;
    }
  };
  Seen examine(const std::string& only = "hostlink,hostlink-socket,hostlink-tokens") const {
    const Finished finished = hostclaw({"doctor", "--json", "--only", only});
    INFO(finished.standard_output << finished.standard_error);
    const Json body = Json::parse(finished.standard_output);
    return {body["checks"], finished.status};
  }

  TemporaryDirectory directory;
  std::string socket;
  std::unique_ptr<HostProcess> daemon;
};

void expect_code(const Household::Seen& seen, const std::string& code, const std::string& verdict,
                 const std::string& next) {
  INFO(seen.checks.dump(2));
  const Json* check = seen.of(code);
  REQUIRE(check != nullptr);
  CHECK((*check)["verdict"] == verdict);
  CHECK(check->value("next", "").find(next) != std::string::npos);
  if (verdict == "failure") CHECK(seen.status == 1);
}

// A Unix socket that listens; nobody accepts on it.
node_host::UniqueFd listening_socket(const std::string& path, int type = SOCK_STREAM) {
  node_host::UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  if (type == SOCK_STREAM) REQUIRE(::listen(fd.get(), 8) == 0);
  return fd;
}

// A process as the service manager starts it: `passed` is its descriptor 3, and its standard error is read
// here.
class Activated {
 public:
  Activated(const std::string& exports, const Household& house, int passed) {
    std::vector<std::string> words{"/bin/sh",
                                   "-c",
                                   "export " + exports + "; exec \"$0\" \"$@\"",
                                   hostclaw_program(),
                                   "hostlink",
                                   "serve",
                                   "--config",
                                   house.config_path()};
    std::vector<std::string> pairs;
    for (const auto& [name, value] : house.environment()) pairs.push_back(name + "=" + value);
    const auto pointers = [](std::vector<std::string>& texts) {
      std::vector<char*> out;
      for (std::string& text : texts) out.push_back(text.data());
      out.push_back(nullptr);
      return out;
    };
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    said_.reset(ends[0]);
    const node_host::UniqueFd writing(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, writing.get(), 2);
    posix_spawn_file_actions_adddup2(&actions, passed, 3);
    posix_spawn_file_actions_addclosefrom_np(&actions, 4);
    const int failed =
        ::posix_spawn(&pid_, "/bin/sh", &actions, nullptr, pointers(words).data(), pointers(pairs).data());
    posix_spawn_file_actions_destroy(&actions);
    REQUIRE(failed == 0);
  }
  ~Activated() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  Activated(const Activated&) = delete;
  Activated& operator=(const Activated&) = delete;

  // Whether its standard error comes to hold that.
  bool says(const std::string& text) {
    while (all_.find(text) == std::string::npos && read_more()) {
    }
    return all_.find(text) != std::string::npos;
  }
  // Its exit status, after SIGTERM when that is asked for.
  int end(bool by_signal) {
    if (by_signal) ::kill(pid_, SIGTERM);
    while (read_more()) {
    }
    int status = 0;
    REQUIRE(::waitpid(std::exchange(pid_, 0), &status, 0) > 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  const std::string& all() const { return all_; }

 private:
  bool read_more() {
    pollfd wait{said_.get(), POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(std::chrono::milliseconds(kLongEnough).count())) != 1) return false;
    char block[4096];
    const ssize_t size = ::read(said_.get(), block, sizeof block);
    if (size > 0) all_.append(block, static_cast<std::size_t>(size));
    return size > 0;
  }

  pid_t pid_ = 0;
  node_host::UniqueFd said_;
  std::string all_;
};

}  // namespace

TEST_CASE("doctor says nothing more than off of a door that nobody has switched on") {
  Household house;
  house.done({"exec-policy", "preset", "cautious"});
  Household::Seen seen = house.examine();
  CHECK(seen.status == 0);
  CHECK(seen.checks.size() == 3);
  for (const Json& check : seen.checks) CHECK(check["code"] == "HOSTLINK_OFF");
  const Finished whole = house.hostclaw({"doctor", "--json", "--offline"});
  const Json checks = Json::parse(whole.standard_output)["checks"];
  CHECK(std::count_if(checks.begin(), checks.end(),
                      [](const Json& check) { return check["code"] == "HOSTLINK_OFF"; }) == 1);
}

TEST_CASE("doctor finds nothing wrong with a door that is served, and needs no token for that") {
  Household house;
  house.enable();
  house.done({"hostlink", "token", "add", "gateway"});
  house.serve();
  const Household::Seen seen = house.examine();
  CHECK(seen.status == 0);
  expect_code(seen, "HOSTLINK_SERVED", "ok", "");
  expect_code(seen, "HOSTLINK_SOCKET_OK", "ok", "");
  expect_code(seen, "HOSTLINK_TOKENS_OK", "ok", "");
  CHECK(seen.checks.size() == 3);
  CHECK(std::string((*seen.of("HOSTLINK_SERVED"))["message"]).find("devbox") != std::string::npos);
}

TEST_CASE("doctor tells a door that nobody serves, and that there is no token") {
  Household house;
  house.enable();
  Household::Seen seen = house.examine();
  expect_code(seen, "HOSTLINK_NOT_SERVED", "failure", "hostclaw node start");
  expect_code(seen, "HOSTLINK_TOKEN_NONE", "failure", "hostclaw hostlink token add NAME");
  CHECK(seen.of("HOSTLINK_SOCKET_MISSING") != nullptr);
  // A socket file that a killed daemon left.
  { const auto left = listening_socket(house.socket); }
  seen = house.examine();
  expect_code(seen, "HOSTLINK_NOT_SERVED", "failure", "hostclaw node start");
}

TEST_CASE("doctor waits for no daemon that accepts and says nothing") {
  Household house;
  house.enable();
  const auto silent = listening_socket(house.socket);
  const auto begun = std::chrono::steady_clock::now();
  expect_code(house.examine("hostlink"), "HOSTLINK_UNVERIFIED", "skipped", "hostlink ping");
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(20));
}

TEST_CASE("doctor tells a daemon of protocol 1 in the place of this one") {
  Household house;
  house.enable();
  const auto listening = listening_socket(house.socket);
  std::thread other([&listening] {
    const node_host::UniqueFd peer(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char asked[1024];
    (void)!::read(peer.get(), asked, sizeof asked);
    const std::string payload =
        R"({"version":1,"id":"","node":"old","status":"bad_request","error_msg":"unknown message type"})";
    const std::string frame = std::string("HLNK\0\0\0", 7) + static_cast<char>(payload.size()) + payload;
    (void)!::write(peer.get(), frame.data(), frame.size());
  });
  const Household::Seen seen = house.examine("hostlink");
  other.join();
  expect_code(seen, "HOSTLINK_OLDER", "warning", "hostclaw hostlink serve");
}

TEST_CASE("doctor tells a configuration that cannot be read, with the line") {
  Household house;
  house.enable();
  house.configure("max_concurrent = many\n");
  const Household::Seen seen = house.examine();
  expect_code(seen, "HOSTLINK_CONFIG_INVALID", "failure", "");
  CHECK(std::string((*seen.of("HOSTLINK_CONFIG_INVALID"))["message"]).find("line 5") != std::string::npos);
}

TEST_CASE("doctor tells a socket that every account may connect to, and one of the wrong group") {
  Household house("unix_mode = 0666\nunix_group = no-such-group-here\n");
  house.enable();
  house.done({"hostlink", "token", "add", "gateway"});
  house.serve();
  const Household::Seen seen = house.examine("hostlink-socket");
  expect_code(seen, "HOSTLINK_SOCKET_OPEN", "warning", "unix_mode = 0660");
  expect_code(seen, "HOSTLINK_SOCKET_GROUP", "warning", "groupadd no-such-group-here");
  CHECK(seen.of("HOSTLINK_SOCKET_OK") == nullptr);
}

TEST_CASE("doctor tells that insecure is set, and that there is no Unix socket") {
  Household house("unix_enabled = 0\ntcp_enabled = 1\ntcp_bind = 0.0.0.0\ninsecure = true\n");
  house.enable();
  const Household::Seen seen = house.examine("hostlink-socket");
  expect_code(seen, "HOSTLINK_INSECURE", "warning", "insecure = false");
  CHECK(seen.of("HOSTLINK_TCP_ONLY") != nullptr);
}

TEST_CASE("doctor tells tokens that are open to everything or have expired, and no other one") {
  Household house;
  house.enable();
  house.done({"hostlink", "token", "add", "narrow", "--allow", "exec,files-read", "--root", "/usr"});
  CHECK(house.examine("hostlink-tokens").of("HOSTLINK_TOKENS_OK") != nullptr);
  house.done({"hostlink", "token", "add", "wide", "--security", "full"});
  Household::Seen seen = house.examine("hostlink-tokens");
  expect_code(seen, "HOSTLINK_TOKEN_FULL", "warning",
              "hostclaw hostlink token set wide --security allowlist");
  CHECK(seen.checks.size() == 1);
  house.done({"hostlink", "token", "set", "wide", "--security", "allowlist"});
  CHECK(house.examine("hostlink-tokens").of("HOSTLINK_TOKENS_OK") != nullptr);
  house.expire("wide");
  expect_code(house.examine("hostlink-tokens"), "HOSTLINK_TOKEN_EXPIRED", "warning",
              "hostclaw hostlink token set wide --expires 30d");
  // Every file is as much as every command.
  house.done({"hostlink", "token", "set", "narrow", "--root", "/"});
  expect_code(house.examine("hostlink-tokens"), "HOSTLINK_TOKEN_FULL", "warning", "token set narrow");
}

TEST_CASE("a socket that the service manager has opened is served, and left where it is") {
  Household house;
  const Finished made = house.hostclaw({"hostlink", "token", "add", "gateway"});
  REQUIRE(made.status == 0);
  const std::string token = made.standard_output.substr(0, made.standard_output.find('\n'));
  const std::string path = house.directory.path() + "/run/activated.sock";
  auto listening = listening_socket(path);
  // LISTEN_PID names the process that the shell becomes.
  Activated daemon("LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=x", house, listening.get());
  REQUIRE(daemon.says("listening on " + path + ", which the service manager"));
  CHECK_FALSE(std::filesystem::exists(house.socket));
  const std::string client = house.directory.path() + "/hostlink";
  std::filesystem::create_symlink(hostclaw_program(), client);
  Environment asking = house.environment();
  asking["HOSTLINK_SOCKET"] = path;
  asking["HOSTLINK_TOKEN"] = token;
  const auto as_client = [&](const std::vector<std::string>& arguments) {
    HostProcess process(client, arguments, asking);
    const auto finished = process.wait_exit(kLongEnough);
    REQUIRE(finished.has_value());
    return *finished;
  };
  CHECK(as_client({"ping"}).standard_output.starts_with("[devbox] pong"));
  // A command sees nothing of it: neither the variables nor the descriptor.
  house.done({"hostlink", "token", "set", "gateway", "--security", "full"});
  const Finished inside = as_client({"exec", "env; ls -l /proc/self/fd"});
  CHECK(inside.status == 0);
  CHECK(inside.standard_output.find("PATH=") != std::string::npos);
  CHECK(inside.standard_output.find("LISTEN_") == std::string::npos);
  CHECK(inside.standard_output.find("socket:") == std::string::npos);
  CHECK(daemon.end(true) == 128 + SIGTERM);
  CHECK(std::filesystem::exists(path));
}

TEST_CASE(
    "what the service manager passed and cannot be served ends the start, and what is another's is left") {
  Household house;
  const std::string path = house.directory.path() + "/run/passed.sock";
  SECTION("a datagram socket") {
    const auto datagrams = listening_socket(path, SOCK_DGRAM);
    Activated daemon("LISTEN_FDS=1 LISTEN_PID=$$", house, datagrams.get());
    CHECK(daemon.end(false) != 0);
    CHECK(daemon.all().find("SOCKET_UNUSABLE") != std::string::npos);
  }
  SECTION("more than one") {
    const auto listening = listening_socket(path);
    Activated daemon("LISTEN_FDS=2 LISTEN_PID=$$", house, listening.get());
    CHECK(daemon.end(false) != 0);
    CHECK(daemon.all().find("2 sockets") != std::string::npos);
  }
  SECTION("for the process above") {
    const auto listening = listening_socket(path);
    Activated daemon("LISTEN_FDS=1 LISTEN_PID=1", house, listening.get());
    CHECK(daemon.says("listening on " + house.socket));
    CHECK(daemon.end(true) == 128 + SIGTERM);
  }
}

}  // namespace hostclaw::integration
