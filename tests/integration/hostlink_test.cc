// SPDX-License-Identifier: Apache-2.0
// HostLink's door from outside: each row of its contract, and each weakness of the original that is gone.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <mutex>
#include <thread>

#include "hostlink/proto/base64.h"
#include "tests/integration/hostlink_scene.h"

namespace hostclaw::integration {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// Stands between clients and the daemon, and keeps what clients say.
class Recorder {
 public:
  Recorder(std::string path, std::string daemon) : path_(std::move(path)), daemon_(std::move(daemon)) {
    listening_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = address_of(path_);
    REQUIRE(::bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listening_, 16) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Recorder() {
    ::shutdown(listening_, SHUT_RDWR);
    thread_.join();
    ::close(listening_);
  }
  const std::string& path() const { return path_; }
  std::string recorded() const {
    const std::lock_guard lock(mutex_);
    return recorded_;
  }
  // Cuts one connection when so many bytes more have gone by, in both directions together.
  void cut_after(std::int64_t bytes) { cut_at_ = passed_ + bytes; }
  std::int64_t passed() const { return passed_; }

 private:
  static sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }
  // One connection after the other: a client of this test has one at a time.
  void serve() {
    for (int client = 0; (client = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      const int daemon = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_un address = address_of(daemon_);
      if (::connect(daemon, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        pass_on(client, daemon);
      ::close(daemon);
      ::close(client);
    }
  }
  void pass_on(int client, int daemon) {
    std::string buffer(262'144, '\0');
    for (;;) {
      pollfd both[2] = {{client, POLLIN, 0}, {daemon, POLLIN, 0}};
      ::poll(both, 2, -1);
      for (int from = 0; from < 2; ++from) {
        if (both[from].revents == 0) continue;
        const ssize_t count = ::read(both[from].fd, buffer.data(), buffer.size());
        if (count <= 0) return;
        if (from == 0) {
          const std::lock_guard lock(mutex_);
          recorded_.append(buffer.data(), static_cast<std::size_t>(count));
        }
        for (ssize_t sent = 0; sent < count;) {
          const ssize_t now = ::send(both[1 - from].fd, buffer.data() + sent,
                                     static_cast<std::size_t>(count - sent), MSG_NOSIGNAL);
          if (now <= 0) return;
          sent += now;
        }
        passed_ += count;
        if (passed_ > cut_at_) {
          cut_at_ = std::numeric_limits<std::int64_t>::max();
          return;
        }
      }
    }
  }

  const std::string path_;
  const std::string daemon_;
  int listening_ = -1;
  std::thread thread_;
  std::atomic<std::int64_t> passed_ = 0;
  std::atomic<std::int64_t> cut_at_ = std::numeric_limits<std::int64_t>::max();
  mutable std::mutex mutex_;
  std::string recorded_;
};

Json put(const std::string& path, const std::string& content, Json more = Json::object()) {
  more["type"] = "put";
  more["id"] = "p";
  more["path"] = path;
  more["content"] = hostlink::to_base64(content);
  return more;
}

TEST_CASE("a ping is answered, and nobody who is not known is told what they sent", "[hostlink]") {
  const HostlinkScene scene("node_name = box\n");
  const Json pong = scene.ask({{"version", 1}, {"type", "ping"}, {"id", "1"}});
  CHECK(pong["status"] == "ok");
  CHECK(pong["id"] == "1");
  CHECK(pong["node"] == "box");
  CHECK(pong["version"] == 1);
  CHECK(pong["uptime_s"].is_number());
  CHECK(scene.ask({{"version", 99}, {"type", "ping"}})["id"] == "");

  for (const Json& request : {Json{{"type", "ping"}, {"id", "2"}, {"token", "wrong"}},
                              Json{{"type", "ping"}, {"id", "2"}, {"token", ""}},
                              Json{{"type", "no such type"}, {"id", "2"}, {"token", "wrong"}}}) {
    const Json refused = scene.ask(request);
    CHECK(refused["status"] == "auth_failed");
    CHECK(refused["error_msg"] == "authentication failed");
    CHECK(refused["id"] == "");
  }
  CHECK(scene.ask({{"type", "no such type"}, {"id", "3"}})["error_msg"] == "unknown message type");
  RawPeer peer(scene.socket());
  peer.send_frame("{");
  CHECK(peer.reply()["error_msg"] == "invalid JSON");
}

TEST_CASE("what is no frame ends the connection without a reply", "[hostlink]") {
  const HostlinkScene scene;
  const std::string bytes = GENERATE(std::string("GET / HTTP/1.1\r\n"),
                                     std::string("HLNK\x08\x00\x00\x01", 8), std::string("HLNK\0\0\0\0", 8));
  RawPeer peer(scene.socket());
  peer.send(bytes);
  CHECK(peer.closed_without_a_word());
  CHECK(scene.ask({{"type", "ping"}})["status"] == "ok");
}

TEST_CASE("by default a command goes by the policy of this host, and a refusal says what to do",
          "[hostlink]") {
  const HostlinkScene scene;
  REQUIRE(scene.hostclaw({"exec-policy", "set", "--ask", "off"}).status == 0);
  const Json refused = scene.exec("/usr/bin/id -u");
  CHECK(refused["status"] == "error");
  CHECK(refused["exit_code"] == -1);
  CHECK(refused["code"] == "ALLOWLIST_MISS");
  CHECK(refused["layer"] == "document");
  CHECK_FALSE(refused["next"].get<std::string>().empty());
  CHECK(refused["error_msg"].get<std::string>().find("--security full") != std::string::npos);
  // Said once.
  CHECK(scene.exec("/usr/bin/id -u")["error_msg"].get<std::string>().find("--security full") ==
        std::string::npos);

  REQUIRE(scene.hostclaw({"approvals", "allowlist", "add", "--agent", "hostlink-default", "/usr/bin/id"})
              .status == 0);
  const Json allowed = scene.exec("/usr/bin/id -u");
  CHECK(allowed["status"] == "ok");
  CHECK(allowed["stdout"] == std::to_string(::getuid()) + "\n");
  // No shell that would read more than was judged.
  CHECK(scene.exec("/usr/bin/id -u; /usr/bin/touch " + scene.path("made"))["status"] == "error");
  CHECK_FALSE(fs::exists(scene.path("made")));

  const Json runs = *parse_json(scene.hostclaw({"runs", "--json"}).standard_output);
  const Json& newest = runs["runs"][0];
  CHECK(newest["door"] == "hostlink");
  CHECK(newest["principal"] == "default");
  CHECK(runs["runs"].size() == 4);
}

TEST_CASE("whoever claims another's authority is refused by name, with its twin that claims none",
          "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  CHECK(scene.exec("echo fine")["stdout"] == "fine\n");
  for (const char* member : {"approved", "approvalDecision", "agentId", "sessionKey", "systemRunPlan"}) {
    const Json refused = scene.exec("echo never", {{member, "allow-once"}});
    CAPTURE(member);
    CHECK(refused["status"] == "error");
    CHECK(refused["code"] == "ORIGIN_MEMBER_REFUSED");
    CHECK(refused["error_msg"].get<std::string>().find(member) != std::string::npos);
  }
}

TEST_CASE("the end of a command is told as the contract has it", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all("max_timeout_ms = 900\n");
  CHECK(scene.exec("exit 3")["exit_code"] == 3);
  CHECK(scene.exec("kill -9 $$")["exit_code"] == 137);
  CHECK(scene.exec("no-such-program-anywhere")["exit_code"] == 127);
  const Json out = scene.exec("echo out; echo err >&2");
  CHECK(out["stdout"] == "out\n");
  CHECK(out["stderr"] == "err\n");
  CHECK(out["stdout_original_bytes"] == 4);
  CHECK(out["stdout_truncated"] == false);
  CHECK_FALSE(out.contains("timeout_requested_ms"));

  const Json late = scene.exec("echo part; sleep 30", {{"timeout_ms", 300}});
  CHECK(late["status"] == "timeout");
  CHECK(late["exit_code"] == -2);
  CHECK(late["stdout"] == "part\n");
  const Json clamped = scene.exec("true", {{"timeout_ms", 5000}});
  CHECK(clamped["timeout_requested_ms"] == 5000);
  CHECK(clamped["timeout_effective_ms"] == 900);
  for (const Json& nothing : {Json(0), Json(-1), Json("soon")})
    CHECK(scene.exec("true", {{"timeout_ms", nothing}})["status"] == "ok");

  const Json nowhere = scene.exec("true", {{"workdir", "/no/such/directory"}});
  CHECK(nowhere["status"] == "error");
  CHECK(nowhere["error_msg"] == "workdir not accessible: /no/such/directory");
  CHECK(scene.exec("pwd", {{"workdir", "/usr"}})["stdout"] == "/usr\n");
  CHECK(scene.exec("")["status"] == "bad_request");
  CHECK(scene.exec("echo $GREETING", {{"env", {{"GREETING", "hello"}, {"NUMBER", 1}}}})["stdout"] ==
        "hello\n");
  CHECK(scene.exec("true", {{"env", {{"LD_PRELOAD", "/tmp/x.so"}}}})["status"] != "ok");
}

TEST_CASE("output is what it was: bytes, limits that are not crossed, and files that are ours",
          "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  const Json bytes = scene.exec("printf 'a\\000b\\377'");
  CHECK(bytes["stdout"] ==
        "a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD");
  CHECK(hostlink::from_base64(bytes["stdout_base64"].get<std::string>()) == std::string("a\0b\xFF", 4));
  CHECK_FALSE(scene.exec("echo plain").contains("stdout_base64"));

  const Json exact = scene.exec("printf 12345", {{"max_stdout_bytes", 5}});
  CHECK(exact["stdout"] == "12345");
  CHECK(exact["stdout_truncated"] == false);
  const Json over = scene.exec("printf 123456; printf abc >&2", {{"max_stdout_bytes", 5}});
  CHECK(over["stdout"] == "12345");
  CHECK(over["stdout_truncated"] == true);
  CHECK(over["stdout_original_bytes"] == 6);
  CHECK(over["stderr"] == "abc");
  // Control bytes are six times as long in JSON.
  const Json many =
      scene.exec("head -c 24000000 /dev/zero | tr '\\000' '\\001'", {{"max_stdout_bytes", 60'000'000}});
  CHECK(many["status"] == "ok");

  const std::string evil = "x/../../../../../../../" + scene.path("pwned");
  Json request{{"type", "exec"}, {"id", evil}, {"command", "echo kept"}, {"output_to_file", true}};
  const Json filed = scene.ask(request);
  const std::string path = filed["stdout_file"].get<std::string>();
  CHECK(path.starts_with(scene.path("output") + "/hl_"));
  CHECK(path.find("..") == path.find(".._"));
  CHECK(fs::path(path).parent_path() == scene.path("output"));
  CHECK(content_of(path) == "kept\n");
  CHECK((fs::status(path).permissions() & fs::perms::mask) ==
        (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("a background child that holds the output does not hold the answer", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  const auto begun = std::chrono::steady_clock::now();
  const Json answer = scene.exec("sleep 20 & echo done", {{"timeout_ms", 15'000}});
  CHECK(answer["status"] == "ok");
  CHECK(answer["stdout"] == "done\n");
  CHECK(std::chrono::steady_clock::now() - begun < 10s);
}

TEST_CASE("a command ends when its caller has gone, and not when it only says no more", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  RawPeer peer(scene.socket());
  const std::string file = scene.path("pid");
  peer.send_frame(
      Json{{"type", "exec"},
           {"token", kSceneToken},
           {"command", "echo $$ > " + file + ".new && mv " + file + ".new " + file + "; sleep 60"}}
          .dump());
  REQUIRE(becomes_true([&] { return fs::exists(file); }));
  const int pid = std::stoi(content_of(file));
  CHECK(lives(pid));
  peer.hang_up();
  CHECK(becomes_true([&] { return !lives(pid); }));
  // The record has it.
  CHECK(becomes_true([&] {
    const Json runs = *parse_json(scene.hostclaw({"runs", "--json"}).standard_output);
    return runs["runs"][0]["state"] == "cancelled";
  }));
}

TEST_CASE("peers that say nothing or little keep nobody waiting", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  const std::uint64_t before = resident_kilobytes(scene.daemon->pid());
  std::vector<RawPeer> silent;
  for (int count = 0; count < 400; ++count) {
    silent.emplace_back(scene.socket());
    if (count % 3 == 1) silent.back().send("HL");
    // A claim of 128 MiB costs nothing until the bytes come.
    if (count % 3 == 2) silent.back().send(std::string_view("HLNK\x08\x00\x00\x00{\"type\"", 15));
  }
  const auto begun = std::chrono::steady_clock::now();
  CHECK(scene.ask({{"type", "ping"}})["status"] == "ok");
  CHECK(scene.exec("echo served")["stdout"] == "served\n");
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
  CHECK(resident_kilobytes(scene.daemon->pid()) < before + 24'576);
}

TEST_CASE("a long request of somebody unknown is not taken, of somebody known it is", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  const std::string megabyte(1'000'000, 'x');
  Json request = put(scene.path("long"), megabyte);
  request["token"] = "wrong";
  // The order of members is the original client's: the token before the content.
  const auto ordered = [](const Json& from) {
    return R"({"version":1,"type":"put","id":"p","token":)" + from["token"].dump() + R"(,"path":)" +
           from["path"].dump() + R"(,"content":)" + from["content"].dump() + "}";
  };
  RawPeer stranger(scene.socket());
  stranger.send_frame(ordered(request));
  CHECK(stranger.reply()["status"] == "auth_failed");
  CHECK_FALSE(fs::exists(scene.path("long")));
  request["token"] = kSceneToken;
  RawPeer friendly(scene.socket());
  friendly.send_frame(ordered(request));
  CHECK(friendly.reply()["bytes_written"] == 1'000'000);
}

TEST_CASE("one caller after the other is never told that the daemon is busy", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all("max_concurrent_io = 2\nmax_concurrent = 1\n");
  // HOSTCLAW_ROUNDS: more of them.
  const char* const asked = std::getenv("HOSTCLAW_ROUNDS");
  const int rounds = asked ? std::atoi(asked) : 1;
  for (int count = 0; count < 300 * rounds; ++count) {
    const Json answer = scene.ask(put(scene.path("file"), "content " + std::to_string(count % 300)));
    REQUIRE(answer["status"] == "ok");
  }
  CHECK(content_of(scene.path("file")) == "content 299");
  for (int count = 0; count < 30; ++count) REQUIRE(scene.exec("true")["status"] == "ok");
  // Two at once are one too many for this limit.
  RawPeer first(scene.socket());
  first.send_frame(Json{
      {"type", "exec"}, {"token", kSceneToken}, {"command", "touch " + scene.path("begun") + "; sleep 60"}}
                       .dump());
  REQUIRE(becomes_true([&] { return fs::exists(scene.path("begun")); }));
  CHECK(scene.exec("true")["error_msg"] == "server busy, max concurrent commands reached");
}

TEST_CASE("a file is replaced whole or stays as it was", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  const std::string file = scene.path("kept");
  write_file(file, "as it was");
  const auto begin = [&](std::size_t size) {
    RawPeer peer(scene.socket());
    peer.send_frame(
        Json{{"type", "put_stream"}, {"token", kSceneToken}, {"path", file}, {"size", size}}.dump());
    CHECK(peer.reply()["ready"] == true);
    return peer;
  };
  {
    RawPeer peer = begin(100);
    peer.send_frame("half of it");
    peer.hang_up();
  }
  {
    RawPeer peer = begin(5);
    peer.send_frame("wrong");
    peer.send_frame(Json{{"sha256", std::string(64, '0')}, {"stream_end", true}}.dump());
    const Json refused = peer.reply();
    CHECK(refused["status"] == "error");
  }
  {
    RawPeer peer = begin(3);
    peer.send_frame("more than that");
    CHECK_FALSE(peer.frame());
  }
  CHECK(content_of(file) == "as it was");
  // Nothing is left beside it.
  CHECK(becomes_true([&] {
    for (const auto& entry : fs::directory_iterator(scene.directory->path()))
      if (entry.path().filename().string().starts_with(".hostlink-")) return false;
    return true;
  }));
  {
    RawPeer peer = begin(3);
    peer.send_frame("new");
    peer.send_frame(Json{
        {"sha256", "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437"},
        {"stream_end",
         true}}.dump());
    CHECK(peer.reply()["size"] == 3);
  }
  CHECK(content_of(file) == "new");
  // The mode is honoured on a file that is there, and without one it keeps its own.
  CHECK(scene.ask(put(file, "x", {{"mode", 0600}}))["status"] == "ok");
  CHECK((fs::status(file).permissions() & fs::perms::mask) == fs::perms(0600));
  CHECK(scene.ask(put(file, "y"))["status"] == "ok");
  CHECK((fs::status(file).permissions() & fs::perms::mask) == fs::perms(0600));
  CHECK(scene.ask(put(scene.path("a/b/c"), "z"))["status"] == "error");
  CHECK(scene.ask(put(scene.path("a/b/c"), "z", {{"mkdir", true}}))["status"] == "ok");
  CHECK(content_of(scene.path("a/b/c")) == "z");
}

TEST_CASE("files of a token lie beneath its roots, links included", "[hostlink]") {
  const HostlinkScene scene;
  fs::create_directory(scene.path("root"));
  write_file(scene.path("secret"), "secret");
  write_file(scene.path("root/inside"), "inside");
  write_file(scene.path("root/key.pem"), "key");
  fs::create_symlink(scene.path("secret"), scene.path("root/out"));
  fs::create_symlink("..", scene.path("root/up"));
  fs::create_symlink("inside", scene.path("root/link"));
  // A root that is a link is where it leads.
  fs::create_symlink("root", scene.path("way-in"));
  const Finished made = scene.hostclaw({"hostlink", "token", "add", "reader", "--allow", "files-read",
                                        "--root", scene.path("way-in"), "--deny", "**.pem"});
  REQUIRE(made.status == 0);
  const std::string token = made.standard_output.substr(0, made.standard_output.size() - 1);
  const auto get = [&](const std::string& path) {
    return scene.ask({{"type", "get"}, {"id", "g"}, {"token", token}, {"path", path}});
  };
  CHECK(hostlink::from_base64(get(scene.path("root/inside"))["content"].get<std::string>()) == "inside");
  CHECK(hostlink::from_base64(get(scene.path("root/link"))["content"].get<std::string>()) == "inside");
  for (const char* path : {"secret", "root/out", "root/../secret", "root/up/secret"}) {
    CAPTURE(path);
    const Json refused = get(scene.path(path));
    CHECK(refused["status"] == "error");
    CHECK(refused["code"] == "FILE_OUTSIDE_ROOTS");
  }
  CHECK(get(scene.path("root/key.pem"))["code"] == "FILE_DENIED");
  CHECK(get("relative")["status"] == "error");
  Json writing = put(scene.path("root/inside"), "changed");
  writing["token"] = token;
  CHECK(scene.ask(writing)["code"] == "ORIGIN_NOT_GRANTED");
  CHECK(content_of(scene.path("root/inside")) == "inside");
  CHECK(scene.exec("true", {{"token", token}})["code"] == "ORIGIN_NOT_GRANTED");
  const Json runs = *parse_json(scene.hostclaw({"runs", "--json"}).standard_output);
  CHECK(runs["runs"].size() == 10);
  CHECK(scene.hostclaw({"audit", "verify"}).status == 0);
}

TEST_CASE("links, special files and folders are served as far as they mean something", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  const Json version = scene.ask({{"type", "get"}, {"path", "/proc/version"}});
  CHECK(version["size"].get<std::size_t>() > 10);
  CHECK(scene.ask({{"type", "get"}, {"path", "/dev/null"}})["status"] == "error");
  CHECK(scene.ask({{"type", "get"}, {"path", scene.path("nothing")}})["status"] == "error");
  fs::create_directories(scene.path("tree/below"));
  write_file(scene.path("tree/one"), "1");
  write_file(scene.path("tree/below/two"), "22");
  fs::create_symlink("one", scene.path("tree/link"));
  const Json stat = scene.ask({{"type", "get_stat"}, {"path", scene.path("tree")}});
  CHECK(stat["isdir"] == true);
  CHECK(stat["size"] == 3);
  CHECK(stat["files"].size() == 2);
  const Json space = scene.ask({{"type", "stat_fs"}, {"path", scene.path("not/there/yet")}});
  CHECK(space["resolved"] == scene.directory->path());
  CHECK(space["free_bytes"].get<std::uint64_t>() > 0);
}

TEST_CASE("a revoked token lets nobody in from the next request on, an expired one neither", "[hostlink]") {
  const HostlinkScene scene;
  const Finished made = scene.hostclaw({"hostlink", "token", "add", "web", "--json"});
  REQUIRE(made.status == 0);
  const Json shown = *parse_json(made.standard_output);
  const std::string token = shown["token"].get<std::string>();
  CHECK(token.starts_with("hlt_"));
  const Json ping{{"type", "ping"}, {"token", token}};
  CHECK(scene.ask(ping)["status"] == "ok");
  CHECK(scene.client({"-k", token, "ping"}).status == 0);
  const Finished list = scene.hostclaw({"hostlink", "token", "list"});
  CHECK(list.standard_output.find("web  agent hostlink-web  exec,jobs") != std::string::npos);
  CHECK(list.standard_output.find(token) == std::string::npos);
  // Nothing in the state directory lets anybody in.
  for (const auto& entry : fs::directory_iterator(scene.path("state"))) {
    const std::string content = content_of(entry.path());
    CHECK(content.find(token.substr(token.rfind('_'))) == std::string::npos);
    CHECK(content.find(kSceneToken) == std::string::npos);
  }
  REQUIRE(scene.hostclaw({"hostlink", "token", "revoke", "web"}).status == 0);
  CHECK(scene.ask(ping)["status"] == "auth_failed");
  CHECK(scene.client({"-k", token, "ping"}).status == 3);
  CHECK(scene.hostclaw({"hostlink", "token", "revoke", "web"}).status == 1);
  CHECK(scene.hostclaw({"hostlink", "token", "add", "No Name"}).status == 1);
  CHECK(scene.hostclaw({"hostlink", "token", "add", "x", "--expires", "soon"}).status == 1);
}

TEST_CASE("a caller that is part of a run keeps that run's policy as well", "[hostlink]") {
  const int port = free_port();
  const HostlinkScene scene =
      HostlinkScene::open_to_all("tcp_enabled = yes\ntcp_port = " + std::to_string(port) + "\n");
  const Finished made = scene.hostclaw({"hostlink", "token", "add", "strict"});
  REQUIRE(made.status == 0);
  const std::string strict = made.standard_output.substr(0, made.standard_output.size() - 1);
  REQUIRE(scene.hostclaw({"exec-policy", "set", "--ask", "off"}).status == 0);
  // Not this program, which is no program for runs, but any that speaks the protocol.
  const std::string peer = scene.path("peer");
  write_file(peer,
             "#!/usr/bin/perl\n"
             "use Socket;\n"
             "my ($way, $frame) = @ARGV;\n"
             "my $unix = $way =~ m{^/};\n"
             "socket(my $s, $unix ? PF_UNIX : PF_INET, SOCK_STREAM, 0) or die;\n"
             "connect($s, $unix ? sockaddr_un($way) : sockaddr_in($way, INADDR_LOOPBACK)) or die;\n"
             "open(my $f, '<', $frame) or die; my $bytes = do { local $/; <$f> };\n"
             "syswrite($s, $bytes); exit 0 if $ARGV[2];\n"
             "while (sysread($s, my $part, 4096)) { syswrite(STDOUT, $part) }\n");
  fs::permissions(peer, fs::perms::owner_all);
  write_file(
      scene.path("frame"),
      hostlink::encode_frame(
          Json{{"type", "exec"}, {"id", "inner"}, {"token", kSceneToken}, {"command", "id -u"}}.dump()));
  REQUIRE(scene
              .hostclaw({"approvals", "allowlist", "add", "--agent", "hostlink-strict",
                         fs::canonical(peer).string()})
              .status == 0);
  // From outside the configuration's token runs everything; from within a run of the strict one it does not.
  CHECK(scene.exec("id -u")["status"] == "ok");
  for (const std::string& way : {scene.socket(), std::to_string(port)}) {
    CAPTURE(way);
    const std::string command = peer + " " + way + " " + scene.path("frame");
    const std::string within = scene.exec(command, {{"token", strict}})["stdout"].get<std::string>();
    INFO(within);
    CHECK(within.find("\"id\":\"inner\"") != std::string::npos);
    CHECK(within.find("\"status\":\"error\"") != std::string::npos);
    CHECK(within.find("ALLOWLIST_MISS") != std::string::npos);
    const std::string without = scene.exec(command)["stdout"].get<std::string>();
    INFO(without);
    CHECK(without.find("\"exit_code\":0") != std::string::npos);
    // Who goes before anybody has looked is not from outside for that.
    const std::string escaped = scene.path("escaped");
    write_file(scene.path("frame-of-a-job"), hostlink::encode_frame(Json{
                                                 {"type", "exec"},
                                                 {"id", "j"},
                                                 {"token", kSceneToken},
                                                 {"command", "touch " + escaped},
                                                 {"detach", true}}.dump()));
    const std::string leaving = peer + " " + way + " " + scene.path("frame-of-a-job") + " leaves";
    const auto denied = [&] {
      const Json runs = *parse_json(scene.hostclaw({"runs", "--json"}).standard_output);
      return std::count_if(runs["runs"].begin(), runs["runs"].end(), [&](const Json& run) {
        return run.dump().find("touch " + escaped) != std::string::npos && run["verdict"] == "deny";
      });
    };
    const auto before = denied();
    scene.exec(leaving, {{"token", strict}});
    CHECK(becomes_true([&] { return denied() > before; }));
    CHECK_FALSE(fs::exists(escaped));
  }
}

TEST_CASE("jobs go on without their caller and can be looked at", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  const Json begun = scene.exec("echo one; echo two >&2; read line < " + scene.path("fifo") + "; exit 4",
                                {{"detach", true}});
  // Without the fifo the shell fails at once: make it first.
  CHECK(begun["detached"] == true);
  const std::string id = begun["job_id"].get<std::string>();
  CHECK(id.size() == 12);
  const auto job = [&](const std::string& action, Json more = Json::object()) {
    more["type"] = "job";
    more["action"] = action;
    if (!more.contains("job_id")) more["job_id"] = id;
    return scene.ask(more);
  };
  CHECK(becomes_true([&] { return job("status")["done"] == true; }));
  const Json tail = job("tail");
  CHECK(tail["data"] == "one\n");
  CHECK(tail["next_offset"] == 4);
  CHECK(job("tail", {{"offset", 4}})["data"] == "");
  CHECK(job("list")["jobs"][0]["job_id"] == id);
  CHECK(job("cancel")["signalled"] == false);
  CHECK(job("status", {{"job_id", "0123456789ab"}})["status"] == "not_found");
  CHECK(job("status", {{"job_id", "../../etc"}})["status"] == "bad_request");

  const Json late = scene.exec("sleep 60", {{"detach", true}, {"job_timeout_ms", 300}});
  const Json ended = scene.exec("sleep 60", {{"detach", true}});
  CHECK(job("cancel", {{"job_id", ended["job_id"]}})["signalled"] == true);
  CHECK(becomes_true([&] { return job("status", {{"job_id", ended["job_id"]}})["done"] == true; }));
  CHECK(becomes_true([&] { return job("status", {{"job_id", late["job_id"]}})["state"] == "timeout"; }));
  // Another token does not see them.
  const Finished other = scene.hostclaw({"hostlink", "token", "add", "other"});
  const std::string token = other.standard_output.substr(0, other.standard_output.size() - 1);
  CHECK(job("status", {{"token", token}})["status"] == "not_found");
  CHECK(job("list", {{"token", token}})["jobs"].empty());
  // They are runs of this host like all others.
  const Json runs = *parse_json(scene.hostclaw({"runs", "--json"}).standard_output);
  CHECK(runs["runs"].size() == 3);
}

TEST_CASE("a stop leaves no command and no socket behind, a reload takes another token", "[hostlink]") {
  HostlinkScene scene = HostlinkScene::open_to_all();
  std::string text = content_of(scene.path("hostlink.conf"));
  text.replace(text.find(kSceneToken), std::string_view(kSceneToken).size(), "another one");
  write_file(scene.path("hostlink.conf"), text);
  scene.daemon->signal(SIGHUP);
  REQUIRE(scene.daemon->wait_line("read again", 20s).has_value());
  CHECK(becomes_true([&] {
    return scene.ask({{"type", "ping"}, {"token", "another one"}})["status"] == "ok";
  }));
  CHECK(scene.ask({{"type", "ping"}})["status"] == "auth_failed");

  RawPeer peer(scene.socket());
  const std::string file = scene.path("pid");
  peer.send_frame(
      Json{{"type", "exec"},
           {"token", "another one"},
           {"command", "echo $$ > " + file + ".new && mv " + file + ".new " + file + "; sleep 60"}}
          .dump());
  REQUIRE(becomes_true([&] { return fs::exists(file); }));
  const int pid = std::stoi(content_of(file));
  scene.stop(SIGTERM);
  CHECK_FALSE(lives(pid));
  CHECK_FALSE(fs::exists(scene.socket()));
}

TEST_CASE("a second daemon does not take the socket of the first, and a dead one's is taken", "[hostlink]") {
  HostlinkScene scene;
  Environment environment = scene.environment();
  environment["HOSTCLAW_STATE_DIR"] = scene.path("other");
  HostProcess second(hostclaw_program(), {"hostlink", "serve", "--config", scene.path("hostlink.conf")},
                     environment);
  const auto ended = second.wait_exit(20s);
  REQUIRE(ended.has_value());
  CHECK(ended->status == 78);
  CHECK(second.standard_error().find("SOCKET_IN_USE") != std::string::npos);
  CHECK(scene.ask({{"type", "ping"}})["status"] == "ok");
  scene.stop(SIGKILL);
  CHECK(fs::exists(scene.socket()));
  scene.start();
  CHECK(scene.ask({{"type", "ping"}})["status"] == "ok");
}

TEST_CASE("protocol 2 carries input, live output, words byte for byte, and signals", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  const Finished words = scene.client({"run", "--", "printf", "%s|", "a b", "*", "$HOME", ""});
  CHECK(words.standard_output == "a b|*|$HOME||");
  CHECK(scene.client({"--exit-codes", "remote", "run", "--", "sh", "-c", "exit 42"}).status == 42);
  CHECK(scene.client({"--protocol", "2", "exec", "echo text"}).standard_output == "text\n");
  CHECK(scene.client({"--protocol", "1", "exec", "echo text"}).standard_output == "text\n");
  CHECK(scene.hostclaw({"hostlink", "exec", "echo text"}).standard_output == "text\n");
  // More than a pipe and all credit together hold.
  const Finished large = scene.client({"run", "--", "head", "-c", "5000000", "/dev/zero"});
  CHECK(large.standard_output.size() == 5'000'000);

  HostProcess live(
      scene.path("hostlink"),
      {"run", "--", "sh", "-c", "trap 'echo caught; exit 5' TERM; echo first; while :; do sleep 0.05; done"},
      scene.environment());
  REQUIRE(live.wait_output("first", 20s).has_value());
  live.signal(SIGTERM);
  REQUIRE(live.wait_output("caught", 20s).has_value());
  REQUIRE(live.wait_exit(20s).has_value());

  const Finished denied = scene.client({"-k", "wrong", "run", "--", "true"});
  CHECK(denied.status == 125);
  CHECK(scene.client({"-k", "wrong", "exec", "true"}).status == 3);
}

TEST_CASE("TCP is inside TLS, the client knows the host by its pin, and nothing goes in the clear by mistake",
          "[hostlink]") {
  const int port = free_port();
  const std::string at = "127.0.0.1:" + std::to_string(port);
  const HostlinkScene scene =
      HostlinkScene::open_to_all("tcp_enabled = yes\ntls = yes\ntcp_port = " + std::to_string(port) + "\n");
  const auto line = scene.daemon->wait_line("--pin", 20s);
  REQUIRE(line.has_value());
  const std::string pin = line->substr(line->rfind(' ') + 1);
  CHECK(scene.client({"-a", at, "--tls", "--pin", pin, "exec", "echo by TLS"}).standard_output == "by TLS\n");
  CHECK(scene.client({"-a", at, "--tls", "--pin", std::string(64, '0'), "ping"}).status == 2);
  CHECK(scene.client({"-a", at, "ping"}).status != 0);
  const Finished pinned = scene.hostclaw({"hostlink", "pin"});
  CHECK(pinned.standard_output == pin + "\n");
  CHECK((fs::status(scene.path("state/hostlink-key.pem")).permissions() & fs::perms::mask) ==
        (fs::perms::owner_read | fs::perms::owner_write));

  Environment environment = scene.environment();
  environment["HOSTCLAW_STATE_DIR"] = scene.path("other");
  write_file(scene.path("open.conf"),
             "auth_token = x\nunix_enabled = no\ntcp_enabled = yes\ntcp_bind = 0.0.0.0\noutput_tmpdir = " +
                 scene.path("other-output") + "\n");
  HostProcess open(hostclaw_program(), {"hostlink", "serve", "--config", scene.path("open.conf")},
                   environment);
  const auto ended = open.wait_exit(20s);
  REQUIRE(ended.has_value());
  CHECK(ended->status == 78);
  CHECK(open.standard_error().find("tls = true") != std::string::npos);
}

TEST_CASE("the token never crosses the wire, whatever the client asks for", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  Recorder recorder(scene.path("recorder.sock"), scene.socket());
  const auto client = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"-s", recorder.path()});
    const Finished finished = scene.client(words);
    INFO(finished.standard_error);
    CHECK(finished.status == 0);
    return finished.standard_output;
  };
  fs::create_directory(scene.path("folder"));
  const std::string large(3'000'000, 'x');
  for (const char* name : {"folder/a", "folder/b", "folder/large"})
    write_file(scene.path(name), name == std::string("folder/large") ? large : name);
  client({"ping"});
  client({"df", "/"});
  client({"put", scene.path("folder"), scene.path("copy")});
  CHECK(content_of(scene.path("copy/large")) == large);
  CHECK(content_of(scene.path("copy/b")) == "folder/b");
  client({"get", scene.path("copy"), scene.path("back")});
  CHECK(content_of(scene.path("back/large")) == large);
  CHECK(client({"get", scene.path("copy/a"), "-"}) == "folder/a");
  CHECK(client({"exec", "echo said"}) == "said\n");
  std::string job = client({"-D", "exec", "echo of a job"});
  job.pop_back();
  client({"job", "wait", job});
  CHECK(client({"job", "tail", job}) == "of a job\n");
  client({"job", "list"});
  CHECK(recorder.recorded().find(kSceneToken) == std::string::npos);
  // A refusal is one here as well.
  CHECK(scene.client({"-s", recorder.path(), "get", scene.path("nowhere"), "-"}).status == 4);
  // By protocol 1 it is in every request.
  client({"--protocol", "1", "ping"});
  CHECK(recorder.recorded().find(kSceneToken) != std::string::npos);
}

TEST_CASE("a transfer whose connection breaks goes on where it was", "[hostlink]") {
  HostlinkScene scene = HostlinkScene::open_to_all();
  Recorder recorder(scene.path("recorder.sock"), scene.socket());
  constexpr std::int64_t kSize = 12'000'000;
  std::string content(kSize, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 / 7);
  write_file(scene.path("local"), content);
  const auto transfer = [&](const std::vector<std::string>& words) {
    const std::int64_t before = recorder.passed();
    recorder.cut_after(8'000'000);
    const Finished finished = scene.client(words);
    CAPTURE(finished.standard_error);
    CHECK(finished.status == 0);
    CHECK(finished.standard_error.find("going on") != std::string::npos);
    // Not from the beginning again.
    CHECK(recorder.passed() - before < kSize + 4'000'000);
  };
  transfer({"-s", recorder.path(), "put", scene.path("local"), scene.path("there")});
  CHECK(content_of(scene.path("there")) == content);
  transfer({"-s", recorder.path(), "get", scene.path("there"), scene.path("back")});
  CHECK(content_of(scene.path("back")) == content);
  // Nobody else goes on with it, and nothing of it is left when the daemon ends.
  {
    RawPeer peer(scene.socket());
    peer.send_frame(Json{
        {"type", "put_stream"},
        {"token", kSceneToken},
        {"path", scene.path("left")},
        {"size", 100},
        {"resume",
         "mine"}}.dump());
    CHECK(peer.reply()["ready"] == true);
    peer.send_frame("half of it");
    peer.hang_up();
  }
  const auto left = [&] {
    return std::count_if(
        fs::directory_iterator(scene.directory->path()), fs::directory_iterator(),
        [](const auto& entry) { return entry.path().filename().string().starts_with(".hostlink-"); });
  };
  const Finished made = scene.hostclaw(
      {"hostlink", "token", "add", "other", "--allow", "files-write", "--root", scene.directory->path()});
  const std::string other = made.standard_output.substr(0, made.standard_output.size() - 1);
  {
    RawPeer peer(scene.socket());
    peer.send_frame(Json{
        {"type", "put_stream"},
        {"token", other},
        {"path", scene.path("left")},
        {"size", 100},
        {"resume",
         "mine"}}.dump());
    const Json ready = peer.reply();
    CHECK(ready["ready"] == true);
    CHECK_FALSE(ready.contains("offset"));
  }
  {
    RawPeer peer(scene.socket());
    peer.send_frame(Json{
        {"type", "put_stream"},
        {"token", kSceneToken},
        {"path", scene.path("left")},
        {"size", 100},
        {"resume",
         "mine"}}.dump());
    CHECK(peer.reply()["offset"] == 10);
  }
  CHECK(scene.stop(SIGTERM) == 143);
  CHECK(left() == 0);
}

TEST_CASE("what a caller may make long, wrong or early ends no daemon", "[hostlink]") {
  HostlinkScene scene = HostlinkScene::open_to_all();
  const std::string file = scene.path("plain");
  // No program that runs as somebody else, whatever mode is asked for or was there.
  CHECK(scene.ask(put(file, "x", {{"mode", 04755}}))["status"] == "ok");
  CHECK((fs::status(file).permissions() & fs::perms::mask) == fs::perms(0755));
  fs::permissions(file, fs::perms(04711));
  CHECK(scene.ask(put(file, "y"))["status"] == "ok");
  CHECK((fs::status(file).permissions() & fs::perms::mask) == fs::perms(0711));

  const Json longest = scene.ask({{"type", "get"}, {"path", std::string(60'000, '/')}});
  CHECK(longest["status"] == "bad_request");
  const std::string id(50'000, 'i');
  Json named{{"type", "exec"}, {"id", id}, {"command", "true"}};
  CHECK(scene.ask(named)["id"] == id);
  const Json runs = *parse_json(scene.hostclaw({"runs", "--json"}).standard_output);
  CHECK(runs["runs"][0].dump().size() < 4000);
  // The end of the input comes before the command has begun.
  const Finished empty = scene.client({"-T", "10000", "run", "--", "cat"});
  CHECK(empty.status == 0);

  // A stop while a command of protocol 2 ignores it.
  HostProcess stubborn(scene.path("hostlink"),
                       {"run", "--", "sh", "-c", "trap '' TERM; echo ready; sleep 60"}, scene.environment());
  REQUIRE(stubborn.wait_output("ready", 20s).has_value());
  CHECK(scene.stop(SIGTERM) == 143);
}

TEST_CASE("a token that is there is not opened by adding it again", "[hostlink]") {
  const HostlinkScene scene;
  REQUIRE(scene.hostclaw({"exec-policy", "set", "--ask", "off"}).status == 0);
  const Finished made = scene.hostclaw({"hostlink", "token", "add", "strict"});
  const std::string token = made.standard_output.substr(0, made.standard_output.size() - 1);
  CHECK(scene.hostclaw({"hostlink", "token", "add", "strict", "--security", "full"}).status == 1);
  CHECK(scene.exec("id -u; true", {{"token", token}})["status"] == "error");
}

}  // namespace
}  // namespace hostclaw::integration
