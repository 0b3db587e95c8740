// SPDX-License-Identifier: Apache-2.0
#include "clawlink/forward/foreign_task.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <map>

#include "clawlink/forward/forwarder.h"
#include "tests/unit/clawlink/relay_database.h"

namespace hostclaw::clawlink {
namespace {

Json delegation_of(const Json& task, const Json& context = Json::object()) {
  return {{"task", task}, {"context", context}, {"context_id", "c-1"}};
}

Json parts_for(const Json& delegation) {
  return params_for_endpoint(delegation, "m", std::nullopt)["message"]["parts"];
}

Json task_in(const char* state, const Json& more = Json::object()) {
  Json task{{"id", "t"}, {"contextId", "c"}, {"status", {{"state", state}}}};
  task.update(more);
  return task;
}

Json artifact_with(const Json& part) { return {{"artifacts", {{{"artifactId", "a"}, {"parts", {part}}}}}}; }

}  // namespace

TEST_CASE(
    "a delegation is sent as one message that is not waited for, with all that its sender put beside it") {
  const Json params = params_for_endpoint(delegation_of("build"), "m-1", std::nullopt);
  CHECK(params["configuration"] == Json{{"returnImmediately", true}, {"historyLength", 0}});
  CHECK(params["message"] == Json{{"messageId", "m-1"},
                                  {"role", "ROLE_USER"},
                                  {"contextId", "c-1"},
                                  {"metadata", {{"hostclaw/hops", 1}}},
                                  {"parts", Json::array({Json{{"text", "build"}}})}});
  const Json file{{"raw", "aGk="}, {"filename", "hi.txt"}};
  CHECK(parts_for(delegation_of("x", {{"data", {{{"a", 1}}}}, {"files", {file}}, {"branch", "main"}})) ==
        Json::array({Json{{"text", "x"}}, Json{{"data", {{"a", 1}}}}, file,
                     Json{{"data", {{"context", {{"branch", "main"}}}}}}}));
  CHECK(parts_for(delegation_of({{"steps", 2}})) == Json::array({Json{{"data", {{"steps", 2}}}}}));
  CHECK(parts_for(delegation_of("")) == Json::array({Json{{"text", ""}}}));
  CHECK(parts_for(delegation_of("x", "not an object")).size() == 2);
  // What is no file is data, so that no text comes past the look at the task's own.
  CHECK(parts_for(delegation_of({{"a", 1}}, {{"files", {{{"text", "/reset"}}, 7}}})) ==
        Json::array({Json{{"data", {{"a", 1}}}}, Json{{"data", {{"files", {{{"text", "/reset"}}, 7}}}}}}));
  CHECK(parts_for(delegation_of("x", {{"data", {{"k", 1}}}}))[1] ==
        Json{{"data", {{"context", {{"data", {{"k", 1}}}}}}}});
}

TEST_CASE(
    "more about a task names the endpoint's own task and context; a context that not all take is left out") {
  Json more = delegation_of("and test it");
  Forwarded before;
  before.foreign_task_id = "there";
  before.foreign_context_id = "their-context";
  const Json message = params_for_endpoint(more, "m-2", before)["message"];
  CHECK(message["taskId"] == "there");
  CHECK(message["contextId"] == "their-context");
  for (const std::string& odd :
       {std::string("with space"), std::string(129, 'x'), std::string("ü"), std::string()}) {
    more["context_id"] = odd;
    CHECK_FALSE(params_for_endpoint(more, "m", std::nullopt)["message"].contains("contextId"));
  }
}

TEST_CASE("what was carried often enough is carried no further") {
  const auto carried = [](const Json& hops) {
    return delegation_of("x", {{"metadata", {{"hostclaw/hops", hops}}}});
  };
  CHECK(params_for_endpoint(carried(3), "m", std::nullopt)["message"]["metadata"]["hostclaw/hops"] == 4);
  CHECK(why_not_forwarded(carried(4)).empty());
  CHECK_FALSE(why_not_forwarded(carried(5)).empty());
  CHECK_FALSE(why_not_forwarded(carried(std::int64_t{1} << 60)).empty());
  for (const Json& odd : {Json("8"), Json(-5), Json(), Json{{"a", 8}}})
    CHECK(why_not_forwarded(carried(odd)).empty());
}

TEST_CASE("what begins with a slash is not carried, and nothing else is kept back") {
  for (const char* kept : {"/reset", "  /status", "\n/x"})
    CHECK_FALSE(why_not_forwarded(delegation_of(kept)).empty());
  for (const Json& carried : {Json("build /etc"), Json(""), Json{{"a", 1}}, Json("./run")})
    CHECK(why_not_forwarded(delegation_of(carried)).empty());
}

TEST_CASE("what an endpoint says of a task is an answer once it has settled") {
  CHECK_FALSE(read_foreign_task(task_in("TASK_STATE_WORKING"))->settled);
  CHECK_FALSE(read_foreign_task({{"task", task_in("TASK_STATE_SUBMITTED")}})->settled);
  CHECK(read_foreign_task(task_in("TASK_STATE_WORKING"))->is_known);
  for (const char* const state : {"TASK_STATE_UNSPECIFIED", "completed", "TASK_STATE_FROM_TOMORROW", ""}) {
    CHECK_FALSE(read_foreign_task(task_in(state))->settled);
    CHECK_FALSE(read_foreign_task(task_in(state))->is_known);
  }
  const auto settled = [](const Json& task) {
    const auto read = read_foreign_task(task);
    REQUIRE(read);
    REQUIRE(read->settled);
    return std::pair{read->settled->status, read->settled->result};
  };
  const Json said{
      {"status", {{"state", "TASK_STATE_FAILED"}, {"message", {{"parts", {{{"text", "no disk"}}}}}}}}};
  CHECK(settled(task_in("", said)) == std::pair{std::string("failed"), Json("no disk")});
  CHECK(settled(task_in("TASK_STATE_REJECTED")).first == "rejected");
  CHECK(settled(task_in("TASK_STATE_CANCELED")).first == "cancelled");
  CHECK(settled(task_in("TASK_STATE_INPUT_REQUIRED")).first == "input_required");
  CHECK(settled(task_in("TASK_STATE_AUTH_REQUIRED")).first == "input_required");
  CHECK(settled(task_in("TASK_STATE_COMPLETED", artifact_with({{"text", "built"}}))).second == "built");
  const Json data = artifact_with({{"data", {{"sha", "abc"}}}});
  CHECK(settled(task_in("TASK_STATE_COMPLETED", data)).second == data);
  CHECK(settled({{"message", {{"parts", {{{"text", "hello"}}}}}}}).second == "hello");
}

TEST_CASE("what is no task is none, whatever its shape") {
  for (const Json& odd : {Json(), Json(1), Json("task"), Json::array(), Json::object(), Json{{"task", 1}},
                          Json{{"id", "t"}}, Json{{"id", 1}, {"status", {}}}, Json{{"task", {{"id", ""}}}}}) {
    CAPTURE(odd.dump());
    CHECK_FALSE(read_foreign_task(odd));
  }
  for (const Json& odd : {Json{{"id", "t"}, {"status", 1}}, Json{{"id", "t"}, {"status", {{"state", 7}}}},
                          task_in("TASK_STATE_WORKING", {{"artifacts", 1}})}) {
    CAPTURE(odd.dump());
    REQUIRE(read_foreign_task(odd));
    CHECK_FALSE(read_foreign_task(odd)->settled);
  }
  for (const Json& odd : {Json(1), Json::array({1}), Json::array({Json::object()}),
                          Json::array({Json{{"parts", 1}}}), Json::array({Json{{"parts", {1}}}})}) {
    CAPTURE(odd.dump());
    REQUIRE(read_foreign_task(task_in("TASK_STATE_COMPLETED", {{"artifacts", odd}}))->settled);
  }
}

TEST_CASE("what OpenClaw's channel has answered is read as what it was") {
  std::ifstream file(std::string(HOSTCLAW_SOURCE_DIR) + "/tests/cases/a2a-frames.jsonl");
  REQUIRE(file);
  std::map<std::string, std::string> seen;
  for (std::string line; std::getline(file, line);) {
    const Json row = Json::parse(line);
    const std::string name = row["case"].get<std::string>();
    if (name.rfind("openclaw-in.", 0) != 0 || !row["response"]["body"].contains("result")) continue;
    const auto task = read_foreign_task(row["response"]["body"]["result"]);
    REQUIRE(task);
    CHECK_FALSE(task->task_id.empty());
    seen[name] = task->settled ? task->settled->status : "goes on";
  }
  CHECK(seen["openclaw-in.send.blocking"] == "failed");  // the gateway was still starting
  CHECK(seen["openclaw-in.get.working"] == "goes on");
  CHECK(seen["openclaw-in.get.completed"] == "completed");
  CHECK(seen["openclaw-in.slash"] == "rejected");
}

TEST_CASE("an agent that lives elsewhere is not forgotten while it is listed, and its row goes with it") {
  testing::RelayDatabase relay;
  Agent agent;
  agent.agent_id = "office";
  testing::must(relay.in([&](StoreSession& session) {
    return put_forward(session, {"office", "https://office.example/a2a", "office.example:443", ""}, agent,
                       "owner");
  }));
  relay.later(40 * kDay);
  CHECK(testing::must(relay.in([](StoreSession& session) { return is_guarded(session, "office"); })));
  CHECK(testing::must(relay.in([](StoreSession& session) { return list_forwards(session); })).size() == 1);
  testing::must(relay.in([](StoreSession& session) { return remove_agent(session, "office", "owner"); }));
  // What was answered in its name stays its own.
  CHECK(testing::must(relay.in([](StoreSession& session) { return is_guarded(session, "office"); })));
  CHECK(testing::must(relay.in([](StoreSession& session) { return list_forwards(session); })).empty());
}

TEST_CASE(
    "messages of a task are sent in their order, and one that stands behind another is not counted as "
    "tried") {
  testing::RelayDatabase relay;
  relay.join("boss");
  const Task task = relay.delegate("boss", "office", "deploy");
  testing::must(relay.in([&](StoreSession& session) {
    FollowUp more;
    more.by = "boss";
    more.text = "but not on friday";
    return continue_task(session, task, more);
  }));
  const std::vector<Leased> both = relay.lease("office");
  REQUIRE(both.size() == 2);
  const auto behind = [&](const Leased& message) {
    return testing::must(
        relay.in([&](StoreSession& session) { return has_earlier_message(session, message); }));
  };
  CHECK_FALSE(behind(both[0]));
  CHECK(behind(both[1]));
  testing::must(relay.in([&](StoreSession& session) { return postpone(session, both[1], 2000); }));
  CHECK(relay.lease("office").empty());
  relay.later(2001);
  const std::vector<Leased> again = relay.lease("office");
  REQUIRE(again.size() == 1);
  CHECK(again[0].tries == 1);
}

TEST_CASE(
    "what an endpoint has taken is due until nobody asks any more, and again when its task has ended here") {
  testing::RelayDatabase relay;
  relay.join("boss");
  const Task task = relay.delegate("boss", "office", "deploy");
  Forwarded row;
  row.task_id = task.task_id;
  row.agent_id = "office";
  row.foreign_task_id = "there";
  row.due_ms = relay.clock.unix_ms() + 1000;
  const auto put = [&] {
    testing::must(relay.in([&](StoreSession& session) { return put_forwarded(session, row); }));
  };
  const auto due = [&] {
    return testing::must(relay.in([](StoreSession& session) { return due_forwarded(session, "office", 10); }))
        .size();
  };
  put();
  CHECK(due() == 0);
  CHECK(testing::must(relay.in([](StoreSession& session) { return next_forwarded_ms(session, "office"); })) ==
        row.due_ms);
  relay.later(1000);
  CHECK(due() == 1);
  row.due_ms = relay.clock.unix_ms() + kHour;
  put();
  CHECK(due() == 0);
  testing::must(
      relay.in([&](StoreSession& session) { return fail_task(session, task, "its deadline has passed"); }));
  CHECK(due() == 1);
  testing::must(relay.in([&](StoreSession& session) { return remove_forwarded(session, task.task_id); }));
  CHECK(due() == 0);
}

TEST_CASE("an endpoint is reached by https, and by http on this machine or where the owner says so") {
  for (const char* fine : {"https://office.example/a2a/v1", "http://localhost:18789/a2a",
                           "http://127.0.0.1/a2a", "http://[::1]:1/a2a"})
    CHECK(testing::code_of(read_forward_url(fine, false)) == "ok");
  CHECK(testing::code_of(read_forward_url("http://10.0.0.1/a2a", true)) == "ok");
  CHECK(testing::code_of(read_forward_url("http://10.0.0.1/a2a", false)) == "FORWARD_PLAIN_REFUSED");
  CHECK(testing::code_of(read_forward_url("http://localhost.example/a2a", false)) == "FORWARD_PLAIN_REFUSED");
  for (const char* wrong : {"", "office.example", "ftp://x/", "https://", "https://a:b@office.example/"})
    CHECK(testing::code_of(read_forward_url(wrong, true)) == "FORWARD_URL_INVALID");
}

}  // namespace hostclaw::clawlink
