// SPDX-License-Identifier: Apache-2.0
// What is over goes after its time and beyond its number; what is not over, or still waited for, stays.
#include "clawlink/store/retention.h"
#include "clawlink/store/audit.h"
#include "tests/unit/clawlink/relay_database.h"

namespace hostclaw::clawlink::testing {
namespace {

struct RetainingRelay : RelayDatabase {
  bool has(const Task& task) {
    return must(in([&](StoreSession& session) { return find_task(session, task.task_id); })).has_value();
  }
  void read_all(const std::string& agent) {
    for (const Leased& message : lease(agent))
      must(in([&](StoreSession& session) { return acknowledge(session, message.lease); }));
  }
  // A task that has ended; its answer waits for `from` until that reads it.
  Task ended(const std::string& from = "boss") {
    const Task task = delegate(from, "worker", "work");
    read_all("worker");
    const Response response{"worker", from, task.message_id, "done"};
    must(in([&](StoreSession& session) { return respond(session, response); }));
    clock.advance(std::chrono::milliseconds(1));
    return task;
  }
  Task ended_and_read() {
    const Task task = ended();
    read_all("boss");
    return task;
  }
  std::int64_t count(const char* sql) { return must(database().integer(sql)); }
  bool record_is_sound() {
    const auto found = must(in([&](StoreSession& session) { return verify_record(session); }));
    INFO(found.problem);
    CHECK(found.valid);
    return found.valid;
  }
};

}  // namespace

TEST_CASE("a task that has ended goes after its time, with its history; one that has not ended stays") {
  RetainingRelay relay;
  const Task done = relay.ended_and_read();
  const Task open = relay.delegate("boss", "worker", "more work");
  relay.read_all("worker");
  const std::int64_t events = relay.count("SELECT count(*) FROM task_events");
  relay.later(relay.limits.keep_tasks_ms - 10);
  CHECK(relay.has(done));
  relay.later(10);
  CHECK_FALSE(relay.has(done));
  CHECK(relay.removed.tasks == 1);
  CHECK(relay.has(open));
  CHECK(events == 4);
  CHECK(relay.count("SELECT count(*) FROM task_events") == 1);
  CHECK(relay.count("SELECT count(*) FROM audit WHERE kind = 'clawlink-removed'") == 1);
}

TEST_CASE("of tasks that have ended so many are kept, the newest; those that have not are not counted") {
  RetainingRelay relay;
  relay.limits.keep_ended_tasks = 3;
  std::vector<Task> done;
  const Task open = relay.delegate("boss", "worker", "never done");
  relay.read_all("worker");
  for (int i = 0; i < 5; ++i) done.push_back(relay.ended_and_read());
  relay.keep();
  for (std::size_t i = 0; i < done.size(); ++i) CHECK(relay.has(done[i]) == (i >= 2));
  CHECK(relay.has(open));
}

TEST_CASE("tasks that are waited for count, and no other one goes in their place") {
  RetainingRelay relay;
  relay.limits.keep_ended_tasks = 1;
  const Task first = relay.ended("slow");
  const Task second = relay.ended("slow");
  const Task newest = relay.ended_and_read();
  relay.keep();
  CHECK(relay.has(first));
  CHECK(relay.has(second));
  CHECK(relay.has(newest));
}

TEST_CASE("a task is kept for as long as its answer waits to be read, and then goes") {
  RetainingRelay relay;
  relay.limits.keep_tasks_ms = kDay;
  const Task waited_for = relay.ended("boss");
  const Task read = relay.ended("other");
  relay.read_all("other");
  relay.later(2 * kDay);
  CHECK(relay.has(waited_for));
  CHECK_FALSE(relay.has(read));
  relay.read_all("boss");
  relay.keep();
  CHECK_FALSE(relay.has(waited_for));
}

TEST_CASE("what is kept for ever and in any number does not go") {
  RetainingRelay relay;
  relay.limits.keep_tasks_ms = relay.limits.keep_ended_tasks = relay.limits.keep_dead_letters_ms = 0;
  const Task done = relay.ended_and_read();
  relay.delegate("boss", "nobody", "work");
  relay.later(relay.limits.delivery_ttl_ms);
  relay.later(3650 * kDay);
  CHECK(relay.has(done));
  CHECK(relay.count("SELECT count(*) FROM dead_letters") > 0);
  CHECK_FALSE(relay.removed.anything());
}

TEST_CASE("many tasks go in several small parts, past those that are still waited for") {
  RetainingRelay relay;
  constexpr int kWaitedFor = 1100;  // more than are looked at in one part
  constexpr int kRead = 450;
  relay.limits.keep_tasks_ms = kDay;
  relay.limits.queue_rows = 10 * kWaitedFor;
  relay.join("boss");
  for (int i = 0; i < kWaitedFor; ++i) relay.ended("boss");
  for (int i = 0; i < kRead; ++i) relay.ended("other");
  must(relay.database().execute("DELETE FROM deliveries WHERE to_agent = 'other'"));
  relay.clock.advance(std::chrono::milliseconds(2 * kDay));
  int parts = 0;
  std::int64_t removed = 0;
  do {
    relay.keep();
    ++parts;
    CHECK(relay.removed.tasks <= 200);
    CHECK((relay.effects.look_at_ms == relay.clock.unix_ms()) == relay.removed.more);
    removed += relay.removed.tasks;
  } while (relay.removed.more && parts < 20);
  CHECK(removed == kRead);
  CHECK(parts < 20);
  CHECK(relay.count("SELECT count(*) FROM tasks") == kWaitedFor);
  // The next look begins with the oldest again.
  must(relay.database().execute("DELETE FROM deliveries"));
  relay.keep();
  CHECK(relay.removed.tasks == 200);
}

TEST_CASE("dead letters go after their time") {
  RetainingRelay relay;
  relay.limits.keep_dead_letters_ms = kDay;
  relay.delegate("boss", "nobody", "work");
  relay.later(relay.limits.delivery_ttl_ms);
  CHECK(relay.count("SELECT count(*) FROM dead_letters") == 1);
  relay.later(kDay - 1);
  CHECK(relay.count("SELECT count(*) FROM dead_letters") == 1);
  relay.later(1);
  CHECK(relay.count("SELECT count(*) FROM dead_letters") == 0);
  CHECK(relay.removed.dead_letters == 1);
}

TEST_CASE(
    "the record keeps every row unless it is told otherwise; what goes by age leaves a record that "
    "verifies") {
  RetainingRelay relay;
  for (int i = 0; i < 10; ++i) relay.ended_and_read();
  const std::int64_t before = relay.count("SELECT count(*) FROM audit");
  relay.later(100 * kDay);
  CHECK(relay.count("SELECT min(sequence) FROM audit") == 1);
  relay.limits.keep_record_ms = 50 * kDay;
  relay.delegate("boss", "worker", "of today");
  relay.keep();
  CHECK(relay.removed.rows >= before);
  CHECK(relay.count("SELECT count(*) FROM audit WHERE kind = 'clawlink-task'") == 1);
  CHECK(relay.count("SELECT count(*) FROM audit WHERE kind = 'pruned'") == 1);
  CHECK(relay.record_is_sound());
  // A few rows are not worth a row that tells of them.
  relay.clock.advance(std::chrono::milliseconds(51 * kDay));
  relay.keep();
  CHECK(relay.removed.rows == 0);
}

TEST_CASE("of the record so many rows are kept, the newest, and it verifies") {
  RetainingRelay relay;
  relay.limits.keep_record_rows = 10;
  for (int i = 0; i < 20; ++i) relay.ended_and_read();
  relay.keep();
  CHECK(relay.removed.rows > 0);
  CHECK(relay.count("SELECT count(*) FROM audit") == 11);  // and the row that tells of the removal
  CHECK(relay.record_is_sound());
}

TEST_CASE("a clock that jumps ahead makes nothing old before it has held for a day") {
  RetainingRelay relay;
  approvals::ClockLook look{relay.clock.unix_ms(), kHour, "boot"};
  const auto keep_after = [&](std::int64_t passed_ms, std::int64_t jumped_ms) {
    relay.clock.advance(std::chrono::milliseconds(passed_ms + jumped_ms));
    look.wall_ms = relay.clock.unix_ms();
    look.uptime_ms += passed_ms;
    relay.house.clock = look;
    relay.keep();
  };
  const Task done = relay.ended_and_read();
  keep_after(0, 0);
  keep_after(kMinute, 3650 * kDay);
  CHECK(relay.has(done));
  CHECK(relay.removed.clock_ahead_ms > 3000 * kDay);
  // A relay that starts again knows of it.
  relay.house = House();
  relay.open();
  keep_after(kMinute, 0);
  CHECK(relay.has(done));
  keep_after(kDay, 0);
  CHECK_FALSE(relay.has(done));
}

}  // namespace hostclaw::clawlink::testing
