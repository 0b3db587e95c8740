// SPDX-License-Identifier: Apache-2.0
// The relay is killed again and again while clients delegate, fetch and acknowledge. What was acknowledged to
// them is there afterwards, nothing was done twice, and only messages come again whose acknowledgement nobody
// got.
#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "tests/integration/relay_process.h"

namespace hostclaw::integration {
namespace {

// HOSTCLAW_KILLS: more of them.
int number_of_kills() {
  const char* const asked = std::getenv("HOSTCLAW_KILLS");
  return asked ? std::atoi(asked) : 20;
}
constexpr int kProducers = 4;
constexpr int kConsumers = 2;
constexpr std::size_t kAcceptedBetweenKills = 25;

// What clients know: only what an answer has told them.
struct Known {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::string> accepted;            // task text -> message id
  std::map<std::string, std::set<std::string>> received;  // task text -> message ids
  std::set<std::string> acknowledged;                     // message ids
  std::vector<std::string> again_after_ack;
  std::vector<std::string> odd;
};

std::optional<HttpAnswer> try_once(std::uint16_t port, const std::string& request) {
  HttpConnection connection(port);
  if (!connection.open() || !connection.send(request)) return std::nullopt;
  return connection.receive();
}

void produce(std::uint16_t port, int number, Known& known, const std::atomic<bool>& ending) {
  for (int i = 0; !ending; ++i) {
    const std::string text = "task " + std::to_string(number) + "-" + std::to_string(i);
    const std::string request = request_text(
        "POST", "/delegate", Json{{"from_agent", "boss"}, {"to_agent", "worker"}, {"task", text}}.dump(),
        {{"Idempotency-Key", text}});
    // The same request until it is answered: that it may be done once is what the key is for.
    while (!ending) {
      const auto answer = try_once(port, request);
      if (!answer) continue;
      const std::lock_guard hold(known.mutex);
      if (answer->status == 200) {
        known.accepted[text] = Json::parse(answer->body)["message_id"].get<std::string>();
        known.changed.notify_all();
        break;
      }
      known.odd.push_back(answer->head + answer->body);
      break;
    }
  }
}

void take(std::uint16_t port, const Json& message, Known& known) {
  const auto id = message["message_id"].get<std::string>();
  {
    const std::lock_guard hold(known.mutex);
    known.received[message["task"].get<std::string>()].insert(id);
    if (known.acknowledged.contains(id)) known.again_after_ack.push_back(id);
  }
  const auto answer =
      try_once(port, request_text("POST", "/ack", Json{{"lease", message["lease"]}}.dump(), {}));
  if (!answer || answer->status != 200) return;
  const std::lock_guard hold(known.mutex);
  known.acknowledged.insert(id);
}

std::size_t consume_once(std::uint16_t port, Known& known) {
  const auto answer = try_once(port, request_text("GET", "/poll/worker?lease=2&wait=1&max=20", {}, {}));
  if (!answer || answer->status != 200) return 0;
  const Json messages = Json::parse(answer->body)["messages"];
  for (const Json& message : messages) take(port, message, known);
  return messages.size();
}

}  // namespace

TEST_CASE("killed twenty times under load, the relay loses nothing that it has acknowledged") {
  RelayProcess relay;
  const std::uint16_t port = relay.port();
  Known known;
  std::atomic<bool> ending{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < kProducers; ++i) threads.emplace_back([&, i] { produce(port, i, known, ending); });
  for (int i = 0; i < kConsumers; ++i)
    threads.emplace_back([&] {
      while (!ending) consume_once(port, known);
    });
  bool progressed = true;
  const int kills_wanted = number_of_kills();
  for (int kills = 0; kills < kills_wanted && progressed; ++kills) {
    {
      std::unique_lock hold(known.mutex);
      const std::size_t goal = known.accepted.size() + kAcceptedBetweenKills;
      progressed = known.changed.wait_for(hold, std::chrono::seconds(60),
                                          [&] { return known.accepted.size() >= goal; });
    }
    relay.kill();
    relay.start();
  }
  ending = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(progressed);

  // What is left, leases that nobody ended among it.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto missing = [&] {
    std::size_t count = 0;
    for (const auto& [text, id] : known.accepted) count += known.received.contains(text) ? 0 : 1;
    return count;
  };
  while ((consume_once(port, known) > 0 || missing() > 0) && std::chrono::steady_clock::now() < end) {
  }
  CHECK(known.odd == std::vector<std::string>{});
  CHECK(known.accepted.size() >= static_cast<std::size_t>(kills_wanted) * kAcceptedBetweenKills);
  CHECK(missing() == 0);
  CHECK(known.again_after_ack == std::vector<std::string>{});
  for (const auto& [text, ids] : known.received) {
    CAPTURE(text);
    CHECK(ids.size() == 1);
    const auto accepted = known.accepted.find(text);
    if (accepted != known.accepted.end()) CHECK(ids.contains(accepted->second));
  }
  const Finished verified = relay.hostclaw({"clawlink", "audit", "verify", "--json"});
  INFO(verified.standard_output << verified.standard_error);
  CHECK(verified.status == 0);
  CHECK(Json::parse(verified.standard_output)["rows"] >= known.accepted.size());
}

}  // namespace hostclaw::integration
