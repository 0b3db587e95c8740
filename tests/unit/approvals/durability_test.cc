// SPDX-License-Identifier: Apache-2.0
// Proof under fire: every single disk operation failing in turn, and processes killed at random moments.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "approvals/audit/audit_chain.h"
#include "approvals/audit/audit_settings.h"
#include "approvals/database/schema.h"
#include "approvals/database/sqlite.h"
#include "approvals/policy/policy_cache.h"
#include "approvals/policy/rule_store.h"
#include "approvals/questions/questions.h"
#include "approvals/store/settings.h"
#include "approvals/store/store.h"
#include "failing_disk.h"
#include "processes.h"
#include "support.h"
#include "workload.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

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

void add_sixty_rows(Store& store) {
  AuditChain chain(store);
  for (int i = 0; i < 60; ++i)
    must(chain.append("decision", {{"number", i}, {"text", std::string(300, 'x')}}));
}

void grant_for_good(Store& store) {
  const auto asked = must(Questions(store).ask(question_with("k"), 1000));
  must(Questions(store).answer(
      asked.question.id, {Answer::Decision::kAllowAlways, GrantScope::kExact, {}, 0, false, kHuman}, 2000));
}

const Operation kOperations[] = {
    {"decision",
     [](Store& store) {
       Questions questions(store);
       const auto asked = must(questions.ask(question_with("k"), 1000));
       must(questions.answer(asked.question.id, allow_once(), 2000));
     },
     [](Store& store) { return without_value(decide(store, "k", "run-1")); },
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
       return end_run(store, (**row).row_id, "run-1");
     },
     [](Store& store) {
       return must(store.run("run-1"))->state + " " +
              std::to_string(must(AuditChain(store).rows({0, 0, "end", 10, true})).size());
     }},
    {"retention of the record", add_sixty_rows,
     [](Store& store) {
       AuditRetention retention;
       retention.keep_rows = 10;
       return without_value(AuditChain(store, frequent_checkpoints()).prune(retention, kHuman));
     },
     [](Store& store) { return std::to_string(must(AuditChain(store).stats()).first_sequence); }},
    {"checkpoint", add_sixty_rows,
     [](Store& store) { return without_value(AuditChain(store, frequent_checkpoints()).checkpoint()); },
     [](Store& store) { return std::to_string(must(AuditChain(store).stats()).last_checkpoint_row); }},
    {"setting", [](Store&) {}, [](Store& store) { return put_exec_setting(store, "exec.askVia", "local"); },
     [](Store& store) { return setting_text(store, "exec.askVia"); }},
    {"setting of retention", [](Store&) {},
     [](Store& store) {
       AuditKeep keep;
       keep.rows = 1000;
       return put_audit_keep(store, keep, kHuman);
     },
     [](Store& store) { return setting_text(store, "audit.retention"); }},
    {"rules", [](Store&) {},
     [](Store& store) { return without_value(switch_starter_rules(store, true, kHuman)); },
     [](Store& store) {
       return std::to_string(must(rules_generation(store))) + " " +
              std::to_string(must(stored_rules(store)).size());
     }},
    {"revocation", grant_for_good,
     [](Store& store) {
       const auto grants = Questions(store).grants({"", false}, 3000);
       if (!grants) return Result<void>(grants.error());
       return without_value(Questions(store).revoke(grants->front().id, kHuman, 3000));
     },
     [](Store& store) { return std::to_string(must(Questions(store).grants({}, 3000)).size()); }},
    {"withdrawal", [](Store& store) { must(Questions(store).ask(question_with("k"), 1000)); },
     [](Store& store) {
       const auto pending = Questions(store).pending(1500);
       if (!pending) return Result<void>(pending.error());
       return without_value(Questions(store).withdraw(pending->front().id, 2000));
     },
     [](Store& store) { return question_state(store, "k"); }},
    {"use of an entry", [](Store&) {},
     [](Store& store) {
       return store.record_usage({{"main", "/usr/bin/git", "", 1000, "git push", "/usr/bin/git"}});
     },
     [](Store& store) { return std::to_string(must(store.usage()).size()); }},
    {"start after a death",
     [](Store& store) {
       RunRow row;
       row.run_id = "run-1";
       row.verdict = "allow";
       row.state = "running";
       must(store.insert_run(row));
       must(Questions(store).ask(question_with("k"), 1000));
     },
     [](Store& store) {
       return store.transaction([&]() -> Result<void> {
         if (auto marked = store.mark_interrupted_runs(2000); !marked) return marked.error();
         return without_value(Questions(store).all_callers_left());
       });
     },
     [](Store& store) {
       return must(store.run("run-1"))->state +
              (must(Questions(store).pending(1500)).front().caller_waits ? " waits" : " left");
     }},
    {"token that is replaced and removed",
     [](Store& store) {
       must(store.insert_identity({"id", "p", "s", 1}));
       must(store.put_device_token("id", "node", "first", std::nullopt));
       must(store.put_device_token("id", "operator", "other", std::nullopt));
     },
     [](Store& store) {
       return store.transaction([&]() -> Result<void> {
         if (auto put = store.put_device_token("id", "node", "second", "first"); !put) return put;
         return store.remove_device_token("id", "operator");
       });
     },
     [](Store& store) {
       return must(store.device_token("id", "node"))->token +
              (must(store.device_token("id", "operator")).has_value() ? " other" : "");
     }},
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
    // Whoever is refused because of it is told what to look at.
    CHECK(outcome.error().message.find(base / "hostclaw.sqlite") != std::string::npos);
    CHECK((told != "STORE_FULL" || outcome.error().next.starts_with("df -h ")));
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
  std::set<std::string> ends;
  std::set<std::string> executions;
  std::set<std::string> questions;
  std::set<std::string> answers;
  std::int64_t generation = 0;
  std::int64_t setting = 0;
};

std::string executions_file(const std::string& directory) { return directory + ".executions"; }

// A node in small: asks, answers, decides, executes (a line in a file), records the end, writes policy and
// settings, as fast as it can, and tells what was acknowledged. What an earlier one left is taken up first:
// an answer that was not used yet serves its question, an open question is answered.
class Victim {
 public:
  Victim(std::string directory, int channel) : directory_(std::move(directory)), channel_(channel) {}

  int work(int round) {
    auto opened = Store::open(directory_, OpenMode::kReadWrite);
    if (!opened) return 1;
    store_ = std::move(*opened);
    executions_ =
        ::open(executions_file(directory_).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (executions_ < 0 || !store_->mark_interrupted_runs(1000)) return 2;
    if (!take_up()) return 3;
    for (int i = 0;; ++i) {
      const std::string key = std::to_string(round) + "-" + std::to_string(i);
      const auto asked = Questions(*store_).ask(question_with(key), 1000);
      if (!asked || !tell("Q " + key)) return 4;
      if (i % 7 == 6) continue;  // stays pending, for the next one
      if (!answer(asked->question.id, key)) return 5;
      if (i % 7 == 5) continue;  // answered, and not used before the next one
      if (!run(key)) return 6;
      if (i % 5 != 4) continue;
      const auto put = store_->put_document(
          "{\"version\":1}" + std::string(static_cast<std::size_t>(i), ' ') + key, std::nullopt, kHuman);
      if (!put || !tell("P " + std::to_string(put->generation))) return 7;
      const std::int64_t value = 1000 + round * 1000 + i;
      if (!put_exec_setting(*store_, "exec.askWaitMs", value) || !tell("S " + std::to_string(value)))
        return 8;
    }
  }

 private:
  bool tell(const std::string& line) {
    const std::string text = line + "\n";
    return ::write(channel_, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }
  bool answer(const std::string& id, const std::string& key) {
    return Questions(*store_).answer(id, allow_once(), 2000).has_value() && tell("A " + key);
  }
  bool run(const std::string& key) {
    const auto row = decide(*store_, key, "run-" + key);
    if (!row || !tell("D " + key)) return false;
    const std::string line = key + "\n";
    if (::write(executions_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return false;
    return tell("X " + key) && end_run(*store_, *row, "run-" + key).has_value() && tell("E " + key);
  }
  bool take_up() {
    const auto known = Questions(*store_).recent(1'000'000);
    if (!known) return false;
    for (const Question& question : *known) {
      const std::string& key = question.asked.key;
      if (question.state == QuestionState::kPending && !answer(question.id, key)) return false;
      const auto ran = store_->run("run-" + key);
      if (!ran || (!*ran && !run(key))) return false;
    }
    return true;
  }

  const std::string directory_;
  const int channel_;
  std::unique_ptr<Store> store_;
  int executions_ = -1;
};

void note_acknowledgement(char kind, const std::string& what, Acknowledged& acknowledged) {
  if (kind == 'Q') acknowledged.questions.insert(what);
  if (kind == 'A') acknowledged.answers.insert(what);
  if (kind == 'D') acknowledged.decisions.insert("run-" + what);
  if (kind == 'X') acknowledged.executions.insert(what);
  if (kind == 'E') acknowledged.ends.insert("run-" + what);
  if (kind == 'P')
    acknowledged.generation = std::max(acknowledged.generation, std::int64_t{std::stoll(what)});
  if (kind == 'S') acknowledged.setting = std::max(acknowledged.setting, std::int64_t{std::stoll(what)});
}

// The time runs from the start of the process, or from the first thing it says: on a slow machine it would
// else never come to work.
enum class TimeFrom { kStart, kFirstWord };
void read_acknowledgements(int channel, std::chrono::microseconds time, TimeFrom from, pid_t victim,
                           Acknowledged& acknowledged) {
  auto end = std::chrono::steady_clock::now() + time;
  bool running = from == TimeFrom::kStart;
  std::string text;
  bool killed = false;
  char buffer[65536];
  for (;;) {
    if (!killed && running && std::chrono::steady_clock::now() >= end) {
      ::kill(victim, SIGKILL);
      killed = true;
    }
    pollfd waiting{channel, POLLIN, 0};
    if (::poll(&waiting, 1, killed ? -1 : 1) <= 0) continue;
    const ssize_t count = ::read(channel, buffer, sizeof buffer);
    if (count <= 0) break;
    if (!std::exchange(running, true)) end = std::chrono::steady_clock::now() + time;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  std::size_t start = 0;
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', start)) {
    note_acknowledgement(text[start], text.substr(start + 2, at - start - 2), acknowledged);
    start = at + 1;
  }
}

std::multiset<std::string> lines_of(const std::string& path) {
  std::multiset<std::string> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.insert(line);
  return lines;
}

void check_after_death(const std::string& directory, const Acknowledged& acknowledged) {
  auto store = open_store(directory);
  must(store->check_integrity());
  AuditChain chain(*store);
  const AuditVerification record = must(chain.verify());
  CHECK(record.problem == "");
  CHECK(record.valid);

  std::map<std::string, std::string> runs;
  for (const RunRow& row : must(store->runs({1'000'000, "", ""}))) {
    CHECK(runs.count(row.run_id) == 0);
    runs[row.run_id] = row.state;
  }
  std::set<std::string> recorded;
  for (const AuditRow& row : must(chain.rows({0, 0, "decision", 1'000'000, true}))) {
    CHECK(recorded.insert(must(parse_json(row.body))["run"].get<std::string>()).second);
  }
  std::map<std::string, std::string> states;
  for (const Question& question : must(Questions(*store).recent(1'000'000))) {
    states[question.asked.key] = std::string(to_string(question.state));
  }
  // Nothing acknowledged is lost, nothing is there without its record, nothing twice.
  for (const std::string& id : acknowledged.decisions) CHECK(runs.count(id) == 1);
  for (const std::string& id : acknowledged.ends) CHECK(runs[id] == "finished");
  CHECK(runs.size() == recorded.size());
  for (const auto& [id, state] : runs) CHECK(recorded.count(id) == 1);
  // What was executed had its row before, and was executed once.
  const std::multiset<std::string> executed = lines_of(executions_file(directory));
  for (const std::string& key : executed) {
    CHECK(executed.count(key) == 1);
    CHECK(recorded.count("run-" + key) == 1);
  }
  for (const std::string& key : acknowledged.executions) CHECK(executed.count(key) == 1);
  for (const std::string& key : acknowledged.questions) {
    CHECK((states[key] == "pending" || states[key] == "allowed"));
  }
  // An answer that was given is used, or still there to be used.
  for (const std::string& key : acknowledged.answers) {
    CHECK(states[key] == "allowed");
    const bool left = !must(Questions(*store).covering(request_with(key), 5000)).empty();
    CHECK(left == (runs.count("run-" + key) == 0));
  }
  CHECK(must(store->document_generation()) >= acknowledged.generation);
  if (acknowledged.setting > 0)
    CHECK(std::stoll(setting_text(*store, "exec.askWaitMs")) >= acknowledged.setting);
  for (const Grant& grant : must(Questions(*store).grants({"", false}, 5000))) {
    CHECK(grant.use_count == (runs.count("run-" + grant.plan_key) == 1 ? 1 : 0));
  }
}

int rounds() {
  const char* wanted = std::getenv("HOSTCLAW_KILL_ROUNDS");
  return wanted == nullptr ? 500 : std::max(1, std::atoi(wanted));
}

TEST_CASE("a process killed at a random moment under load loses and doubles nothing",
          "[durability][processes]") {
  TemporaryDirectory base;
  std::mt19937 random(20'260'906);
  Acknowledged acknowledged;
  std::string directory;
  std::size_t taken_up = 0;  // executions that a later process owed to an earlier one
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
      return Victim(directory, channel[1]).work(round);
    });
    ::close(channel[1]);
    read_acknowledgements(channel[0], std::chrono::microseconds(random() % 20'000),
                          round % 2 == 0 ? TimeFrom::kStart : TimeFrom::kFirstWord, victim, acknowledged);
    ::close(channel[0]);
    const int status = wait_for_child(victim);
    CAPTURE(round);
    REQUIRE(status == 128 + SIGKILL);
    check_after_death(directory, acknowledged);
    for (const std::string& key : acknowledged.executions)
      taken_up += key.starts_with(std::to_string(round) + "-") ? 0 : 1;
  }
  CHECK(taken_up > 0);
}

}  // namespace
}  // namespace hostclaw::approvals
