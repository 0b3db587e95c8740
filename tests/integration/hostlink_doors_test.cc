// SPDX-License-Identifier: Apache-2.0
// One node with both doors, the gateway's and HostLink's, each under more load than it can take.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "approvals/store/settings.h"
#include "approvals/store/store.h"
#include "tests/integration/hostlink_scene.h"
#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

constexpr int kPlaces = 2;
constexpr int kFlood = 16;  // callers at once

class BothDoors {
 public:
  BothDoors() {
    scene_.preset("yolo");
    write_file(scene_.directory.path() + "/hostlink.conf",
               "unix_path = " + socket() + "\nunix_group =\nmax_concurrent = 256\noutput_tmpdir = " +
                   scene_.directory.path() + "/output\n",
               0600);
    const Finished made = scene_.hostclaw({"hostlink", "token", "add", "box", "--security", "full"});
    REQUIRE(made.status == 0);
    token_ = made.standard_output.substr(0, made.standard_output.size() - 1);
    REQUIRE(scene_.hostclaw({"hostlink", "enable", "--config", scene_.directory.path() + "/hostlink.conf"})
                .status == 0);
    {
      auto store = approvals::Store::open(scene_.state_directory(), approvals::OpenMode::kReadWrite);
      REQUIRE(store.has_value());
      REQUIRE(approvals::put_exec_setting(**store, "exec.maxConcurrentRuns", kPlaces).has_value());
    }
    scene_.connect_host();
    REQUIRE(scene_.host->wait_line("hostlink: listening on", kPatience));
  }

  // One command by each door, to its end; true when it ran. From any thread.
  bool by_gateway() {
    const Reply reply = scene_.gateway->call(
        "node.invoke",
        {{"nodeId", scene_.node_id},
         {"command", "system.run"},
         {"params",
          {{"command", {"/bin/sleep", "0.02"}}, {"agentId", "main"}, {"sessionKey", "agent:main:test"}}}},
        kPatience);
    return reply.ok && pick(reply.payload, "/payload/exitCode") == 0;
  }
  bool by_hostlink() {
    auto peer = RawPeer::try_connect(socket());
    if (!peer) return false;
    peer->send_frame(
        Json{{"type", "exec"}, {"id", "h"}, {"token", token_}, {"command", "exec /bin/sleep 0.02"}}.dump());
    const auto reply = peer->try_reply();
    return reply && reply->value("exit_code", -1) == 0;
  }

 private:
  std::string socket() const { return scene_.directory.path() + "/hostlink.sock"; }
  Scene scene_;
  std::string token_;
};

// Callers who ask again as soon as they have their answer, until this object goes.
class Flood {
 public:
  Flood(int callers, std::function<bool()> ask) : ask_(std::move(ask)) {
    for (int i = 0; i < callers; ++i)
      threads_.emplace_back([this] {
        while (!over_) ++(ask_() ? served_ : failed_);
      });
  }
  ~Flood() { end(); }
  void end() {
    over_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  int served() const { return served_; }
  int failed() const { return failed_; }

 private:
  const std::function<bool()> ask_;
  std::atomic<bool> over_ = false;
  std::atomic<int> served_ = 0;
  std::atomic<int> failed_ = 0;
  std::vector<std::thread> threads_;
};

// How many commands of the flood end for each of the one caller.
int passed_by(const Flood& flood, const std::function<bool()>& ask) {
  constexpr int kAsked = 5;
  REQUIRE(becomes_true([&] { return flood.served() > kPlaces; }));
  const int before = flood.served();
  for (int count = 0; count < kAsked; ++count) CHECK(ask());
  return (flood.served() - before) / kAsked;
}

TEST_CASE("neither door starves the other, whichever of them is flooded") {
  BothDoors doors;
  const std::function<bool()> by_gateway = [&doors] { return doors.by_gateway(); };
  const std::function<bool()> by_hostlink = [&doors] { return doors.by_hostlink(); };
  {
    INFO("one caller of HostLink, a flood of the gateway");
    Flood flood(kFlood, by_gateway);
    // In one line for all it would be as many as the flood is long.
    CHECK(passed_by(flood, by_hostlink) < kFlood / 2);
    flood.end();
    CHECK(flood.failed() == 0);
  }
  {
    INFO("one caller of the gateway, a flood of HostLink");
    Flood flood(kFlood, by_hostlink);
    CHECK(passed_by(flood, by_gateway) < kFlood / 2);
    flood.end();
    CHECK(flood.failed() == 0);
  }
  INFO("a flood of both");
  // Twice as many of one: the turns are the doors', not the callers'.
  Flood gateway(kFlood, by_gateway);
  Flood hostlink(kFlood / 2, by_hostlink);
  REQUIRE(becomes_true([&] { return gateway.served() > kPlaces && hostlink.served() > kPlaces; }));
  const int gateway_before = gateway.served();
  const int hostlink_before = hostlink.served();
  const auto counted = [&] {
    return gateway.served() - gateway_before + hostlink.served() - hostlink_before;
  };
  for (int tries = 0; tries < 6 && counted() < 80; ++tries) becomes_true([&] { return counted() >= 80; });
  CHECK(counted() >= 80);
  const int of_gateway = gateway.served() - gateway_before;
  const int of_hostlink = hostlink.served() - hostlink_before;
  CAPTURE(of_gateway, of_hostlink);
  CHECK(of_gateway * 10 > (of_gateway + of_hostlink) * 3);
  CHECK(of_hostlink * 10 > (of_gateway + of_hostlink) * 3);
  gateway.end();
  hostlink.end();
  CHECK(gateway.failed() + hostlink.failed() == 0);
}

}  // namespace
}  // namespace hostclaw::integration
