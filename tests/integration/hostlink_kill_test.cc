// SPDX-License-Identifier: Apache-2.0
// HostLink's daemon is killed again and again while containers give it commands, jobs and files. No command
// runs twice, none without its row; an end that was told is the one that is recorded, and the next start ends
// what was left and says what became of it.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "approvals/store/store.h"
#include "hostlink/proto/base64.h"
#include "tests/integration/hostlink_scene.h"

namespace hostclaw::integration {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

// HOSTCLAW_KILLS: more of them.
int kills_of_the_daemon() {
  const char* const asked = std::getenv("HOSTCLAW_KILLS");
  return asked ? std::atoi(asked) : 20;
}
constexpr int kCallers = 3;
constexpr std::size_t kEndedBetweenKills = 6;
constexpr std::size_t kUploaded = 300'000;

// What callers know: only what an answer has told them.
struct Heard {
  std::mutex mutex;
  std::condition_variable changed;
  bool up = true;
  bool ending = false;
  std::map<std::string, int> ends;          // command -> its exit status
  std::map<std::string, std::string> jobs;  // job -> command
  std::size_t uploads = 0;
  std::vector<std::string> odd;

  // False: it is over.
  bool wait_until_up() {
    std::unique_lock hold(mutex);
    changed.wait(hold, [this] { return up || ending; });
    return !ending;
  }
  // Requires: the mutex is held. What a daemon says that is being stopped is no matter.
  void is_odd(const std::string& what) {
    if (!ending) odd.push_back(what);
  }
  void set_up(bool is_up) {
    const std::lock_guard hold(mutex);
    up = is_up;
    changed.notify_all();
  }
};

class Killing {
 public:
  Killing(const HostlinkScene& scene, Heard& heard) : scene_(scene), heard_(heard) {}

  std::string text_of(const std::string& id, int status) const {
    return "echo " + id + " >> " + scene_.path("ran") + "; exit " + std::to_string(status);
  }

  // One command after the other, each asked for once.
  void ask_for_commands(int number) const {
    for (int i = 0; heard_.wait_until_up(); ++i) {
      const std::string id = "c" + std::to_string(number) + "-" + std::to_string(i);
      const auto reply = scene_.try_ask({{"type", "exec"}, {"id", id}, {"command", text_of(id, i % 5)}});
      if (!reply) continue;
      const std::lock_guard hold(heard_.mutex);
      if ((*reply)["status"] == "ok") {
        heard_.ends[id] = (*reply)["exit_code"].get<int>();
        if (heard_.ends[id] != i % 5) heard_.is_odd(reply->dump());
      } else {
        heard_.is_odd(reply->dump());
      }
      heard_.changed.notify_all();
    }
  }

  // The same by protocol 2 and the client itself, which must not try again on its own.
  void ask_by_the_client() const {
    for (int i = 0; heard_.wait_until_up(); ++i) {
      const std::string id = "v2-" + std::to_string(i);
      HostProcess client(scene_.path("hostlink"), {"--exit-codes", "remote", "exec", text_of(id, 1 + i % 5)},
                         scene_.environment());
      const auto ended = client.wait_exit(60s);
      const std::lock_guard hold(heard_.mutex);
      if (ended && ended->status >= 1 && ended->status <= 5) heard_.ends[id] = ended->status;
      if (!ended || (ended->status != 125 && ended->status != 1 + i % 5))
        heard_.is_odd(id + (ended ? ended->standard_error : " does not end"));
      heard_.changed.notify_all();
    }
  }

  // One that no life of the daemon lasts for.
  void ask_for_a_long_one() const {
    for (int i = 0; heard_.wait_until_up(); ++i) {
      const std::string id = "long-" + std::to_string(i);
      const std::string command =
          "echo " + id + " >> " + scene_.path("ran") + "; echo $$ >> " + scene_.path("long") + "; sleep 600";
      const auto reply =
          scene_.try_ask({{"type", "exec"}, {"id", id}, {"command", command}, {"timeout_ms", 300'000}});
      if (!reply) continue;
      const std::lock_guard hold(heard_.mutex);
      heard_.is_odd(reply->dump());
    }
  }

  void submit_jobs() const {
    for (int i = 0; heard_.wait_until_up(); ++i) {
      const std::string id = "job-" + std::to_string(i);
      const auto reply =
          scene_.try_ask({{"type", "exec"}, {"id", id}, {"command", text_of(id, 3)}, {"detach", true}});
      if (!reply) continue;
      if ((*reply)["status"] == "ok") {
        const std::string job = (*reply)["job_id"].get<std::string>();
        {
          const std::lock_guard hold(heard_.mutex);
          heard_.jobs[job] = id;
        }
        // One at a time, so that they do not pile up.
        for (bool done = false; !done;) {
          const auto status = scene_.try_ask({{"type", "job"}, {"action", "status"}, {"job_id", job}});
          done = !status || (*status)["done"] == true;
        }
      } else {
        const std::lock_guard hold(heard_.mutex);
        heard_.is_odd(reply->dump());
      }
    }
  }

  void upload() const {
    for (int i = 0; heard_.wait_until_up(); ++i) {
      const std::string content(kUploaded, i % 2 == 0 ? 'a' : 'b');
      // The members in the order of a client: the token before the content.
      const std::string request = R"({"version":1,"type":"put","id":"u","token":)" +
                                  Json(kSceneToken).dump() + R"(,"path":)" +
                                  Json(scene_.path("files/uploaded")).dump() + R"(,"content":")" +
                                  hostlink::to_base64(content) + R"("})";
      auto peer = RawPeer::try_connect(scene_.socket());
      if (!peer) continue;
      peer->send_frame(request);
      const auto reply = peer->try_reply();
      if (!reply) continue;
      const std::lock_guard hold(heard_.mutex);
      if ((*reply)["status"] == "ok") {
        ++heard_.uploads;
      } else {
        heard_.is_odd(reply->dump());
      }
    }
  }

 private:
  const HostlinkScene& scene_;
  Heard& heard_;
};

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::istringstream text(content_of(path));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

bool can_be_without_a_name(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

void check_rows(const HostlinkScene& scene, const Heard& heard, std::size_t kills) {
  auto store = approvals::Store::open(scene.path("state"), approvals::OpenMode::kReadOnly);
  REQUIRE(store.has_value());
  const auto rows = (*store)->runs({1'000'000, {}, {}});
  REQUIRE(rows.has_value());
  const std::regex echoed("echo (\\S+) >> ");
  std::map<std::string, approvals::RunRow> row_of;
  std::size_t interrupted = 0;
  for (const approvals::RunRow& row : *rows) {
    CHECK(row.state != "running");
    CHECK(row.state != "decided");
    std::smatch found;
    if (!std::regex_search(row.command_text, found, echoed)) continue;
    CAPTURE(row.command_text);
    CHECK(row_of.emplace(found[1], row).second);
    CHECK(row.ended_at_ms >= row.started_at_ms);
    if (row.state == "interrupted") ++interrupted;
  }
  // Each life of the daemon had a command that it could not end.
  CHECK(interrupted >= kills);
  std::set<std::string> ran;
  for (const std::string& id : lines_of(scene.path("ran"))) {
    CAPTURE(id);
    CHECK(ran.insert(id).second);
    CHECK(row_of.contains(id));
  }
  for (const auto& [id, status] : heard.ends) {
    CAPTURE(id);
    CHECK(ran.contains(id));
    REQUIRE(row_of.contains(id));
    CHECK(row_of.at(id).state == "finished");
    CHECK(row_of.at(id).exit_code == status);
  }
}

TEST_CASE("killed twenty times under load, the daemon runs nothing twice and nothing off the record",
          "[hostlink]") {
  HostlinkScene scene = HostlinkScene::open_to_all();
  fs::create_directory(scene.path("files"));
  Heard heard;
  const Killing killing(scene, heard);
  std::vector<std::thread> threads;
  for (int i = 0; i < kCallers; ++i) threads.emplace_back([&, i] { killing.ask_for_commands(i); });
  threads.emplace_back([&] { killing.ask_by_the_client(); });
  threads.emplace_back([&] { killing.ask_for_a_long_one(); });
  threads.emplace_back([&] { killing.submit_jobs(); });
  threads.emplace_back([&] { killing.upload(); });
  const int kills_wanted = kills_of_the_daemon();
  bool progressed = true;
  std::size_t long_ones = 0;
  std::vector<std::string> survivors;
  std::vector<std::string> torn;
  for (int kills = 0; kills < kills_wanted && progressed; ++kills) {
    {
      std::unique_lock hold(heard.mutex);
      const std::size_t goal = heard.ends.size() + kEndedBetweenKills;
      progressed = heard.changed.wait_for(hold, 60s, [&] { return heard.ends.size() >= goal; });
    }
    progressed = progressed && becomes_true([&] { return lines_of(scene.path("long")).size() > long_ones; });
    heard.set_up(false);
    scene.stop(SIGKILL);
    scene.start();
    // What was left has been ended before anybody is let in, and it is said.
    for (const std::string& id : lines_of(scene.path("long")))
      if (lives(std::stoi(id))) survivors.push_back(id);
    if (scene.daemon->standard_error().find("interrupted by the last stop") == std::string::npos)
      survivors.push_back("nothing was said");
    long_ones = lines_of(scene.path("long")).size();
    const std::string uploaded = content_of(scene.path("files/uploaded"));
    if (!uploaded.empty() &&
        (uploaded.size() != kUploaded || uploaded.find_first_not_of(uploaded[0]) != std::string::npos))
      torn.push_back(std::to_string(uploaded.size()));
    heard.set_up(true);
  }
  std::map<std::string, std::string> jobs;
  {
    const std::lock_guard hold(heard.mutex);
    heard.ending = true;
    heard.changed.notify_all();
    jobs = heard.jobs;
  }
  for (const auto& [job, id] : jobs) {
    const auto status = scene.try_ask({{"type", "job"}, {"action", "status"}, {"job_id", job}});
    REQUIRE(status.has_value());
    CAPTURE(status->dump());
    CHECK((*status)["command"] == killing.text_of(id, 3));
    const std::string state = (*status)["state"].get<std::string>();
    if (state == "exited") CHECK((*status)["exit_code"] == 3);
    // The last one may still be under way.
    CHECK((state == "exited" || state == "lost" || state == "running"));
  }
  CHECK(scene.stop(SIGTERM) == 143);
  for (std::thread& thread : threads) thread.join();
  CHECK(progressed);
  CHECK(heard.odd == std::vector<std::string>{});
  CHECK(survivors == std::vector<std::string>{});
  CHECK(torn == std::vector<std::string>{});
  CHECK(heard.ends.size() >= static_cast<std::size_t>(kills_wanted) * kEndedBetweenKills);
  CHECK(heard.uploads > 0);
  CHECK_FALSE(jobs.empty());
  check_rows(scene, heard, static_cast<std::size_t>(kills_wanted));
  CHECK(scene.hostclaw({"audit", "verify"}).status == 0);
  const std::string told =
      scene.hostclaw({"audit", "tail", "--json", "--kind", "left-behind"}).standard_output;
  CHECK(told.find("\"ended\"") != std::string::npos);
  // A file that is on its way has no name until it is whole: hardly a moment in which one can be left.
  const auto left = std::count_if(
      fs::directory_iterator(scene.path("files")), fs::directory_iterator(),
      [](const auto& entry) { return entry.path().filename().string().starts_with(".hostlink-"); });
  if (can_be_without_a_name(scene.path("files"))) CHECK(left <= 1 + kills_wanted / 10);
}

}  // namespace
}  // namespace hostclaw::integration
