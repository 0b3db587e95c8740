// SPDX-License-Identifier: Apache-2.0
// A relay that removes what is over while it serves.
#include <catch2/catch.hpp>
#include <chrono>

#include "clawlink/model/wire_text.h"
#include "tests/integration/relay_process.h"

namespace hostclaw::integration {
namespace {

std::string delegated(const RelayProcess& relay, const std::string& from) {
  const HttpAnswer answer = relay.post("/delegate", delegation(from, "worker", "work"));
  REQUIRE(answer.status == 200);
  REQUIRE(relay.get("/poll/worker").json()["count"] == 1);
  return answer.json()["message_id"].get<std::string>();
}

std::string done(const RelayProcess& relay, const std::string& from) {
  const std::string id = delegated(relay, from);
  const Json answer{{"from_agent", "worker"}, {"to_agent", from}, {"message_id", id}, {"result", "built"}};
  REQUIRE(relay.post("/respond", answer).status == 200);
  return id;
}

bool has(const RelayProcess& relay, const std::string& id) { return relay.get("/tasks/" + id).status == 200; }

}  // namespace

TEST_CASE("what is over goes while the relay serves; what is not over, or still waited for, stays") {
  RelayProcess relay({"--keep-tasks", "3", "--keep-record-rows", "10"});
  for (const char* id : {"boss", "other", "worker"}) register_as(relay, id);
  const std::string open = delegated(relay, "boss");
  const std::string waited_for = done(relay, "other");
  std::vector<std::string> read;
  for (int i = 0; i < 10; ++i) read.push_back(done(relay, "boss"));
  REQUIRE(relay.get("/poll/boss").json()["count"] == 10);
  // A deadline makes the relay look at once.
  Json soon = delegation("boss", "nobody", "late");
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  soon["deadline"] = clawlink::iso_time(now + 500);
  const auto late = relay.post("/delegate", soon).json()["message_id"].get<std::string>();
  REQUIRE(relay.get("/tasks/" + late + "?after=1&wait=30").json()["state"] == "failed");
  CHECK(has(relay, open));
  CHECK(has(relay, waited_for));
  CHECK(has(relay, late));
  // Three may stay, and the one that is waited for takes no other's place: the eight oldest of the read have
  // gone.
  for (std::size_t i = 0; i < read.size(); ++i) CHECK(has(relay, read[i]) == (i >= 8));
  const Finished doctor = relay.hostclaw({"doctor", "--json", "--only", "clawlink-store"});
  INFO(doctor.standard_output);
  CHECK(doctor.standard_output.find("tasks that have ended are kept 30 days, 3 at most; rows of the record "
                                    "for ever, 10 at most; there are 4 such tasks") != std::string::npos);
  const Finished verified = relay.hostclaw({"clawlink", "audit", "verify"});
  CHECK(verified.status == 0);
  CHECK(verified.standard_output.find("were removed by retention") != std::string::npos);
  const Finished ended = relay.end();
  INFO(ended.standard_error);
  CHECK(ended.standard_error.find("retention removed tasks that had ended: 8") != std::string::npos);
}

}  // namespace hostclaw::integration
