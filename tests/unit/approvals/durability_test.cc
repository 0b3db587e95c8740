// Proof under fire: every single disk operation failing in turn, and processes killed at random moments.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "approvals/audit_chain.h"
#include "approvals/policy_cache.h"
#include "approvals/questions.h"
#include "approvals/schema.h"
#include "approvals/sqlite.h"
#include "approvals/store.h"
#include "failing_disk.h"
#include "processes.h"
#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

NewQuestion question_with(const std::string& key, std::int64_t deadline_ms = 1'000'000) {
  NewQuestion question;
  question.key = key;
  question.agent_id = "main";
  question.shown_text = "git push";
  question.commands = {{"/usr/bin/git", {"git", "push"}}};
  question.details = Json::object();
  question.deadline_ms = deadline_ms;
  question.caller_deadline_ms = deadline_ms;
  return question;
}

GrantRequest request_with(const std::string& key) {
  return {key, "main", "", "", {{"/usr/bin/git", {"git", "push"}}}};
}

AuditOptions frequent_checkpoints() {
  AuditOptions options;
  options.signer =
      AuditSigner{"key", [](std::string_view) -> Result<std::string> { return std::string("signed"); }};
  options.checkpoint_every_rows = 5;
  return options;
}

// What an allowed run does before its spawn: consume the grant, write the row, write the record. All or
// nothing.
Result<void> decide(Store& store, const std::string& key, const std::string& run_id) {
  return store.transaction([&]() -> Result<void> {
    const auto used = Questions(store).consume(request_with(key), 5000);
    if (!used) return used.error();
    if (used->empty()) return make_error("NOT_COVERED", "no grant");
    RunRow row;
    row.run_id = run_id;
    row.verdict = "allow";
    row.state = "decided";
    row.output_tail = std::string(9000, 'o');
    const auto inserted = store.insert_run(row);
    if (!inserted) return inserted.error();
    const auto recorded = AuditChain(store, frequent_checkpoints()).append("decision", {{"run", run_id}});
    if (!recorded) return recorded.error();
    return {};
  });
}

std::string question_state(Store& store, const std::string& key) {
  for (const Question& question : must(Questions(store).recent(1000))) {
    if (question.asked.key == key) return std::string(to_string(question.state));
  }
  return "none";
}

// One way to change the store, and a text that tells whether it happened.
struct Operation {
  const char* name;
  void (*prepare)(Store& store);
  Result<void> (*apply)(Store& store);
  std::string (*effect)(Store& store);
};

template <class T>
Result<void> without_value(const Result<T>& result) {
  if (!result) return result.error();
  return {};
}

std::string count_runs(Store& store) { return std::to_string(must(store.runs({1000, "", ""})).size()); }

const Operation kOperations[] = {
    {"decision",
     [](Store& store) {
       Questions questions(store);
       const auto asked = must(questions.ask(question_with("k"), 1000));
       must(questions.answer(asked.question.id,
                             {Answer::Decision::kAllowOnce, GrantScope::kExact, {}, 0, false, kHuman}, 2000));
     },
     [](Store& store) { return decide(store, "k", "run-1"); },
     [](Store& store) {
       const bool left = !must(Questions(store).covering(request_with("k"), 5000)).empty();
       return count_runs(store) + (left ? " grant left" : " grant used");
     }},
    {"question", [](Store&) {},
     [](Store& store) { return without_value(Questions(store).ask(question_with("k"), 1000)); },
     [](Store& store) { return question_state(store, "k"); }},
    {"answer", [](Store& store) { must(Questions(store).ask(question_with("k"), 1000)); },
     [](Store& store) {
       Questions questions(store);
       const auto pending = questions.pending(1500);
       if (!pending) return Result<void>(pending.error());
       return without_value(questions.answer(
           pending->front().id, {Answer::Decision::kAllowAlways, GrantScope::kExact, {}, 0, false, kHuman},
           2000));
     },
     [](Store& store) {
       return question_state(store, "k") + " " +
              std::to_string(must(Questions(store).grants({}, 3000)).size());
     }},
    {"expiry", [](Store& store) { must(Questions(store).ask(question_with("k", 4000), 1000)); },
     [](Store& store) { return without_value(Questions(store).expire(5000)); },
     [](Store& store) { return question_state(store, "k"); }},
    {"policy write", [](Store& store) { must(store.put_document("{}", std::nullopt, kHuman)); },
     [](Store& store) {
       return without_value(
           store.put_document(R"({"version":1})" + std::string(6000, ' '), std::nullopt, kHuman));
     },
     [](Store& store) { return std::to_string(must(store.document_generation())); }},
    {"grant into the document",
     [](Store& store) { must(store.put_document("{\"version\":1}", std::nullopt, kHuman)); },
     [](Store& store) {
       return store_grants(store, "main", {{"/usr/bin/git", std::nullopt}});
     },
     [](Store& store) { return std::to_string(must(store.document_generation())); }},
    {"end of a run",
     [](Store& store) {
       RunRow row;
       row.run_id = "run-1";
       row.state = "running";
       must(store.insert_run(row));
     },
     [](Store& store) {
       const auto row = store.run("run-1");
       if (!row) return Result<void>(row.error());
       RunRow ended = **row;
       ended.state = "finished";
       ended.output_tail = std::string(9000, 'o');
       return store.update_run(ended);
     },
     [](Store& store) { return must(store.run("run-1"))->state; }},
    {"retention of the record",
     [](Store& store) {
       AuditChain chain(store);
       for (int i = 0; i < 60; ++i)
         must(chain.append("decision", {{"number", i}, {"text", std::string(300, 'x')}}));
     },
     [](Store& store) {
       AuditRetention retention;
       retention.keep_rows = 10;
       return without_value(AuditChain(store).prune(retention));
     },
     [](Store& store) { return std::to_string(must(AuditChain(store).stats()).first_sequence); }},
    {"identity and token", [](Store&) {},
     [](Store& store) {
       return store.transaction([&]() -> Result<void> {
         if (auto stored = store.insert_identity({"id", "p", "s", 1}); !stored) return stored.error();
         return store.put_device_token("id", "node", "token", std::nullopt);
       });
     },
     [](Store& store) {
       return std::string(must(store.identity()).has_value() ? "identity" : "none") +
              (must(store.device_token("id", "node")).has_value() ? " token" : " none");
     }},
};

// Tries one failure; answers false when the operation needs fewer calls than `nth`.
bool survives(const Operation& operation, int nth, int code, bool forever) {
  static const std::string empty = must(empty_database_image(schema_version()));
  TemporaryDirectory base;
  write_file(base / "hostclaw.sqlite", empty);
  FailingDisk disk;
  auto store = open_store(base.path());
  // A flush at each commit and frequent checkpoints bring every kind of disk call into play.
  must(store->survive_power_loss(true));
  must(store->database().execute("PRAGMA wal_autocheckpoint = 3"));
  operation.prepare(*store);
  const std::string before = operation.effect(*store);

  CAPTURE(operation.name, nth, code, forever);
  disk.fail_at(nth, code, forever);
  const Result<void> outcome = operation.apply(*store);
  disk.repair();
  const bool reached = disk.failed();
  if (!outcome) {
    const std::string& told = outcome.error().code;
    CHECK((told == "STORE_FULL" || told == "STORE_IO"));
    CHECK(operation.effect(*store) == before);
    must(operation.apply(*store));
  }
  CHECK(operation.effect(*store) != before);
  const AuditVerification record = must(AuditChain(*store).verify());
  CHECK(record.problem == "");
  must(store->check_integrity());
  // And from disk, by somebody who was not there.
  store.reset();
  store = open_store(base.path());
  CHECK(operation.effect(*store) != before);
  CHECK(must(AuditChain(*store).verify()).valid);
  return reached;
}

TEST_CASE("whichever disk operation fails, a change happens whole or not at all, and the store recovers",
          "[durability]") {
  const bool forever = GENERATE(false, true);
  const int code = GENERATE(SQLITE_FULL, SQLITE_IOERR_WRITE);
  for (const Operation& operation : kOperations) {
    int nth = 1;
    while (nth < 200 && survives(operation, nth, code, forever)) ++nth;
    CAPTURE(operation.name);
    CHECK(nth > 1);    // something did fail
    CHECK(nth < 200);  // and the end was reached
  }
}

TEST_CASE("opening on a failing disk fails with a reason and works later", "[durability]") {
  const bool forever = GENERATE(false, true);
  for (int nth = 1; nth < 100; ++nth) {
    TemporaryDirectory base;
    {
      auto store = open_store(base.path());
      must(store->put_setting("a", 1));
    }
    FailingDisk disk;
    disk.fail_at(nth, SQLITE_FULL, forever);
    const auto opened = Store::open(base.path(), OpenMode::kReadWrite);
    if (opened) {
      // Opening may need no write at all; what follows does.
      (void)(*opened)->put_setting("b", 1);
    } else {
      CHECK((opened.error().code == "STORE_FULL" || opened.error().code == "STORE_IO"));
    }
    disk.repair();
    const bool reached = disk.failed();
    auto store = open_store(base.path());
    CHECK(setting_text(*store, "a") == "1");
    must(store->put_setting("b", 2));
    if (!reached) break;
  }
}

// ---- processes killed at random moments ----

// Lines that the victim reports after the store answered.
struct Acknowledged {
  std::set<std::string> decisions;
  std::set<std::string> questions;
  std::set<std::string> answers;
  std::int64_t generation = 0;
};

// Asks, answers, decides, writes policy, as fast as it can, and tells what was acknowledged.
int work_until_killed(const std::string& directory, int round, int channel) {
  auto opened = Store::open(directory, OpenMode::kReadWrite);
  if (!opened) return 1;
  Store& store = **opened;
  Questions questions(store);
  const auto tell = [&](const std::string& line) {
    const std::string text = line + "\n";
    return ::write(channel, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  };
  for (int i = 0;; ++i) {
    const std::string key = std::to_string(round) + "-" + std::to_string(i);
    const auto asked = questions.ask(question_with(key), 1000);
    if (!asked || !tell("Q " + key)) return 2;
    if (i % 7 == 6) continue;  // stays pending
    const Answer once{Answer::Decision::kAllowOnce, GrantScope::kExact, {}, 0, false, kHuman};
    if (!questions.answer(asked->question.id, once, 2000) || !tell("A " + key)) return 3;
    if (!decide(store, key, "run-" + key) || !tell("D " + key)) return 4;
    if (i % 5 != 4) continue;
    const auto put = store.put_document(
        "{\"version\":1}" + std::string(static_cast<std::size_t>(i), ' ') + key, std::nullopt, kHuman);
    if (!put || !tell("P " + std::to_string(put->generation))) return 5;
  }
}

void read_acknowledgements(int channel, std::chrono::microseconds time, pid_t victim,
                           Acknowledged& acknowledged) {
  const auto end = std::chrono::steady_clock::now() + time;
  std::string text;
  bool killed = false;
  char buffer[65536];
  for (;;) {
    if (!killed && std::chrono::steady_clock::now() >= end) {
      ::kill(victim, SIGKILL);
      killed = true;
    }
    pollfd waiting{channel, POLLIN, 0};
    if (::poll(&waiting, 1, killed ? -1 : 1) <= 0) continue;
    const ssize_t count = ::read(channel, buffer, sizeof buffer);
    if (count <= 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  std::size_t start = 0;
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', start)) {
    const std::string what = text.substr(start + 2, at - start - 2);
    if (text[start] == 'Q') acknowledged.questions.insert(what);
    if (text[start] == 'A') acknowledged.answers.insert(what);
    if (text[start] == 'D') acknowledged.decisions.insert("run-" + what);
    if (text[start] == 'P')
      acknowledged.generation = std::max(acknowledged.generation, std::int64_t{std::stoll(what)});
    start = at + 1;
  }
}

void check_after_death(const std::string& directory, const Acknowledged& acknowledged) {
  auto store = open_store(directory);
  must(store->check_integrity());
  AuditChain chain(*store);
  const AuditVerification record = must(chain.verify());
  CHECK(record.problem == "");
  CHECK(record.valid);

  std::multiset<std::string> rows;
  for (const RunRow& row : must(store->runs({1'000'000, "", ""}))) rows.insert(row.run_id);
  std::set<std::string> recorded;
  for (const AuditRow& row : must(chain.rows({0, 0, "decision", 1'000'000, true}))) {
    recorded.insert(must(parse_json(row.body))["run"].get<std::string>());
  }
  std::map<std::string, std::string> states;
  for (const Question& question : must(Questions(*store).recent(1'000'000))) {
    states[question.asked.key] = std::string(to_string(question.state));
  }
  // Nothing acknowledged is lost, nothing is there without its record, nothing twice.
  CHECK(
      std::includes(rows.begin(), rows.end(), acknowledged.decisions.begin(), acknowledged.decisions.end()));
  CHECK(std::set<std::string>(rows.begin(), rows.end()) == recorded);
  CHECK(rows.size() == recorded.size());
  for (const std::string& key : acknowledged.questions) CHECK(states.count(key) == 1);
  for (const std::string& key : acknowledged.answers) CHECK(states[key] == "allowed");
  CHECK(must(store->document_generation()) >= acknowledged.generation);
  for (const Grant& grant : must(Questions(*store).grants({"", false}, 5000))) {
    const bool ran = rows.count("run-" + grant.plan_key) == 1;
    CHECK(grant.use_count == (ran ? 1 : 0));
  }
}

int rounds() {
  const char* wanted = std::getenv("HOSTCLAW_KILL_ROUNDS");
  return wanted == nullptr ? 25 : std::max(1, std::atoi(wanted));
}

TEST_CASE("a process killed at a random moment under load loses and doubles nothing",
          "[durability][processes]") {
  TemporaryDirectory base;
  std::mt19937 random(20'260'906);
  Acknowledged acknowledged;
  std::string directory;
  for (int round = 0; round < rounds(); ++round) {
    // A new store now and then, so that its creation is hit as well and checking stays quick.
    if (round % 10 == 0) {
      directory = base / std::to_string(round);
      acknowledged = {};
    }
    int channel[2];
    REQUIRE(::pipe(channel) == 0);
    const pid_t victim = start_child([&] {
      ::close(channel[0]);
      return work_until_killed(directory, round, channel[1]);
    });
    ::close(channel[1]);
    read_acknowledgements(channel[0], std::chrono::microseconds(random() % 25'000), victim, acknowledged);
    ::close(channel[0]);
    const int status = wait_for_child(victim);
    CAPTURE(round);
    REQUIRE(status == 128 + SIGKILL);
    check_after_death(directory, acknowledged);
  }
}

}  // namespace
}  // namespace hostclaw::approvals
