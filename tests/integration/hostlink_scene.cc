// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/hostlink_scene.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "hostlink/proto/frame.h"

namespace hostclaw::integration {

using namespace std::chrono_literals;

std::optional<RawPeer> RawPeer::try_connect(const std::string& socket) {
  RawPeer peer(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (::connect(peer.fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return std::nullopt;
  return peer;
}

RawPeer::RawPeer(const std::string& socket) : fd_(-1) {
  auto peer = try_connect(socket);
  if (!peer) FAIL("the daemon is not there: " << socket << ": " << std::strerror(errno));
  fd_ = std::exchange(peer->fd_, -1);
}

RawPeer RawPeer::by_tcp(int port) {
  RawPeer peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(peer.fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    FAIL("the daemon is not there: port " << port << ": " << std::strerror(errno));
  return peer;
}

RawPeer::~RawPeer() { hang_up(); }

void RawPeer::hang_up() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void RawPeer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void RawPeer::send_frame(std::string_view payload) { send(hostlink::encode_frame(payload)); }

std::optional<std::string> RawPeer::frame() {
  hostlink::FrameDecoder decoder;
  // One at a time, so that nothing of the next frame is lost with this decoder.
  for (std::size_t header = 0;;) {
    pollfd waited{fd_, POLLIN, 0};
    if (::poll(&waited, 1, 60'000) <= 0) return std::nullopt;
    std::string bytes(header < hostlink::kFrameHeaderBytes
                          ? 1
                          : std::min<std::size_t>(65'536, decoder.claimed() - decoder.payload().size()),
                      '\0');
    const ssize_t count = ::recv(fd_, bytes.data(), bytes.size(), 0);
    if (count <= 0) return std::nullopt;
    header += static_cast<std::size_t>(count);
    const auto step = decoder.feed(std::string_view(bytes).substr(0, static_cast<std::size_t>(count)));
    if (step.event == hostlink::FrameEvent::kFrame) return decoder.take_payload();
    if (step.event != hostlink::FrameEvent::kNeedMore) return std::nullopt;
  }
}

Json RawPeer::reply() {
  const auto payload = frame();
  REQUIRE(payload.has_value());
  auto json = parse_json(*payload, {200'000'000, 64});
  REQUIRE(json.has_value());
  return std::move(*json);
}

std::optional<Json> RawPeer::try_reply() {
  const auto payload = frame();
  auto json = payload ? parse_json(*payload, {200'000'000, 64}) : Result<Json>(make_error("NO_REPLY", ""));
  return json ? std::optional<Json>(std::move(*json)) : std::nullopt;
}

bool RawPeer::has_ended() {
  char bytes[4096];
  for (;;) {
    const ssize_t count = ::recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count <= 0) return count == 0 || errno != EAGAIN;
  }
}

bool RawPeer::closed_without_a_word() {
  pollfd waited{fd_, POLLIN, 0};
  char byte = 0;
  return ::poll(&waited, 1, 20'000) > 0 && ::recv(fd_, &byte, 1, 0) <= 0;
}

HostlinkScene::HostlinkScene(const std::string& configuration, std::vector<std::string> flags)
    : directory(std::make_unique<TemporaryDirectory>()), flags_(std::move(flags)) {
  std::filesystem::create_directory(path("state"));
  std::filesystem::permissions(path("state"), std::filesystem::perms::owner_all);
  std::ofstream file(path("hostlink.conf"));
  file << "auth_token = " << kSceneToken << "\nunix_path = " << socket()
       << "\nunix_group =\noutput_tmpdir = " << path("output") << "\n"
       << configuration;
  file.close();
  std::filesystem::permissions(path("hostlink.conf"),
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::filesystem::create_symlink(hostclaw_program(), path("hostlink"));
  start();
}

HostlinkScene::~HostlinkScene() {
  if (!daemon) return;
  if (const auto ended = daemon->wait_exit(0ms)) {
    UNSCOPED_INFO("the daemon had ended with " << ended->status << ":\n" << ended->standard_error);
    CHECK(ended_on_purpose_);
  }
}

Environment HostlinkScene::environment() const {
  // What is used before it is set, or after it is freed, is not what it was by luck.
  return {{"MALLOC_PERTURB_", "165"},    {"HOSTCLAW_STATE_DIR", path("state")},
          {"HOME", directory->path()},   {"PATH", directory->path() + ":/usr/bin:/bin"},
          {"HOSTLINK_SOCKET", socket()}, {"HOSTLINK_TOKEN", kSceneToken}};
}

void HostlinkScene::start() {
  ended_on_purpose_ = false;
  std::vector<std::string> arguments{"hostlink", "serve", "--config", path("hostlink.conf")};
  arguments.insert(arguments.end(), flags_.begin(), flags_.end());
  daemon = std::make_unique<HostProcess>(hostclaw_program(), arguments, environment());
  if (!daemon->wait_line("listening on", 20s)) FAIL(daemon->standard_error());
}

int HostlinkScene::stop(int signal) {
  ended_on_purpose_ = true;
  daemon->signal(signal);
  const auto ended = daemon->wait_exit(30s);
  REQUIRE(ended.has_value());
  return ended->status;
}

Finished HostlinkScene::hostclaw(const std::vector<std::string>& arguments) const {
  HostProcess process(hostclaw_program(), arguments, environment());
  auto finished = process.wait_exit(60s);
  REQUIRE(finished.has_value());
  return *finished;
}

Finished HostlinkScene::client(const std::vector<std::string>& arguments) const {
  HostProcess process(path("hostlink"), arguments, environment());
  auto finished = process.wait_exit(60s);
  REQUIRE(finished.has_value());
  return *finished;
}

Json HostlinkScene::ask(Json request) const {
  RawPeer peer(socket());
  if (!request.contains("token")) request["token"] = kSceneToken;
  peer.send_frame(request.dump());
  return peer.reply();
}

std::optional<Json> HostlinkScene::try_ask(Json request) const {
  auto peer = RawPeer::try_connect(socket());
  if (!peer) return std::nullopt;
  if (!request.contains("token")) request["token"] = kSceneToken;
  peer->send_frame(request.dump());
  return peer->try_reply();
}

bool lives(int pid) {
  const std::string facts = content_of("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t state = facts.rfind(") ");  // behind a name that may hold anything
  // One that has ended and was not looked at by whoever adopted it does not live.
  return state != std::string::npos && facts[state + 2] != 'Z' && facts[state + 2] != 'X';
}

std::uint64_t resident_kilobytes(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("VmRSS:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
  return 0;
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string add_token(const HostlinkScene& scene, std::vector<std::string> words) {
  words.insert(words.begin(), {"hostlink", "token", "add"});
  const Finished made = scene.hostclaw(words);
  REQUIRE(made.status == 0);
  return made.standard_output.substr(0, made.standard_output.size() - 1);
}

Json HostlinkScene::exec(const std::string& command, Json more) const {
  more["type"] = "exec";
  more["id"] = "e";
  more["command"] = command;
  return ask(std::move(more));
}

}  // namespace hostclaw::integration
