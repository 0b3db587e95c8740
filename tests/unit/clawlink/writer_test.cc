// SPDX-License-Identifier: Apache-2.0
// Group commit: what waits is committed together and answered after it.
#include <atomic>
#include <future>
#include <mutex>

#include "clawlink/store/writer.h"
#include "tests/unit/clawlink/relay_database.h"

namespace hostclaw::clawlink::testing {
namespace {

struct Commits {
  std::mutex mutex;
  std::vector<std::size_t> sizes;
  CommitWriter::OnCommit take() {
    return [this](std::vector<std::function<void()>> answers, Effects) {
      {
        const std::lock_guard hold(mutex);
        sizes.push_back(answers.size());
      }
      for (const auto& answer : answers) answer();
    };
  }
};

Reply add_rule_row(StoreSession& session, const char* name, bool commits) {
  Reply reply;
  const Result<void> done = session.database
                                .statement(
                                    "INSERT INTO rules (effect, verb, who, what, created_at_ms) VALUES "
                                    "('deny', 'delegate', ?, '*', 0)")
                                .bind(std::string_view(name))
                                .run();
  if (!done) return error_reply(done.error());
  reply.commits = commits;
  return reply;
}

}  // namespace

TEST_CASE(
    "work that comes while the disk is busy shares one commit, and one that fails undoes itself alone") {
  RelayDatabase relay;
  Commits commits;
  std::promise<void> started, go;
  std::promise<Reply> last;
  {
    CommitWriter writer(relay.release(), {}, relay.clock, commits.take());
    std::shared_future<void> gate = go.get_future().share();
    writer.run(
        [&, gate](StoreSession&) {
          started.set_value();
          gate.wait();
          return Reply();
        },
        [](Reply) {});
    started.get_future().wait();
    for (int i = 0; i < 20; ++i) {
      writer.run(
          [i](StoreSession& session) {
            return add_rule_row(session, i % 2 == 0 ? "kept" : "undone", i % 2 == 0);
          },
          [](Reply) {});
    }
    writer.run(
        [](StoreSession& session) -> Reply { throw std::runtime_error(session.limits.agents ? "bad" : ""); },
        [&](Reply reply) { last.set_value(std::move(reply)); });
    go.set_value();
    CHECK(last.get_future().get().status == 400);
  }
  CHECK(commits.sizes == std::vector<std::size_t>{1, 21});
  relay.open();
  CHECK(must(relay.database().integer("SELECT count(*) FROM rules WHERE who = 'kept'")) == 10);
  CHECK(must(relay.database().integer("SELECT count(*) FROM rules WHERE who = 'undone'")) == 0);
}

TEST_CASE("a commit that fails is told to everybody who is in it") {
  RelayDatabase relay;
  Commits commits;
  std::promise<Reply> answer;
  {
    auto database = relay.release();
    // A constraint that is looked at when the transaction ends.
    must(database->execute(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY) STRICT;"
        "CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED) STRICT;"
        "PRAGMA foreign_keys = ON;"));
    CommitWriter writer(std::move(database), {}, relay.clock, commits.take());
    writer.run(
        [](StoreSession& session) {
          const Result<void> done = session.database.execute("INSERT INTO child (id) VALUES (7)");
          return done ? Reply() : error_reply(done.error());
        },
        [&](Reply reply) { answer.set_value(std::move(reply)); });
    CHECK(answer.get_future().get().status >= 500);
    // What only reads goes on: it does not have to write when somebody was seen.
    const auto stamps = [&] {
      std::promise<bool> asked;
      writer.run(
          [&](StoreSession& session) {
            asked.set_value(session.stamps);
            return Reply();
          },
          {});
      return asked.get_future().get();
    };
    CHECK_FALSE(stamps());
    relay.clock.advance(std::chrono::seconds(30));
    CHECK(stamps());
  }
  relay.open();
  CHECK(must(relay.database().integer("SELECT count(*) FROM child")) == 0);
}

}  // namespace hostclaw::clawlink::testing
