// SPDX-License-Identifier: Apache-2.0
// What HostLink's door has to bear: many who say nothing or little, strangers who guess, callers who go,
// commands that would stay. One row for each weakness of the original that hostlink_test.cc does not have.
#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "hostlink/proto/base64.h"
#include "hostlink/proto/replies.h"
#include "hostlink/proto/v2_hello.h"
#include "hostlink/proto/v2_scram.h"
#include "tests/integration/hostlink_scene.h"
#include "tests/support/hung_mount.h"

namespace hostclaw::integration {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;

void save(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// This process holds the other ends of many connections.
void allow_many_descriptors() {
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 8192);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

// The first words of a client of TLS 1.3; the rest never comes.
std::string client_hello() {
  SSL_CTX* const context = ::SSL_CTX_new(::TLS_client_method());
  SSL* const session = ::SSL_new(context);
  BIO* const in = ::BIO_new(::BIO_s_mem());
  BIO* const out = ::BIO_new(::BIO_s_mem());
  ::SSL_set_bio(session, in, out);
  ::SSL_connect(session);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  const std::string hello(data, static_cast<std::size_t>(size));
  ::SSL_free(session);
  ::SSL_CTX_free(context);
  return hello;
}

Json ping_of(const std::string& token) { return {{"type", "ping"}, {"id", "p"}, {"token", token}}; }

// A command that writes its process id once it runs, and then does `rest`.
std::string leaving_its_id(const std::string& file, const std::string& rest) {
  return "echo $$ > " + file + ".new && mv " + file + ".new " + file + "; " + rest;
}

int id_in(const std::string& file) {
  REQUIRE(becomes_true([&] { return fs::exists(file); }));
  return std::stoi(content_of(file));
}

RawPeer asking(const HostlinkScene& scene, Json request) {
  RawPeer peer(scene.socket());
  if (!request.contains("token")) request["token"] = kSceneToken;
  peer.send_frame(request.dump());
  return peer;
}

// The opening of protocol 2 with that token; its last answer.
Json open_protocol_2(RawPeer& peer, const std::string& token) {
  const std::string key = hostlink::v2::token_key_id(token);
  const std::string nonce = "a nonce of the tests";
  peer.send_frame(hostlink::v2::build_hello({"h", key, nonce}));
  const auto reply = hostlink::parse_reply(peer.reply().dump());
  REQUIRE(reply.has_value());
  const auto challenge = hostlink::v2::challenge_from(*reply);
  REQUIRE((challenge && *challenge));
  hostlink::v2::Exchange exchange;
  exchange.key_id = key;
  exchange.client_nonce = nonce;
  exchange.nonce = (*challenge)->nonce;
  exchange.salt = (*challenge)->salt;
  exchange.iterations = (*challenge)->iterations;
  const auto proof = hostlink::v2::client_proof(token, exchange);
  REQUIRE(proof.has_value());
  peer.send_frame(hostlink::v2::build_proof("p", std::string(proof->proof.begin(), proof->proof.end())));
  return peer.reply();
}

// Starts it again with so many descriptors; commands may need 1632 of them.
void start_with_descriptors(HostlinkScene& scene, int descriptors) {
  scene.stop(SIGTERM);
  const std::string limited = "ulimit -n " + std::to_string(descriptors) + "; exec \"$0\" \"$@\"";
  scene.daemon = std::make_unique<HostProcess>(
      "/bin/sh",
      std::vector<std::string>{"-c", limited, hostclaw_program(), "hostlink", "serve", "--config",
                               scene.path("hostlink.conf")},
      scene.environment());
  REQUIRE(scene.daemon->wait_line("listening on", 20s));
}

void is_busy(const Json& reply, std::string_view text) {
  INFO(reply.dump());
  CHECK(reply["status"] == "error");
  CHECK(reply["error_msg"] == std::string(text));
  CHECK(reply.value("code", "") == "HOSTLINK_BUSY");
  CHECK_FALSE(reply.value("next", "").empty());
}

struct Crowd {
  std::vector<RawPeer> silent;
  std::vector<RawPeer> dripping;  // a byte of a frame now and then
};

constexpr std::size_t kCrowd = 1000;

Crowd gather(const HostlinkScene& scene, int port) {
  // Half a frame, and a claim of 128 MiB.
  const std::string half = std::string("HLNK\x08\x00\x00\x00", 8) + R"({"type":")" + std::string(60'000, 'x');
  const std::string hello = client_hello();
  Crowd crowd;
  for (std::size_t i = 0; i < kCrowd; ++i) {
    if (i % 5 == 1) {
      crowd.dripping.emplace_back(scene.socket());
      crowd.dripping.back().send(std::string("HLNK\x00\x00\x40\x00", 8));
      continue;
    }
    if (i % 10 == 0) {  // a challenge that is never answered
      crowd.silent.emplace_back(scene.socket());
      crowd.silent.back().send_frame(hostlink::v2::build_hello({"h", "default", "a nonce of the tests"}));
      continue;
    }
    crowd.silent.push_back(i % 5 < 3 ? RawPeer(scene.socket()) : RawPeer::by_tcp(port));
    if (i % 5 == 2) crowd.silent.back().send(half);
    if (i % 5 == 4) crowd.silent.back().send(hello);
  }
  return crowd;
}

TEST_CASE("a thousand silent and slow peers cost little, keep nobody waiting, and are let go", "[hostlink]") {
  allow_many_descriptors();
  const int port = free_port();
  const HostlinkScene scene =
      HostlinkScene::open_to_all("tcp_enabled = yes\ntls = yes\ntcp_port = " + std::to_string(port) + "\n");
  CHECK(scene.exec("echo warm")["stdout"] == "warm\n");
  const std::uint64_t before = resident_kilobytes(scene.daemon->pid());
  const auto begun = Steady::now();
  std::optional<Crowd> crowd = gather(scene, port);
  std::uint64_t peak = 0;
  Steady::duration slowest{};
  std::size_t left = kCrowd;
  while (left > 0 && Steady::now() < begun + 60s) {
    const auto asked = Steady::now();
    CHECK(scene.exec("echo served")["stdout"] == "served\n");
    slowest = std::max(slowest, Steady::now() - asked);
    peak = std::max(peak, resident_kilobytes(scene.daemon->pid()));
    left = 0;
    for (RawPeer& peer : crowd->silent) left += peer.has_ended() ? 0 : 1;
    for (RawPeer& peer : crowd->dripping) {
      left += peer.has_ended() ? 0 : 1;
      peer.send(" ");
    }
    std::this_thread::sleep_for(100ms);
  }
  const auto lasted = Steady::now() - begun;
  INFO("memory grew by " << (peak - before) / 1024 << " MiB, the slowest command took " << slowest / 1ms
                         << " ms, the last peer was let go after " << lasted / 1ms << " ms");
  CHECK(left == 0);
  // Ten seconds for each of them from their first byte on, whatever comes after it.
  CHECK(lasted > 9s);
  CHECK(slowest < 10s);
  CHECK(peak < before + 65'536);
  // What they cost is not kept: as many again find the same room.
  crowd.reset();
  crowd = gather(scene, port);
  CHECK(scene.exec("echo served")["stdout"] == "served\n");
  CHECK(resident_kilobytes(scene.daemon->pid()) < peak + 8192);
}

TEST_CASE("strangers take no descriptor that a command needs", "[hostlink]") {
  allow_many_descriptors();
  HostlinkScene scene = HostlinkScene::open_to_all();
  start_with_descriptors(scene, 1832);
  CHECK(scene.daemon->standard_error().find("at most 200 connections") != std::string::npos);
  std::vector<RawPeer> strangers;
  for (int count = 0; count < 800; ++count) {
    strangers.emplace_back(scene.socket());
    if (count % 200 == 0) CHECK(scene.exec("echo served | cat")["stdout"] == "served\n");
  }
  const auto open_files = [&] {
    return std::distance(fs::directory_iterator("/proc/" + std::to_string(scene.daemon->pid()) + "/fd"),
                         fs::directory_iterator());
  };
  // As root, who alone may look.
  if (::geteuid() == 0) CHECK(open_files() < 300);
  CHECK(scene.exec("echo served | cat")["stdout"] == "served\n");
  // Of them, those that came first made room.
  CHECK(becomes_true([&] { return strangers.front().has_ended(); }));
  CHECK_FALSE(strangers.back().has_ended());
  CHECK(scene.daemon->standard_error().find("nobody could be let in") == std::string::npos);
}

TEST_CASE("connections that stay leave room for other tokens and for who comes", "[hostlink]") {
  HostlinkScene scene = HostlinkScene::open_to_all();
  const std::string first = add_token(scene, {"first"});
  const std::string second = add_token(scene, {"second"});
  start_with_descriptors(scene, 1732);
  std::vector<RawPeer> idle;
  const auto connect = [&](const std::string& token) {
    RawPeer peer(scene.socket());
    const Json reply = open_protocol_2(peer, token);
    idle.push_back(std::move(peer));
    return reply;
  };
  // Of a hundred, half are one token's, and a quarter is nobody's for long.
  for (int count = 0; count < 50; ++count) REQUIRE(connect(first)["status"] == "ok");
  is_busy(connect(first), hostlink::kBusyConnections);
  for (int count = 0; count < 25; ++count) REQUIRE(connect(second)["status"] == "ok");
  is_busy(connect(second), hostlink::kBusyConnections);
  const Finished told = scene.client({"-k", second, "exec", "true"});
  CHECK(told.status == 4);
  CHECK(told.standard_error.find(hostlink::kBusyConnections) != std::string::npos);
  CHECK(scene.exec("echo served")["stdout"] == "served\n");
  for (int count = 0; count < 200; ++count) idle.emplace_back(scene.socket());
  CHECK(scene.exec("echo served")["stdout"] == "served\n");
  CHECK_FALSE(idle.front().has_ended());
  // Who goes makes room.
  idle.clear();
  CHECK(becomes_true([&] { return connect(second)["status"] == "ok"; }));
}

TEST_CASE("callers with long requests that never come to their end leave room for other tokens",
          "[hostlink]") {
  HostlinkScene scene = HostlinkScene::open_to_all();
  const std::string first = add_token(scene, {"first"});
  const std::string second = add_token(scene, {"second"});
  start_with_descriptors(scene, 1732);
  std::vector<RawPeer> waiting;
  const auto begin = [&](const std::string& token) {
    RawPeer peer(scene.socket());
    std::string bytes("HLNK\x00\x01\x00\x40", 8);  // 65 600 bytes, of which some never come
    bytes += R"({"version":1,"type":"put","id":"p","token":)" + Json(token).dump() + R"(,"content":")";
    peer.send(bytes + std::string(65'544 - bytes.size(), 'x'));
    return peer;
  };
  for (int count = 0; count < 120; ++count) waiting.push_back(begin(first));
  const auto refused = [&] {
    return std::count_if(waiting.begin(), waiting.end(), [](RawPeer& peer) { return peer.has_ended(); });
  };
  // Of a hundred, half are one token's.
  CHECK(becomes_true([&] { return refused() == 70; }));
  RawPeer one_more = begin(first);
  is_busy(one_more.reply(), hostlink::kBusyConnections);
  CHECK_FALSE(begin(second).has_ended());
  CHECK(scene.ask(ping_of(second))["status"] == "ok");
  waiting.clear();
  CHECK(becomes_true([&] { return !begin(first).has_ended(); }));
}

TEST_CASE("somebody known is not nobody while the tokens of strangers are looked at", "[hostlink]") {
  const HostlinkScene scene;
  const std::string made = add_token(scene, {"web"});
  constexpr int kStrangers = 900;
  std::vector<RawPeer> strangers;
  for (int count = 0; count < kStrangers; ++count)
    strangers.push_back(asking(scene, ping_of("guess " + std::to_string(count))));
  // The configuration's token takes as long to prove as any guess: the answer to its first use is yes, or
  // later.
  const Json first = scene.ask(ping_of(kSceneToken));
  if (first["status"] != "ok") is_busy(first, hostlink::kBusyTokenChecks);
  // One that was made here is proven at once, and so is one of protocol 2.
  CHECK(scene.ask(ping_of(made))["status"] == "ok");
  std::string wrong = made;
  wrong.back() = wrong.back() == 'A' ? 'E' : 'A';
  CHECK(scene.ask(ping_of(wrong))["status"] == "auth_failed");
  CHECK(scene.client({"ping"}).status == 0);
  int busy = 0;
  int unknown = 0;
  for (RawPeer& stranger : strangers) {
    const Json reply = stranger.reply();
    CHECK(reply["id"] == "");
    if (reply["status"] == "auth_failed") {
      ++unknown;
    } else {
      ++busy;
      is_busy(reply, hostlink::kBusyTokenChecks);
    }
  }
  CHECK(busy > 0);
  CHECK(unknown > 0);
  CHECK(scene.ask(ping_of(kSceneToken))["status"] == "ok");
}

TEST_CASE("what has no room is told so with a code and what to do, whichever protocol it speaks",
          "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all("max_concurrent = 1\nmax_concurrent_io = 1\n");
  const std::string running = scene.path("running");
  const RawPeer command = asking(scene, {{"type", "exec"}, {"command", leaving_its_id(running, "sleep 60")}});
  id_in(running);
  RawPeer transfer = asking(scene, {{"type", "put_stream"}, {"path", scene.path("half")}, {"size", 100}});
  CHECK(transfer.reply()["ready"] == true);
  is_busy(scene.exec("true"), hostlink::kBusyCommands);
  is_busy(scene.ask({{"type", "get"}, {"path", "/proc/version"}}), hostlink::kBusyTransfers);
  CHECK(scene.exec("true")["next"].get<std::string>().find("max_concurrent") != std::string::npos);
  const Finished live = scene.client({"exec", "true"});
  CHECK(live.status == 4);
  CHECK(live.standard_error.find("HOSTLINK_BUSY") != std::string::npos);
  CHECK(live.standard_error.find("next: send the same request again") != std::string::npos);
  const Finished fetched = scene.client({"get", "/proc/version", "-"});
  CHECK(fetched.status == 4);
  CHECK(fetched.standard_error.find("max_concurrent_io") != std::string::npos);
  // Jobs are counted by themselves; one token may have half of them.
  int taken = 0;
  Json job;
  do {
    job = scene.exec("sleep 60", {{"detach", true}});
  } while (job["status"] == "ok" && ++taken < 64);
  CHECK(taken == 32);
  is_busy(job, hostlink::kBusyCommands);
  CHECK(scene.exec("sleep 60", {{"detach", true}})["next"].get<std::string>().find("job list") !=
        std::string::npos);
}

TEST_CASE("long requests of one token are bounded while they arrive, and leave room for another's",
          "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  const std::string other = add_token(scene, {"other"});
  const auto begin = [&](const std::string& token) {
    RawPeer peer(scene.socket());
    std::string bytes("HLNK\x08\x00\x00\x00", 8);
    bytes += R"({"version":1,"type":"put","id":"p","token":)" + Json(token).dump() + R"(,"content":")";
    peer.send(bytes + std::string(70'000, 'x'));
    return peer;
  };
  std::vector<RawPeer> callers;
  for (int count = 0; count < 12; ++count) callers.push_back(begin(kSceneToken));
  // Four of 128 MiB are all that one token may have on their way; the others are told so.
  const auto refused = [&] {
    return std::count_if(callers.begin(), callers.end(), [](RawPeer& peer) { return peer.has_ended(); });
  };
  CHECK(becomes_true([&] { return refused() == 8; }));
  RawPeer one_more = begin(kSceneToken);
  is_busy(one_more.reply(), hostlink::kBusyRequests);
  RawPeer another = begin(other);
  CHECK_FALSE(another.has_ended());
  CHECK(scene.ask(ping_of(kSceneToken))["status"] == "ok");
  // Who goes makes room.
  callers.clear();
  CHECK(becomes_true([&] {
    RawPeer again = begin(kSceneToken);
    std::this_thread::sleep_for(20ms);
    return !again.has_ended();
  }));
  CHECK_FALSE(another.has_ended());
}

TEST_CASE("a folder of many files goes over one connection at a limit of one", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all("max_concurrent_io = 1\n");
  fs::create_directory(scene.path("many"));
  for (int count = 0; count < 100; ++count)
    save(scene.path("many/" + std::to_string(count)), "content " + std::to_string(count));
  const Finished put = scene.client({"put", scene.path("many"), scene.path("there")});
  INFO(put.standard_error);
  CHECK(put.status == 0);
  const auto there = std::distance(fs::directory_iterator(scene.path("there")), fs::directory_iterator());
  CHECK(there == 100);
  CHECK(content_of(scene.path("there/99")) == "content 99");
}

TEST_CASE("bytes of every kind arrive as they were, live, in one reply, in a file and of a job",
          "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  all += all;
  save(scene.path("bytes"), all);
  const std::string command = "cat " + scene.path("bytes") + "; cat " + scene.path("bytes") + " >&2";
  CHECK(scene.client({"run", "--", "cat", scene.path("bytes")}).standard_output == all);
  const Finished live = scene.client({"exec", command});
  CHECK(live.standard_output == all);
  CHECK(live.standard_error.starts_with(all));
  CHECK(scene.client({"--protocol", "1", "exec", command}).standard_output == all);
  const Json reply = scene.exec(command);
  CHECK(hostlink::from_base64(reply["stdout_base64"].get<std::string>()) == all);
  CHECK(hostlink::from_base64(reply["stderr_base64"].get<std::string>()) == all);
  const Json filed = scene.exec(command, {{"output_to_file", true}});
  CHECK(content_of(filed["stdout_file"].get<std::string>()) == all);
  CHECK(content_of(filed["stderr_file"].get<std::string>()) == all);
  std::string job = scene.client({"-D", "exec", command}).standard_output;
  job.pop_back();
  CHECK(scene.client({"job", "wait", job}).status == 0);
  CHECK(scene.client({"job", "tail", job}).standard_output == all);
}

TEST_CASE("a caller that is killed takes its command along, one that asked to keep it does not",
          "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  // What has left its group and hears no one is part of the command as well.
  const std::string deaf = scene.path("deaf");
  const std::string gone = scene.path("gone");
  const std::string kept = scene.path("kept");
  HostProcess leaving(
      scene.path("hostlink"),
      {"exec", "setsid sh -c \"trap '' TERM HUP; " + leaving_its_id(deaf, "sleep 60; sleep 60") + "\" & " +
                   leaving_its_id(gone, "wait")},
      scene.environment());
  HostProcess keeping(scene.path("hostlink"), {"--keep", "exec", leaving_its_id(kept, "sleep 60")},
                      scene.environment());
  const int gone_id = id_in(gone);
  const int deaf_id = id_in(deaf);
  const int kept_id = id_in(kept);
  CHECK(lives(gone_id));
  leaving.signal(SIGKILL);
  keeping.signal(SIGKILL);
  CHECK(becomes_true([&] { return !lives(gone_id); }));
  CHECK(becomes_true([&] { return !lives(deaf_id); }));
  CHECK(lives(kept_id));
  // By protocol 2 as well, what holds the output in the background does not hold the answer.
  const auto begun = Steady::now();
  const Finished done = scene.client({"exec", "sleep 20 & echo done"});
  CHECK(done.standard_output == "done\n");
  CHECK(done.status == 0);
  CHECK(Steady::now() - begun < 10s);
}

TEST_CASE("a caller that goes while a person is asked has nothing run behind its back", "[hostlink]") {
  const HostlinkScene scene;
  const std::string made = scene.path("made");
  const std::string command = "/usr/bin/touch " + made;
  const auto pending = [&] {
    const auto questions = parse_json(scene.hostclaw({"approvals", "pending", "--json"}).standard_output);
    return questions ? (*questions)["questions"] : Json::array();
  };
  RawPeer peer = asking(scene, {{"type", "exec"}, {"command", command}});
  REQUIRE(becomes_true([&] { return !pending().empty(); }));
  CHECK(pending()[0]["callerWaits"] == true);
  const std::string id = pending()[0]["id"].get<std::string>();
  peer.hang_up();
  CHECK(becomes_true([&] { return pending()[0]["callerWaits"] == false; }));
  CHECK(scene.hostclaw({"approvals", "resolve", id, "allow-once"}).status == 0);
  CHECK(scene.ask({{"type", "ping"}})["status"] == "ok");
  CHECK_FALSE(fs::exists(made));
  // It is for whoever sends the same again, once.
  CHECK(scene.exec(command)["status"] == "ok");
  CHECK(fs::exists(made));
}

TEST_CASE("a stop leaves no process of a command or a kept one behind; jobs alone go on", "[hostlink]") {
  HostlinkScene scene = HostlinkScene::open_to_all();
  const auto deaf = [&](const std::string& name) {
    return "setsid sh -c \"trap '' TERM HUP INT; " + leaving_its_id(scene.path(name), "sleep 60; sleep 60") +
           "\" & wait";
  };
  const RawPeer caller = asking(scene, {{"type", "exec"}, {"command", deaf("of-a-command")}});
  const HostProcess keeping(scene.path("hostlink"), {"--keep", "exec", deaf("kept")}, scene.environment());
  const Json job = scene.exec(deaf("of-a-job"), {{"detach", true}});
  CHECK(job["detached"] == true);
  std::vector<int> ids;
  for (const char* name : {"of-a-command", "kept"}) ids.push_back(id_in(scene.path(name)));
  const int of_job = id_in(scene.path("of-a-job"));
  for (const int id : ids) CHECK(lives(id));
  const auto begun = Steady::now();
  CHECK(scene.stop(SIGTERM) == 143);
  CHECK(Steady::now() - begun < 15s);
  for (const int id : ids) CHECK_FALSE(lives(id));
  CHECK(lives(of_job));
  scene.start();
  CHECK(scene.ask({{"type", "job"}, {"action", "cancel"}, {"job_id", job["job_id"]}})["signalled"] == true);
  CHECK(becomes_true([&] { return !lives(of_job); }));
}

// A job of protocol 1, looked at again and again.
class JobSeen {
 public:
  JobSeen(const HostlinkScene& scene, std::string id) : scene_(scene), id_(std::move(id)) {}
  Json ask(const std::string& action) const {
    return scene_.ask({{"type", "job"}, {"action", action}, {"job_id", id_}});
  }
  bool is_over() const { return ask("status")["done"] == true; }

 private:
  const HostlinkScene& scene_;
  std::string id_;
};

// How many kept runs have ended and nobody has taken their end yet.
std::ptrdiff_t ends_kept(const HostlinkScene& scene) {
  return std::count_if(fs::directory_iterator(scene.path("state/node.kept")), fs::directory_iterator(),
                       [](const auto& run) { return fs::exists(run.path() / "end.json"); });
}

TEST_CASE("a job goes on when its daemon stops or is killed, and the next one tells its end", "[hostlink]") {
  HostlinkScene scene = HostlinkScene::open_to_all();
  const auto submit = [&](const std::string& command, Json more = Json::object()) {
    more["detach"] = true;
    return scene.exec(command, more)["job_id"].get<std::string>();
  };
  const std::string go = scene.path("go");
  const std::string waits = "echo begun; until test -e " + go + "; do sleep 0.05; done; ";
  const JobSeen stays(scene, submit(waits + "echo over; echo err >&2; exit 7"));
  const JobSeen late(scene, submit("sleep 60", {{"job_timeout_ms", 700}}));
  CHECK(becomes_true([&] { return stays.ask("tail")["data"] == "begun\n"; }));
  CHECK(scene.stop(GENERATE(SIGTERM, SIGKILL)) != 0);
  // This one is out of time while nobody is there.
  CHECK(becomes_true([&] { return ends_kept(scene) == 1; }));
  scene.start();
  CHECK(stays.ask("status")["state"] == "running");
  CHECK(becomes_true([&] { return late.ask("status")["state"] == "timeout"; }));
  const std::string shown = scene.hostclaw({"runs"}).standard_output;
  CHECK(shown.find("running") != std::string::npos);
  CHECK(shown.find("timed-out") != std::string::npos);
  // Once more, so that it ends while no daemon is there.
  CHECK(scene.stop(SIGTERM) == 143);
  save(go, "");
  CHECK(becomes_true([&] { return ends_kept(scene) == 1; }));
  scene.start();
  CHECK(becomes_true([&] { return stays.is_over(); }));
  const Json end = stays.ask("status");
  CHECK(end["state"] == "exited");
  CHECK(end["exit_code"] == 7);
  CHECK(end["stdout_bytes"] == 11);
  CHECK(stays.ask("tail")["data"] == "begun\nover\n");
  const Json runs = *parse_json(scene.hostclaw({"runs", "--json"}).standard_output);
  REQUIRE(runs["runs"].size() == 2);
  CHECK(runs["runs"][1]["exitCode"] == 7);
  CHECK(scene.hostclaw({"audit", "verify"}).status == 0);
  CHECK(fs::is_empty(scene.path("state/node.kept")));
}

TEST_CASE("a job whose keeper is killed ends with it, and says so", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  const std::string program = leaving_its_id(scene.path("program"), "sleep 60; sleep 60");
  const JobSeen job(scene, scene.exec(program, {{"detach", true}})["job_id"].get<std::string>());
  const int id = id_in(scene.path("program"));
  std::string keeper;
  REQUIRE(becomes_true([&] {
    for (const auto& run : fs::directory_iterator(scene.path("state/node.kept")))
      keeper = content_of((run.path() / "keeper").string());
    return !keeper.empty();
  }));
  ::kill(parse_json(keeper)->at("pid").get<int>(), SIGKILL);
  CHECK(becomes_true([&] { return job.is_over(); }));
  CHECK(job.ask("status")["exit_code"] == 128 + SIGKILL);
  CHECK(becomes_true([&] { return !lives(id); }));
}

TEST_CASE("what a job starts is part of its run, also after a restart, and cannot lift its policy",
          "[hostlink]") {
  HostlinkScene scene = HostlinkScene::open_to_all();
  // With and without the mark in its environment, in the session of its program and in one of its own.
  const std::string lift = hostclaw_program() + " exec-policy preset yolo 2>>" + scene.path("said");
  const std::string bare = "env -i HOSTCLAW_STATE_DIR=" + scene.path("state") + " " + lift;
  const std::string attempts = lift + "\n" + bare + "\n(setsid sh -c '" + bare + "; touch $0' " +
                               scene.path("tried") + ") &\nuntil test -e " + scene.path("tried") +
                               "; do sleep 0.05; done\n";
  // From a script: as words of the command it would not begin at all.
  save(scene.path("attack"), attempts + "touch " + scene.path("first") + "\nuntil test -e " +
                                 scene.path("go") + "; do sleep 0.05; done\nrm " + scene.path("tried") +
                                 "\n" + attempts + "touch " + scene.path("second") + "\n");
  const auto refusals = [&] {
    const std::string said = content_of(scene.path("said"));
    int count = 0;
    for (std::size_t at = said.find("SELF_POLICY"); at != std::string::npos;
         at = said.find("SELF_POLICY", at + 1))
      ++count;
    return count;
  };
  CHECK(scene.exec("sh " + scene.path("attack"), {{"detach", true}})["detached"] == true);
  REQUIRE(becomes_true([&] { return fs::exists(scene.path("first")); }));
  CHECK(refusals() == 3);
  CHECK(scene.stop(SIGTERM) == 143);
  scene.start();
  save(scene.path("go"), "");
  REQUIRE(becomes_true([&] { return fs::exists(scene.path("second")); }));
  CHECK(refusals() == 6);
}

TEST_CASE("a directory that does not answer refuses who names it, and keeps nobody else waiting",
          "[hostlink]") {
  HostlinkScene scene = HostlinkScene::open_to_all();
  test::HungMount hung(scene.path("hung"));
  if (!hung.mounted) {
    WARN("NOT TESTED: no file system that hangs could be mounted here: " << hung.why_not);
    return;
  }
  const auto begun = Steady::now();
  std::vector<RawPeer> naming;
  for (int i = 0; i < 3; ++i)
    naming.push_back(asking(scene, {{"type", "exec"}, {"command", "true"}, {"workdir", hung.place + "/at"}}));
  const Json here = scene.exec("echo here");
  INFO(here.dump());
  CHECK(here["stdout"] == "here\n");
  for (RawPeer& peer : naming) {
    const Json reply = peer.reply();
    INFO(reply.dump());
    CHECK(reply["status"] == "error");
    CHECK(reply["code"] == "FILES_NOT_ANSWERING");
  }
  CHECK(Steady::now() - begun < 15s);
  CHECK(scene.hostclaw({"runs", "--json"}).standard_output.find("FILES_NOT_ANSWERING") != std::string::npos);
  // A look that is still out holds no end up.
  const auto ending = Steady::now();
  CHECK(scene.stop(SIGTERM) == 143);
  CHECK(Steady::now() - ending < 10s);
  scene.start();
}

TEST_CASE("a run that would follow itself is told so, and ends", "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  save(scene.path("follow"), hostclaw_program() + " runs show --follow $(" + hostclaw_program() +
                                 " runs | awk 'NR == 2 { print $3 }') 2>&1\n");
  const Json said = scene.exec("sh " + scene.path("follow"), {{"timeout_ms", 30'000}});
  INFO(said.dump());
  CHECK(said["stdout"].get<std::string>().find("RUN_IS_THIS") != std::string::npos);
}

TEST_CASE("no person is a keeper", "[hostlink]") {
  const HostlinkScene scene;
  const Finished by_hand = scene.hostclaw({"keep-run"});
  CHECK(by_hand.status == 2);
  CHECK(by_hand.standard_error.find("KEPT_ORDER_UNREADABLE") != std::string::npos);
}

TEST_CASE("a daemon in the background gives commands its umask and neither its secrets nor its directory",
          "[hostlink]") {
  HostlinkScene scene = HostlinkScene::open_to_all();
  scene.stop(SIGTERM);
  fs::create_symlink(hostclaw_program(), scene.path("hostlinkd"));
  Environment environment = scene.environment();
  environment["OPENCLAW_GATEWAY_TOKEN"] = "a secret of the gateway";
  const mode_t before = ::umask(027);
  HostProcess daemon(scene.path("hostlinkd"),
                     {"-c", scene.path("hostlink.conf"), "-p", scene.path("hostlinkd.pid")}, environment);
  ::umask(before);
  REQUIRE(daemon.wait_line("listening on", 20s));
  const int pid = std::stoi(content_of(scene.path("hostlinkd.pid")));
  CHECK(pid != daemon.pid());
  const Json said = scene.exec("umask; pwd; touch " + scene.path("made"));
  CHECK(said["stdout"] == "0027\n/\n");
  CHECK((fs::status(scene.path("made")).permissions() & fs::perms::mask) == fs::perms(0640));
  const std::string shown = scene.exec("env")["stdout"].get<std::string>();
  INFO(shown);
  for (const char* secret : {kSceneToken, "a secret of the gateway", "HOSTLINK_TOKEN="})
    CHECK(shown.find(secret) == std::string::npos);
  CHECK(shown.find("PATH=") != std::string::npos);
  // Nor can they be read of the daemon itself.
  CHECK(scene.exec("tr '\\0' '\\n' < /proc/" + std::to_string(pid) + "/environ")["stdout"]
            .get<std::string>()
            .find("a secret of the gateway") == std::string::npos);
  ::kill(pid, SIGTERM);
  CHECK(becomes_true([&] { return !lives(pid); }));
  CHECK_FALSE(fs::exists(scene.path("hostlinkd.pid")));
}

TEST_CASE("writing follows no planted link out of the roots, and replaces none by surprise", "[hostlink]") {
  const HostlinkScene scene;
  fs::create_directories(scene.path("root/below"));
  save(scene.path("secret"), "secret");
  save(scene.path("root/plain"), "plain");
  fs::create_symlink(scene.path("secret"), scene.path("root/out"));
  fs::create_symlink("..", scene.path("root/up"));
  fs::create_symlink("../plain", scene.path("root/below/link"));
  fs::create_symlink(scene.path("nowhere"), scene.path("root/dangling"));
  const std::string token =
      add_token(scene, {"writer", "--allow", "files-read,files-write", "--root", scene.path("root")});
  const auto refused = [&](Json request, const std::string& code) {
    request["token"] = token;
    const Json reply = scene.ask(request);
    INFO(request.dump() << reply.dump());
    CHECK(reply["status"] == "error");
    CHECK(reply["code"] == code);
  };
  const std::string content = hostlink::to_base64("changed");
  const std::pair<const char*, const char*> places[] = {{"root/out", "FILE_OUTSIDE_ROOTS"},
                                                        {"root/up/secret", "FILE_OUTSIDE_ROOTS"},
                                                        {"root/up/new/file", "FILE_OUTSIDE_ROOTS"},
                                                        {"root/dangling", "FILE_OUTSIDE_ROOTS"},
                                                        {"root/../secret", "FILE_OUTSIDE_ROOTS"}};
  for (const auto& [path, code] : places) {
    refused({{"type", "put"}, {"path", scene.path(path)}, {"content", content}, {"mkdir", true}}, code);
    refused({{"type", "put_stream"}, {"path", scene.path(path)}, {"size", 7}, {"mkdir", true}}, code);
    refused({{"type", "get_stream"}, {"path", scene.path(path)}}, code);
  }
  CHECK(content_of(scene.path("secret")) == "secret");
  CHECK_FALSE(fs::exists(scene.path("nowhere")));
  CHECK_FALSE(fs::exists(scene.path("new")));
  // Within the roots a link is the file that it leads to.
  Json within{{"type", "put"}, {"path", scene.path("root/below/link")}, {"content", content}};
  within["token"] = token;
  CHECK(scene.ask(within)["status"] == "ok");
  CHECK(content_of(scene.path("root/plain")) == "changed");
  CHECK(fs::is_symlink(scene.path("root/below/link")));
}

TEST_CASE("files of the kernel are read to their end in both ways, and its magic links lead nowhere",
          "[hostlink]") {
  const HostlinkScene scene = HostlinkScene::open_to_all();
  std::string version;
  {
    std::ifstream file("/proc/version");
    version.assign(std::istreambuf_iterator<char>(file), {});
  }
  for (const char* protocol : {"1", "2"})
    CHECK(scene.client({"--protocol", protocol, "get", "/proc/version", "-"}).standard_output == version);
  CHECK(scene.client({"get-stream", "/proc/version", scene.path("version")}).status == 0);
  CHECK(content_of(scene.path("version")) == version);
  const std::string daemon = "/proc/" + std::to_string(scene.daemon->pid());
  for (const std::string& path :
       {daemon + "/root/etc/passwd", daemon + "/cwd/x", std::string("/proc/self/exe")}) {
    CAPTURE(path);
    CHECK(scene.ask({{"type", "get"}, {"path", path}})["status"] == "error");
  }
}

}  // namespace
}  // namespace hostclaw::integration
