// SPDX-License-Identifier: Apache-2.0
// Ten processes at once on one store: nodes that ask, decide and record, people and scripts at the command
// line that answer and edit, and the upkeep of the record. Nobody is ever told that the database is busy.
#include <unistd.h>

#include <map>
#include <set>
#include <vector>

#include "approvals/audit/audit_chain.h"
#include "approvals/questions/questions.h"
#include "approvals/store/settings.h"
#include "approvals/store/store.h"
#include "base/sha256.h"
#include "processes.h"
#include "support.h"
#include "workload.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

constexpr int kNodes = 4;
constexpr int kRunsOfEach = 60;
constexpr int kWritesOfEach = 60;

// The end of file of one pipe, which every child waits for.
struct Start {
  int ends[2] = {-1, -1};
  Start() { REQUIRE(::pipe(ends) == 0); }
  void wait() const {
    ::close(ends[1]);
    char byte = 0;
    (void)!::read(ends[0], &byte, 1);
  }
  void now() const { ::close(ends[1]); }
};

// Exit statuses name what failed: 100 + number, or 60 when the database was busy.
int status_of(const Error& error, int number) { return error.code == "STORE_LOCKED" ? 60 : 100 + number; }

// A daemon: one connection; asks, waits until somebody answered, decides, records the end.
int work_as_node(const std::string& directory, int node) {
  const auto opened = Store::open(directory, OpenMode::kReadWrite);
  if (!opened) return status_of(opened.error(), 1);
  Store& store = **opened;
  Questions questions(store);
  for (int i = 0; i < kRunsOfEach; ++i) {
    const std::string key = std::to_string(node) + "-" + std::to_string(i);
    const auto asked = questions.ask(question_with(key), 1000);
    if (!asked) return status_of(asked.error(), 2);
    for (;;) {
      const auto question = questions.find(asked->question.id);
      if (!question) return status_of(question.error(), 3);
      if (question->state != QuestionState::kPending) break;
    }
    const auto row = decide(store, key, "run-" + key);
    if (!row) return status_of(row.error(), 4);
    if (const auto ended = end_run(store, *row, "run-" + key); !ended) return status_of(ended.error(), 5);
  }
  return 0;
}

// A command line: a connection for each command; answers until every node is through.
int work_as_answering_person(const std::string& directory) {
  for (;;) {
    const auto opened = Store::open(directory, OpenMode::kReadWrite);
    if (!opened) return status_of(opened.error(), 11);
    Questions questions(**opened);
    const auto pending = questions.pending(1500);
    if (!pending) return status_of(pending.error(), 12);
    for (const Question& question : *pending) {
      const auto answered = questions.answer(question.id, allow_once(), 2000);
      // The other person was faster: that is an answer, too.
      if (!answered && answered.error().code != "QUESTION_CLOSED") return status_of(answered.error(), 13);
    }
    const auto rows = (**opened).runs({100'000, "", ""});
    if (!rows) return status_of(rows.error(), 14);
    if (rows->size() == static_cast<std::size_t>(kNodes * kRunsOfEach)) return 0;
  }
}

// Appends a line to the document with compare-and-swap, again when somebody else was faster.
int work_as_editor(const std::string& directory, int editor) {
  for (int i = 0; i < kWritesOfEach; ++i) {
    for (;;) {
      const auto opened = Store::open(directory, OpenMode::kReadWrite);
      if (!opened) return status_of(opened.error(), 21);
      const auto before = (**opened).document();
      if (!before) return status_of(before.error(), 22);
      const std::string line = std::to_string(editor) + "-" + std::to_string(i) + "\n";
      const auto put = (**opened).put_document(before->raw_text + line, before->hash, kHuman);
      if (put) break;
      if (put.error().code != "STORE_CONFLICT") return status_of(put.error(), 23);
    }
  }
  return 0;
}

int work_as_owner(const std::string& directory) {
  for (int i = 0; i < kWritesOfEach; ++i) {
    const auto opened = Store::open(directory, OpenMode::kReadWrite);
    if (!opened) return status_of(opened.error(), 31);
    if (const auto put = put_exec_setting(**opened, "exec.askWaitMs", 1000 + i); !put)
      return status_of(put.error(), 32);
    if (const auto put = (**opened).put_device_token("id", std::to_string(i), "token", std::nullopt); !put)
      return status_of(put.error(), 33);
  }
  return 0;
}

int work_as_upkeep(const std::string& directory) {
  const auto opened = Store::open(directory, OpenMode::kReadWrite);
  if (!opened) return status_of(opened.error(), 41);
  AuditChain chain(**opened, frequent_checkpoints());
  for (int i = 0; i < kWritesOfEach; ++i) {
    if (const auto made = chain.checkpoint(); !made) return status_of(made.error(), 42);
    const auto found = chain.verify();
    if (!found) return status_of(found.error(), 43);
    if (!found->valid) return 144;
  }
  return 0;
}

TEST_CASE("ten processes ask, answer, decide, edit and sign at once: nothing is lost and nobody is refused",
          "[store][processes]") {
  TemporaryDirectory base;
  const std::string directory = base / "state";
  const Start start;
  std::vector<pid_t> children;
  const auto add = [&](const std::function<int()>& work) {
    children.push_back(start_child([&] {
      start.wait();
      return work();
    }));
  };
  for (int node = 0; node < kNodes; ++node) add([&, node] { return work_as_node(directory, node); });
  for (int person = 0; person < 2; ++person) add([&] { return work_as_answering_person(directory); });
  for (int editor = 0; editor < 2; ++editor) add([&, editor] { return work_as_editor(directory, editor); });
  add([&] { return work_as_owner(directory); });
  add([&] { return work_as_upkeep(directory); });
  REQUIRE(children.size() == 10);
  start.now();
  for (const pid_t child : children) CHECK(wait_for_child(child) == 0);

  auto store = open_store(directory);
  must(store->check_integrity());
  AuditChain chain(*store);
  const AuditVerification record = must(chain.verify());
  CHECK(record.problem == "");
  const AuditStats stats = must(chain.stats());
  const int runs = kNodes * kRunsOfEach;
  for (const char* kind : {"question", "answer", "grant", "decision", "end"}) {
    INFO(kind);
    CHECK(stats.by_kind.at(kind) == runs);
  }
  CHECK(stats.by_kind.at("policy-write") == 2 * kWritesOfEach);
  CHECK(stats.by_kind.at("setting-write") == kWritesOfEach);
  CHECK(stats.by_kind.at("pairing") == kWritesOfEach);
  CHECK(stats.by_kind.at("checkpoint") >= kWritesOfEach);
  CHECK(must(store->runs({100'000, "", ""})).size() == static_cast<std::size_t>(runs));
  for (const RunRow& row : must(store->runs({100'000, "", ""}))) CHECK(row.state == "finished");
  for (const Grant& grant : must(Questions(*store).grants({"", false}, 5000))) CHECK(grant.use_count == 1);
  CHECK(must(Questions(*store).pending(1500)).empty());
  // Each line of each editor, once.
  std::set<std::string> lines;
  const std::string text = must(store->document()).raw_text;
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    CHECK(lines.insert(text.substr(at, end - at)).second);
  CHECK(lines.size() == 2 * kWritesOfEach);
}

}  // namespace
}  // namespace hostclaw::approvals
