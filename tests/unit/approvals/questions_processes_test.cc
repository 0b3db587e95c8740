// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <csignal>

#include "processes.h"
#include "questions_fixture.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

TEST_CASE("an answer from another process is noticed and its one use is given to one",
          "[questions][processes]") {
  QuestionsFixture f;
  const std::string id = f.ask(git_question());
  const std::int64_t before = must(f.store->foreign_change_count());
  CHECK(must(f.store->foreign_change_count()) == before);
  CHECK(in_child([&] {
          auto store = Store::open(f.base.path(), OpenMode::kReadWrite);
          return store && Questions(**store).answer(id, once(), 2000) ? 0 : 1;
        }) == 0);
  CHECK(must(f.store->foreign_change_count()) != before);
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(start_child([&] {
      auto store = Store::open(f.base.path(), OpenMode::kReadWrite);
      if (!store) return 2;
      const auto used = Questions(**store).consume(git_request(), 2100);
      return !used ? 3 : used->empty() ? 0 : 1;
    }));
  }
  int served = 0;
  for (const pid_t child : children) {
    const int status = wait_for_child(child);
    CHECK(status <= 1);
    served += status;
  }
  CHECK(served == 1);
}

TEST_CASE("questions and answers survive the death of the process that wrote them",
          "[questions][processes]") {
  QuestionsFixture f;
  f.store.reset();
  CHECK(in_child([&] {
          auto store = Store::open(f.base.path(), OpenMode::kReadWrite);
          if (!store) return 1;
          Questions questions(**store);
          const auto first = questions.ask(git_question("open"), 1000);
          const auto second = questions.ask(git_question("answered"), 1000);
          if (!first || !second || !questions.answer(second->question.id, once(), 2000)) return 2;
          ::kill(::getpid(), SIGKILL);
          return 3;
        }) == 128 + SIGKILL);
  f.store = open_store(f.base.path());
  Questions questions(*f.store);
  CHECK(must(questions.all_callers_left()) == 1);
  const auto pending = must(questions.pending(3000));
  REQUIRE(pending.size() == 1);
  CHECK(pending[0].asked.key == "open");
  CHECK(must(questions.consume(git_request("answered"), 3000)).size() == 1);
  CHECK(must(questions.consume(git_request("answered"), 3001)).empty());
}

}  // namespace
}  // namespace hostclaw::approvals
