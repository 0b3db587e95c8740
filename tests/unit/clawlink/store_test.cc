// SPDX-License-Identifier: Apache-2.0
// Queue, leases, tasks, agents and files, on a database of their own.
#include "clawlink/store/files.h"
#include "clawlink/store/requests.h"
#include "tests/unit/clawlink/relay_database.h"

namespace hostclaw::clawlink::testing {

TEST_CASE("urgent messages come first, others in the order in which they came") {
  RelayDatabase relay;
  for (const char* priority : {"low", "normal", "urgent", "high", "someday"})
    relay.delegate("a", "b", priority, priority);
  std::vector<std::string> order;
  for (const Leased& message : relay.lease("b")) order.push_back(body_of(message)["task"].get<std::string>());
  CHECK(order == std::vector<std::string>{"urgent", "high", "normal", "someday", "low"});
}

TEST_CASE("a leased message is nobody else's, and gone once it was acknowledged") {
  RelayDatabase relay;
  relay.delegate("a", "b", "work");
  const std::vector<Leased> first = relay.lease("b");
  REQUIRE(first.size() == 1);
  CHECK(relay.lease("b").empty());
  must(relay.in([&](StoreSession& session) { return acknowledge(session, first[0].lease); }));
  relay.later(kDay);
  CHECK(relay.lease("b").empty());
  CHECK(code_of(relay.in([&](StoreSession& session) { return acknowledge(session, first[0].lease); })) ==
        "LEASE_STALE");
}

TEST_CASE("a lease that is over is fenced: its holder can neither acknowledge, extend nor give back") {
  RelayDatabase relay;
  relay.delegate("a", "b", "work");
  const std::string old = relay.lease("b", 1, 1000).at(0).lease;
  relay.later(1000);
  CHECK(relay.lease("b").empty());  // not at once
  relay.later(relay.limits.backoff_ms);
  CHECK(relay.effects.agents.contains("b"));
  const std::vector<Leased> again = relay.lease("b");
  REQUIRE(again.size() == 1);
  CHECK(again[0].tries == 2);
  CHECK(again[0].lease != old);
  CHECK(code_of(relay.in([&](StoreSession& session) { return acknowledge(session, old); })) == "LEASE_STALE");
  CHECK(code_of(relay.in([&](StoreSession& session) { return extend_lease(session, old, 1000); })) ==
        "LEASE_STALE");
  CHECK(code_of(relay.in([&](StoreSession& session) { return give_back(session, old, 0); })) ==
        "LEASE_STALE");
  must(relay.in([&](StoreSession& session) { return acknowledge(session, again[0].lease); }));
}

TEST_CASE("a lease that is extended holds, and one that is given back is handed out at once") {
  RelayDatabase relay;
  relay.delegate("a", "b", "work");
  const std::string lease = relay.lease("b", 1, 1000).at(0).lease;
  relay.clock.advance(std::chrono::milliseconds(900));
  CHECK(must(relay.in([&](StoreSession& session) { return extend_lease(session, lease, 5000); })) ==
        relay.clock.unix_ms() + 5000);
  relay.later(2000);
  CHECK(relay.lease("b").empty());
  must(relay.in([&](StoreSession& session) { return give_back(session, lease, 0); }));
  CHECK(relay.effects.agents.contains("b"));
  CHECK(relay.lease("b").size() == 1);
}

TEST_CASE("a message that is never acknowledged becomes a dead letter, and the delegator is told") {
  RelayDatabase relay;
  const Task task = relay.delegate("a", "b", "work");
  for (int i = 0; i < relay.limits.deliveries; ++i) {
    REQUIRE(relay.lease("b", 1, 1000).size() == 1);
    relay.later(1000);
    relay.later(relay.limits.backoff_most_ms);
  }
  CHECK(relay.lease("b").empty());
  CHECK(relay.task(task.task_id).state == TaskState::kFailed);
  const std::vector<Leased> told = relay.lease("a");
  REQUIRE(told.size() == 1);
  const Json answer = body_of(told[0]);
  CHECK(answer["type"] == "task_response");
  CHECK(answer["message_id"] == task.message_id);
  CHECK(answer["status"] == "failed");
  CHECK(must(relay.database().integer("SELECT count(*) FROM dead_letters")) == 1);
}

TEST_CASE("a message that nobody takes in time is a dead letter; one that is taken is none") {
  RelayDatabase relay;
  const Task left = relay.delegate("a", "nobody", "work");
  const Task taken = relay.delegate("a", "b", "work");
  const std::string lease = relay.lease("b").at(0).lease;
  must(relay.in([&](StoreSession& session) { return acknowledge(session, lease); }));
  relay.later(relay.limits.delivery_ttl_ms);
  CHECK(relay.task(left.task_id).state == TaskState::kFailed);
  CHECK(relay.task(taken.task_id).state == TaskState::kSubmitted);
}

TEST_CASE("a deadline that passes fails the task and takes it out of the queue") {
  RelayDatabase relay;
  NewTask wanted;
  wanted.from_agent = "a";
  wanted.to_agent = "b";
  wanted.text = "soon";
  wanted.deadline_ms = relay.clock.unix_ms() + 5000;
  const Task task = must(relay.in([&](StoreSession& session) { return create_task(session, wanted); }));
  CHECK(relay.effects.look_at_ms == wanted.deadline_ms);
  relay.later(4999);
  CHECK(relay.task(task.task_id).state == TaskState::kSubmitted);
  relay.later(1);
  CHECK(relay.task(task.task_id).state == TaskState::kFailed);
  CHECK(relay.lease("b").empty());
  CHECK(body_of(relay.lease("a").at(0))["result"] == "the deadline has passed");
}

TEST_CASE("answers move a task; after its end they are kept and change nothing") {
  RelayDatabase relay;
  const Task task = relay.delegate("a", "b", "work");
  const auto answer = [&](const std::string& status, const Json& result) {
    Response response{"b", "a", task.message_id, result, status};
    return must(relay.in([&](StoreSession& session) { return respond(session, response); }));
  };
  answer("in_progress", "half of it");
  CHECK(relay.task(task.task_id).state == TaskState::kWorking);
  CHECK(relay.task(task.task_id).status_text == "half of it");
  answer("input_required", "which half?");
  CHECK(relay.task(task.task_id).state == TaskState::kInputRequired);
  answer("completed", Json{{"ok", true}});
  CHECK(relay.task(task.task_id).state == TaskState::kCompleted);
  const Responded late = answer("failed", "no");
  REQUIRE(late.task);
  CHECK_FALSE(late.task->moved);
  CHECK(relay.task(task.message_id).state == TaskState::kCompleted);
  const auto events =
      must(relay.in([&](StoreSession& session) { return task_events(session, task.task_id); }));
  std::vector<std::string> kinds;
  for (const TaskEvent& event : events) kinds.push_back(event.kind);
  CHECK(kinds == std::vector<std::string>{"message", "status", "status", "artifact", "status", "status"});
  CHECK(events[3].body["parts"][0]["data"]["ok"] == true);
  CHECK(events[5].body["late"] == true);
  CHECK(relay.lease("a").size() == 4);
}

TEST_CASE("only the one who was asked moves a task") {
  RelayDatabase relay;
  const Task task = relay.delegate("a", "b", "work");
  const Response forged{"mallory", "a", task.message_id, "done", "completed"};
  must(relay.in([&](StoreSession& session) { return respond(session, forged); }));
  CHECK(relay.task(task.task_id).state == TaskState::kSubmitted);
}

TEST_CASE("cancelling takes a waiting task out of the queue; a worker who has it is told") {
  RelayDatabase relay;
  const Task waiting = relay.delegate("a", "b", "one");
  must(relay.in([&](StoreSession& session) { return cancel_task(session, waiting, "a", false); }));
  CHECK(relay.lease("b").empty());
  CHECK(relay.task(waiting.task_id).state == TaskState::kCancelled);

  const Task taken = relay.delegate("a", "b", "two");
  const Leased held = relay.lease("b").at(0);
  must(relay.in([&](StoreSession& session) { return cancel_task(session, taken, "a", false); }));
  const std::vector<Leased> told = relay.lease("b");
  REQUIRE(told.size() == 1);
  CHECK(body_of(told[0])["type"] == "task_cancel");
  CHECK(body_of(told[0])["message_id"] == taken.message_id);
  // It may still put away what it has, and does not get it again.
  must(relay.in([&](StoreSession& session) { return give_back(session, held.lease, 0); }));
  CHECK(relay.lease("b").empty());
  // Twice is no error; of a task that has ended otherwise it is one.
  must(relay.in(
      [&](StoreSession& session) { return cancel_task(session, relay.task(taken.task_id), "a", false); }));
  const Task done = relay.delegate("a", "b", "three");
  const Response response{"b", "a", done.message_id, "ok", "completed"};
  must(relay.in([&](StoreSession& session) { return respond(session, response); }));
  CHECK(code_of(relay.in([&](StoreSession& session) {
          return cancel_task(session, relay.task(done.task_id), "a", false);
        })) == "TASK_ENDED");
}

TEST_CASE("a question of the worker is answered with the same message id, and work goes on") {
  RelayDatabase relay;
  const Task task = relay.delegate("a", "b", "work");
  const std::string lease = relay.lease("b").at(0).lease;
  must(relay.in([&](StoreSession& session) { return acknowledge(session, lease); }));
  const Response asks{"b", "a", task.message_id, "which?", "input_required"};
  must(relay.in([&](StoreSession& session) { return respond(session, asks); }));
  FollowUp more;
  more.by = "a";
  more.text = "the left one";
  must(relay.in(
      [&](StoreSession& session) { return continue_task(session, relay.task(task.task_id), more); }));
  CHECK(relay.task(task.task_id).state == TaskState::kWorking);
  const Json message = body_of(relay.lease("b").at(0));
  CHECK(message["type"] == "task_delegation");
  CHECK(message["message_id"] == task.message_id);
  CHECK(message["task"] == "the left one");
}

TEST_CASE("a queue that is full refuses, and the task that did not fit is not there") {
  RelayDatabase relay;
  relay.limits.queue_rows = 2;
  relay.join("b");
  relay.delegate("a", "b", "one");
  relay.delegate("a", "b", "two");
  NewTask third;
  third.from_agent = "a";
  third.to_agent = "b";
  third.text = "three";
  CHECK(code_of(relay.in([&](StoreSession& session) { return create_task(session, third); })) ==
        "QUEUE_FULL");
  CHECK(must(relay.database().integer("SELECT count(*) FROM tasks")) == 2);
  relay.delegate("a", "c", "elsewhere");
  const std::string lease = relay.lease("b", 1).at(0).lease;
  must(relay.in([&](StoreSession& session) { return acknowledge(session, lease); }));
  relay.delegate("a", "b", "three");
}

TEST_CASE("ids that nobody has share a smaller room, and leave that of registered agents alone") {
  RelayDatabase relay;
  relay.limits.unregistered_queues = 2;
  relay.limits.unregistered_rows = 2;
  relay.join("worker");
  const auto gives = [&](const std::string& to) {
    NewTask task;
    task.from_agent = "a";
    task.to_agent = to;
    task.text = "x";
    return code_of(relay.in([&](StoreSession& session) { return create_task(session, task); }));
  };
  CHECK(gives("made-up-1") == "ok");
  CHECK(gives("made-up-2") == "ok");
  CHECK(gives("made-up-3") == "QUEUES_FULL");
  CHECK(gives("made-up-1") == "ok");
  CHECK(gives("made-up-1") == "QUEUE_FULL");
  for (int i = 0; i < 3; ++i) CHECK(gives("worker") == "ok");
  // Who registers has the room of an agent, and leaves its place to another.
  relay.join("made-up-1");
  CHECK(gives("made-up-1") == "ok");
  CHECK(gives("made-up-3") == "ok");
}

TEST_CASE(
    "the events of a task have a bound, within which nothing is lost and beyond which its end is kept") {
  RelayDatabase relay;
  relay.limits.task_event_bytes = 2000;
  const Task task = relay.delegate("a", "b", "work");
  const auto answer = [&](const std::string& status, const std::string& result) {
    const Response response{"b", "a", task.message_id, result, status};
    must(relay.in([&](StoreSession& session) { return respond(session, response); }));
  };
  const auto events = [&](std::int64_t after, std::size_t most_bytes) {
    return must(relay.in(
        [&](StoreSession& session) { return task_events(session, task.task_id, after, most_bytes); }));
  };
  answer("in_progress", std::string(600, 'x'));
  answer("in_progress", std::string(600, 'x'));
  CHECK(events(0, kAllEvents).size() == 3);
  for (int i = 0; i < 20; ++i) answer("in_progress", std::string(600, 'x'));
  const std::size_t kept = events(0, kAllEvents).size();
  CHECK(kept <= 4);
  answer("completed", std::string(1000, 'y'));
  const auto all = events(0, kAllEvents);
  REQUIRE(all.size() == kept + 2);
  CHECK(all[kept].kind == "artifact");
  CHECK(relay.task(task.task_id).state == TaskState::kCompleted);
  // By pages the same.
  std::vector<std::int64_t> seen;
  for (auto page = events(0, 700); !page.empty(); page = events(seen.back(), 700)) {
    CHECK(page.size() < all.size());
    for (const TaskEvent& event : page) seen.push_back(event.seq);
  }
  CHECK(seen.size() == all.size());
}

TEST_CASE("a long word about a task is whole in its event and cut in what lists tell") {
  RelayDatabase relay;
  const Task task = relay.delegate("a", "b", "work");
  const std::string word(100'000, 'x');
  const Response response{"b", "a", task.message_id, word, "in_progress"};
  must(relay.in([&](StoreSession& session) { return respond(session, response); }));
  CHECK(relay.task(task.task_id).status_text.size() == 4096);
  const auto events =
      must(relay.in([&](StoreSession& session) { return task_events(session, task.task_id, 1); }));
  CHECK(events.at(0).body["text"] == word);
}

TEST_CASE("what a stream has sent is read by pages of so many bytes") {
  RelayDatabase relay;
  for (int i = 0; i < 3; ++i) relay.delegate("a", "b", std::string(1000, 'x'));
  for (const Leased& message : relay.lease("b")) {
    must(relay.in([&](StoreSession& session) {
      return acknowledge_as_event(session, message.lease, message_text(message, false));
    }));
  }
  const auto page = [&](std::int64_t after, std::size_t bytes) {
    return must(
        relay.in([&](StoreSession& session) { return sent_events(session, "b", after, 100, bytes); }));
  };
  CHECK(page(0, 100'000).size() == 3);
  const auto first = page(0, 1);
  REQUIRE(first.size() == 1);
  CHECK(page(first[0].event_id, 100'000).size() == 2);
}

TEST_CASE("a relay that is full of agents lets one go that never came back, and no other") {
  RelayDatabase relay;
  relay.limits.agents = 2;
  relay.join("silent");
  relay.join("busy");
  const auto join = [&](const std::string& id) {
    Agent agent;
    agent.agent_id = agent.name = id;
    return code_of(relay.in([&](StoreSession& session) { return put_agent(session, agent); }));
  };
  relay.clock.advance(std::chrono::seconds(60));
  must(relay.in([&](StoreSession& session) { return heard_of(session, "busy"); }));
  CHECK(join("third") == "AGENTS_FULL");
  relay.clock.advance(std::chrono::milliseconds(relay.limits.online_ms));
  CHECK(join("third") == "ok");
  CHECK(join("fourth") == "AGENTS_FULL");
  const auto there = must(relay.in([&](StoreSession& session) { return list_agents(session, {}); }));
  CHECK(there.size() == 2);
  CHECK(must(relay.in([&](StoreSession& session) { return find_agent(session, "busy"); })));
}

TEST_CASE("the id of a guarded agent that left is nobody's while its tasks are kept; others' are free") {
  RelayDatabase relay;
  const AccessRules rules;
  const auto claim = [&](const std::string& id) {
    return code_of(relay.in([&](StoreSession& session) { return speak_as(session, rules, {}, id); }));
  };
  const auto leaves = [&](const std::string& id) {
    must(relay.in([&](StoreSession& session) { return remove_agent(session, id, "owner"); }));
  };
  relay.join("guarded");
  relay.join("open");
  const NewCredential made =
      must(relay.in([&](StoreSession& session) { return make_credential(session, "guarded", "a"); }));
  must(relay.in([&](StoreSession& session) { return make_credential(session, "open", "a"); }));
  const Presented own{made.token, ""};
  must(relay.in([&](StoreSession& session) { return authenticate(session, rules, own); }));
  const Task task = relay.delegate("boss", "guarded", "secret");
  const std::string lease = relay.lease("guarded").at(0).lease;
  must(relay.in([&](StoreSession& session) { return acknowledge(session, lease); }));
  leaves("guarded");
  leaves("open");
  // What it had taken ends with it.
  CHECK(relay.task(task.task_id).state == TaskState::kFailed);
  CHECK(claim("guarded") == "FORBIDDEN");
  CHECK(claim("open") == "ok");
  CHECK(code_of(relay.in([&](StoreSession& session) { return authenticate(session, rules, own); })) ==
        "UNAUTHORIZED");
  relay.later(relay.limits.keep_tasks_ms);
  CHECK(claim("guarded") == "ok");
}

TEST_CASE("nobody has the names that the relay itself speaks by") {
  RelayDatabase relay;
  const AccessRules rules;
  const auto claim = [&](const std::string& id) {
    return code_of(relay.in([&](StoreSession& session) { return speak_as(session, rules, {}, id); }));
  };
  CHECK(claim("relay") == "FORBIDDEN");
  CHECK(claim("a2a-client") == "FORBIDDEN");
  CHECK(claim("relay-2") == "ok");
}

TEST_CASE("full of files, the relay forgets replaced contents, the oldest first, and never a newest one") {
  RelayDatabase relay;
  relay.limits.files_bytes = 100;
  const auto put = [&](const std::string& key, std::size_t bytes) {
    const FilePut change{key, std::string(bytes, 'x'), "a"};
    return code_of(relay.in([&](StoreSession& session) { return put_file(session, change); }));
  };
  const auto versions = [&](const std::string& key) {
    return must(relay.in([&](StoreSession& session) { return file_history(session, key); })).size();
  };
  for (int i = 0; i < 3; ++i) CHECK(put("a", 30) == "ok");
  relay.clock.advance(std::chrono::milliseconds(1));
  CHECK(put("b", 30) == "ok");
  CHECK(versions("a") == 2);
  CHECK(put("b", 40) == "ok");
  CHECK(versions("a") == 1);
  CHECK(versions("b") == 2);
  CHECK(put("c", 31) == "FILES_FULL");
  CHECK(put("c", 30) == "ok");
  must(relay.in([&](StoreSession& session) { return remove_file(session, "a", "owner"); }));
  CHECK(versions("a") == 0);
  CHECK(put("d", 30) == "ok");
  CHECK(code_of(relay.in([&](StoreSession& session) { return remove_file(session, "a", "owner"); })) ==
        "FILE_UNKNOWN");
}

TEST_CASE("a broadcast is kept once, and goes with the last who takes it") {
  RelayDatabase relay;
  const auto told = relay.in([&](StoreSession& session) {
    return enqueue_for_all(session, {"a", "b", "c"}, "knowledge_broadcast",
                           R"({"type":"knowledge_broadcast"})");
  });
  CHECK(must(told) == 3);
  CHECK(must(relay.database().integer("SELECT count(*) FROM shared_bodies")) == 1);
  for (const char* agent : {"a", "b", "c"}) {
    CHECK(must(relay.database().integer("SELECT count(*) FROM shared_bodies")) == 1);
    const Leased message = relay.lease(agent).at(0);
    CHECK(message.body == R"({"type":"knowledge_broadcast"})");
    must(relay.in([&](StoreSession& session) { return acknowledge(session, message.lease); }));
  }
  CHECK(must(relay.database().integer("SELECT count(*) FROM shared_bodies")) == 0);
  CHECK(must(relay.database().integer("SELECT count(*) FROM queues")) == 0);
}

TEST_CASE("what a connection held when the process died waits again; what a worker leased stays leased") {
  RelayDatabase relay;
  relay.delegate("a", "b", "one");
  relay.delegate("a", "c", "two");
  LeaseWish wish;
  wish.agent = "b";
  wish.lease_ms = 30'000;
  wish.of_connection = true;
  REQUIRE(must(relay.in([&](StoreSession& session) { return lease_messages(session, wish); })).size() == 1);
  REQUIRE(relay.lease("c").size() == 1);
  relay.open();
  must(relay.in([&](StoreSession& session) { return free_connection_leases(session); }));
  const std::vector<Leased> again = relay.lease("b");
  REQUIRE(again.size() == 1);
  CHECK(again[0].tries == 1);
  CHECK(relay.lease("c").empty());
}

TEST_CASE("what a stream has sent can be sent again, in the order of sending") {
  RelayDatabase relay;
  relay.delegate("a", "b", "later", "low");
  relay.delegate("a", "b", "first", "urgent");
  std::vector<std::int64_t> numbers;
  for (const Leased& message : relay.lease("b"))
    numbers.push_back(must(relay.in([&](StoreSession& session) {
      return acknowledge_as_event(session, message.lease, message_text(message, false));
    })));
  const auto after =
      must(relay.in([&](StoreSession& session) { return sent_events(session, "b", numbers[0], 10); }));
  REQUIRE(after.size() == 1);
  CHECK(after[0].event_id == numbers[1]);
  CHECK(Json::parse(after[0].text)["task"] == "later");
  relay.later(relay.limits.keep_events_ms);
  CHECK(must(relay.in([&](StoreSession& session) { return sent_events(session, "b", 0, 10); })).empty());
}

TEST_CASE("an agent that was not heard of leaves, and whoever delegated to it is told") {
  RelayDatabase relay;
  relay.join("b");
  const Task task = relay.delegate("a", "b", "work");
  relay.limits.delivery_ttl_ms = 365 * kDay;
  relay.later(relay.limits.online_ms);
  AgentFilter online;
  online.only_online = true;
  CHECK(must(relay.in([&](StoreSession& session) { return list_agents(session, online); })).empty());
  CHECK(must(relay.in([&](StoreSession& session) { return list_agents(session, {}); })).size() == 1);
  relay.limits.forget_agent_ms = kDay;
  relay.later(kDay);
  CHECK(must(relay.in([&](StoreSession& session) { return list_agents(session, {}); })).empty());
  CHECK(relay.task(task.task_id).state == TaskState::kFailed);
}

TEST_CASE("an agent that has used its credential is nobody else's") {
  RelayDatabase relay;
  relay.join("a");
  AccessRules rules;
  rules.shared_token = "house-key";
  const Presented shared{"house-key", ""};
  const auto speaks = [&](const Presented& presented, const std::string& as) {
    return relay.in([&](StoreSession& session) -> Result<Sender> {
      const Result<Caller> caller = authenticate(session, rules, presented);
      if (!caller) return caller.error();
      return speak_as(session, rules, *caller, as);
    });
  };
  const NewCredential made =
      must(relay.in([&](StoreSession& session) { return make_credential(session, "a", "a"); }));
  CHECK(made.token.starts_with("clk_" + made.key_id + "_"));
  // Never used: the shared token keeps its power.
  CHECK(must(speaks(shared, "a")).verified == false);
  const Presented own{made.token, ""};
  CHECK(must(speaks(own, "")).agent == "a");
  CHECK(must(speaks(own, "a")).verified);
  CHECK(code_of(speaks(own, "b")) == "FORBIDDEN");
  CHECK(code_of(speaks(shared, "a")) == "FORBIDDEN");
  CHECK(code_of(speaks(shared, "b")) == "ok");
  CHECK(code_of(speaks({"house-kez", ""}, "b")) == "UNAUTHORIZED");
  CHECK(code_of(speaks({std::nullopt, "house-key"}, "b")) == "ok");
  // A header wins, even when it is wrong; a credential does not come by a query.
  CHECK(code_of(speaks({"wrong", "house-key"}, "b")) == "UNAUTHORIZED");
  CHECK(code_of(speaks({std::nullopt, made.token}, "a")) == "UNAUTHORIZED");
  Presented altered = own;
  altered.bearer->back() = altered.bearer->back() == 'A' ? 'B' : 'A';
  CHECK(code_of(speaks(altered, "a")) == "UNAUTHORIZED");
  // Two are in force while one replaces the other.
  const NewCredential next =
      must(relay.in([&](StoreSession& session) { return make_credential(session, "a", "a"); }));
  CHECK(code_of(speaks(own, "a")) == "ok");
  CHECK(code_of(speaks({next.token, ""}, "a")) == "ok");
  must(relay.in([&](StoreSession& session) { return revoke_credentials(session, made.key_id, "owner"); }));
  CHECK(code_of(speaks(own, "a")) == "UNAUTHORIZED");
  CHECK(code_of(speaks({next.token, ""}, "a")) == "ok");
  rules.require_credentials = true;
  CHECK(code_of(speaks(shared, "b")) == "FORBIDDEN");
  CHECK(code_of(speaks({next.token, ""}, "a")) == "ok");
}

TEST_CASE("the database holds no credential") {
  RelayDatabase relay;
  relay.join("a");
  const NewCredential made =
      must(relay.in([&](StoreSession& session) { return make_credential(session, "a", "a"); }));
  must(relay.database().execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  std::FILE* file = std::fopen(database_path(relay.directory()).c_str(), "rb");
  REQUIRE(file != nullptr);
  std::string bytes(8'000'000, '\0');
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file));
  std::fclose(file);
  CHECK(bytes.find(made.key_id) != std::string::npos);
  CHECK(bytes.find(made.token.substr(made.token.size() - 40)) == std::string::npos);
}

TEST_CASE("a file changes only from the version that its editor has seen") {
  RelayDatabase relay;
  relay.join("a");
  relay.join("b");
  const auto put = [&](const std::string& content, std::optional<std::int64_t> expected) {
    FilePut change{"plan", content, "a"};
    change.expected_version = expected;
    return must(relay.in([&](StoreSession& session) { return put_file(session, change); }));
  };
  CHECK(put("one", 0).version == 1);
  CHECK_FALSE(put("two", 0).saved);
  CHECK(put("two", 1).version == 2);
  const FilePutResult conflict = put("three", 1);
  CHECK_FALSE(conflict.saved);
  CHECK(conflict.version == 2);
  CHECK(put("", std::nullopt).version == 3);
  CHECK(put(std::string("\0\xff", 2), std::nullopt).version == 4);
  const auto read = [&](std::int64_t version) {
    return must(relay.in([&](StoreSession& session) { return get_file(session, "plan", version); }));
  };
  CHECK(read(0)->content == std::string("\0\xff", 2));
  CHECK(read(2)->content == "two");
  CHECK(read(3)->content.empty());
  CHECK_FALSE(read(9));
  CHECK(must(relay.in([&](StoreSession& session) { return file_history(session, "plan"); })).size() == 4);
  CHECK(relay.lease("a").empty());
  CHECK(relay.lease("b").size() == 4);
}

TEST_CASE("a request that names itself is done once, and its name does for nothing else") {
  RelayDatabase relay;
  RequestKey request{"shared", "key-1", "POST /delegate {}"};
  CHECK_FALSE(must(relay.in([&](StoreSession& session) { return answered_before(session, request); })));
  Reply reply = json_reply({{"message_id", "m"}});
  must(relay.in([&](StoreSession& session) { return remember_answer(session, request, reply); }));
  const auto again = must(relay.in([&](StoreSession& session) { return answered_before(session, request); }));
  REQUIRE(again);
  CHECK(again->body == reply.body);
  request.content = "POST /delegate {\"other\":1}";
  CHECK(code_of(relay.in([&](StoreSession& session) { return answered_before(session, request); })) ==
        "KEY_REUSED");
  request.caller = "agent:a";
  CHECK_FALSE(must(relay.in([&](StoreSession& session) { return answered_before(session, request); })));
}

TEST_CASE("a database of another program is left as it is, and so is one of a newer version") {
  RelayDatabase relay;
  must(relay.database().execute("PRAGMA user_version = 99"));
  relay.release();
  CHECK(code_of(open_relay_database(relay.directory())) == "STORE_NEWER_VERSION");
}

}  // namespace hostclaw::clawlink::testing
