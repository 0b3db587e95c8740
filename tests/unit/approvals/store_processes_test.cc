// SPDX-License-Identifier: Apache-2.0
// Several processes on one database, and processes that die.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <vector>

#include "approvals/store/store.h"
#include "processes.h"
#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

// Lets a number of children start at the same moment: they wait for the end of file of one pipe.
class StartingGun {
 public:
  StartingGun() { opened_ = ::pipe(ends_) == 0; }
  ~StartingGun() { ::close(ends_[0]); }
  void wait() {
    ::close(ends_[1]);
    char byte = 0;
    (void)!::read(ends_[0], &byte, 1);
  }
  void fire() { ::close(ends_[1]); }

 private:
  int ends_[2] = {-1, -1};
  bool opened_ = false;
};

RunRow numbered_run(int number) {
  RunRow row;
  row.run_id = "run-" + std::to_string(number);
  row.verdict = "allow";
  row.state = "decided";
  return row;
}

TEST_CASE("processes that race to create the store end up with one identity", "[store][processes]") {
  for (int round = 0; round < 5; ++round) {
    TemporaryDirectory base;
    StartingGun gun;
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i) {
      children.push_back(start_child([&, i] {
        gun.wait();
        auto store = Store::open(base / "state", OpenMode::kReadWrite);
        if (!store) return 100;
        const auto stored = (*store)->insert_identity({"device-" + std::to_string(i), "p", "s", i});
        if (!stored) return 101;
        return stored->device_id.back() - '0';
      }));
    }
    gun.fire();
    std::set<int> winners;
    for (const pid_t child : children) winners.insert(wait_for_child(child));
    REQUIRE(winners.size() == 1);
    CHECK(*winners.begin() < 4);
    CHECK(must(open_store(base / "state")->identity())->device_id ==
          "device-" + std::to_string(*winners.begin()));
  }
}

TEST_CASE("ten processes write at once and nothing is lost", "[store][processes]") {
  constexpr int kProcesses = 10;
  constexpr int kRows = 50;
  TemporaryDirectory base;
  StartingGun gun;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(start_child([&, i] {
      gun.wait();
      auto store = Store::open(base / "state", OpenMode::kReadWrite);
      if (!store) return 1;
      for (int row = 0; row < kRows; ++row) {
        const auto inserted = (*store)->insert_run(numbered_run(i * kRows + row));
        if (!inserted) return 2;
        RunRow finished = numbered_run(i * kRows + row);
        finished.row_id = *inserted;
        finished.state = "finished";
        if (!(*store)->end_run(finished)) return 3;
      }
      return 0;
    }));
  }
  gun.fire();
  for (const pid_t child : children) CHECK(wait_for_child(child) == 0);
  auto store = open_store(base / "state");
  const auto rows = must(store->runs({10'000, "", ""}));
  std::set<std::string> ids;
  for (const RunRow& row : rows) {
    ids.insert(row.run_id);
    CHECK(row.state == "finished");
  }
  CHECK(ids.size() == kProcesses * kRows);
  must(store->check_integrity());
}

TEST_CASE("of processes that change the document from the same base exactly one wins", "[store][processes]") {
  TemporaryDirectory base;
  const StoredDocument first = must(open_store(base.path())->put_document("base", std::nullopt, {"cli", ""}));
  StartingGun gun;
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(start_child([&, i] {
      gun.wait();
      auto store = Store::open(base.path(), OpenMode::kReadWrite);
      if (!store) return 1;
      const auto put = (*store)->put_document("from " + std::to_string(i), first.hash, {"cli", ""});
      if (put) return 0;
      return put.error().code == "STORE_CONFLICT" ? 42 : 2;
    }));
  }
  gun.fire();
  int winners = 0;
  for (const pid_t child : children) {
    const int status = wait_for_child(child);
    CHECK((status == 0 || status == 42));
    winners += status == 0 ? 1 : 0;
  }
  CHECK(winners == 1);
  CHECK(must(open_store(base.path())->document_generation()) == 2);
}

TEST_CASE("a process killed in the middle of writes loses nothing it was told is stored",
          "[store][processes]") {
  TemporaryDirectory base;
  std::size_t acknowledged_before = 0;
  for (int round = 0; round < 10; ++round) {
    int channel[2];
    REQUIRE(::pipe(channel) == 0);
    const pid_t writer = start_child([&] {
      auto store = Store::open(base / "state", OpenMode::kReadWrite);
      if (!store) return 1;
      for (int i = 0;; ++i) {
        RunRow row = numbered_run(round * 100'000 + i);
        row.output_tail = std::string(3000, 'o');
        if (!(*store)->insert_run(row)) return 2;
        if (::write(channel[1], "x", 1) != 1) return 3;
      }
    });
    ::close(channel[1]);
    std::size_t acknowledged = 0;
    char byte = 0;
    while (acknowledged < static_cast<std::size_t>(7 + round * 31) && ::read(channel[0], &byte, 1) == 1)
      ++acknowledged;
    ::kill(writer, SIGKILL);
    while (::read(channel[0], &byte, 1) == 1) ++acknowledged;
    ::close(channel[0]);
    REQUIRE(wait_for_child(writer) == 128 + SIGKILL);

    auto store = open_store(base / "state");
    must(store->check_integrity());
    const std::size_t stored = must(store->runs({1'000'000, "", ""})).size();
    CHECK(stored >= acknowledged_before + acknowledged);
    // At most the one row whose acknowledgement did not arrive any more.
    CHECK(stored <= acknowledged_before + acknowledged + 1);
    acknowledged_before = stored;
  }
}

}  // namespace
}  // namespace hostclaw::approvals
