// SPDX-License-Identifier: Apache-2.0
// Who descends from a run, with a table of processes that is made up, and the roster of a node.
#include "node-host/system/process/run_ancestry.h"

#include <catch2/catch.hpp>
#include <map>

#include "tests/unit/node-host/test_support.h"

namespace hostclaw::node_host {
namespace {

class MadeUp final : public ProcessTable {
 public:
  // systemd 1 <- node 10 <- sh 20 <- self 30; and a login shell 40 of systemd's.
  MadeUp() {
    add(1, 0, 1, 1);
    add(10, 1, 10, 100).node_of = "/state";
    add(20, 10, 20, 200);
    add(30, 20, 20, 300);
    add(40, 1, 40, 50);
  }
  ProcessFacts& add(std::int64_t pid, std::int64_t parent, std::int64_t session, std::uint64_t started) {
    ProcessFacts& facts = processes[pid];
    facts.pid = pid;
    facts.parent = parent;
    facts.session = session;
    facts.started = started;
    return facts;
  }
  std::optional<ProcessFacts> look(std::int64_t pid) override {
    if (pid == ends_when_looked_at) {
      // Its children are adopted by the node.
      processes.erase(pid);
      for (auto& [number, facts] : processes)
        if (facts.parent == pid) facts.parent = 10;
    }
    const auto found = processes.find(pid);
    return found == processes.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<ProcessFacts> look_at_self() override { return look(self); }
  std::string confinement() override { return confined; }
  bool in_job_of(const std::string& marker) override { return !job.empty() && marker == job; }

  std::map<std::int64_t, ProcessFacts> processes;
  std::int64_t self = 30;
  std::int64_t ends_when_looked_at = 0;
  std::string confined;
  std::string job;
};

}  // namespace

TEST_CASE("ancestry: what has a node above it is of a run, and it can be told which") {
  MadeUp table;
  const Descent descent = find_descent(table);
  CHECK(descent.from_run);
  CHECK(descent.because == "its ancestor 10 is a node");
  CHECK(descent.node_directory == "/state");
  CHECK(find_run_row(descent, {{19, 6, "a"}, {20, 7, "b"}}, table) == 7);
  CHECK(find_run_row(descent, {{30, 7, "b"}}, table) == 0);
}

TEST_CASE("ancestry: an orphan in a session of its own hangs below the node that adopted it") {
  MadeUp table;
  table.processes[30].parent = 10;
  table.processes[30].session = 30;
  const Descent descent = find_descent(table);
  CHECK(descent.from_run);
  CHECK(find_run_row(descent, {{20, 7, "b"}}, table) == 0);
  // In the session of a program that is still listed it can be told.
  table.processes[30].session = 20;
  CHECK(find_run_row(find_descent(table), {{20, 7, "b"}}, table) == 7);
}

TEST_CASE("ancestry: a parent that ends at the moment of the look does not cut the chain") {
  MadeUp table;
  table.ends_when_looked_at = 20;
  const Descent descent = find_descent(table);
  CHECK(descent.from_run);
  CHECK(descent.top_pid == 30);
  // Nor does its number in other hands.
  MadeUp reused;
  reused.add(21, 1, 21, 900);
  reused.processes[30].parent = 21;
  CHECK_FALSE(find_descent(reused).from_run);
}

TEST_CASE("ancestry: a person's shell beside the node is of no run") {
  MadeUp table;
  table.add(50, 40, 40, 400);
  table.self = 50;
  CHECK_FALSE(find_descent(table).from_run);
  // Nor is the node itself when it starts, nor what merely has the node's number for a parent: a parent is
  // never younger than its child.
  table.self = 10;
  CHECK_FALSE(find_descent(table).from_run);
  table.self = 30;
  table.processes[10].started = 1000;
  CHECK_FALSE(find_descent(table).from_run);
}

TEST_CASE("ancestry: a chain that is longer than the looks is of a run") {
  MadeUp table;
  constexpr std::int64_t kFirst = 100'000;
  table.add(kFirst, 1, kFirst, 1);
  for (std::int64_t i = 1; i <= 4'200; ++i) table.add(kFirst + i, kFirst + i - 1, kFirst, 1);
  table.self = kFirst + 4'000;
  CHECK_FALSE(find_descent(table).from_run);
  table.self = kFirst + 4'200;
  CHECK(find_descent(table).from_run);
}

TEST_CASE("ancestry: the mark of any ancestor counts where no node is above, its own too") {
  MadeUp table;
  table.processes[10].node_of.reset();
  CHECK_FALSE(find_descent(table).from_run);
  table.processes[20].marked = true;
  CHECK(find_descent(table).from_run);
  CHECK(find_descent(table).because == "process 20 carries HOSTCLAW_RUN");
  table.processes[20].marked = false;
  table.processes[30].marked = true;
  CHECK(find_descent(table).from_run);
}

TEST_CASE("ancestry: what a keeper started is of its run, whether its node is still there or not") {
  MadeUp table;
  table.processes[20].keeps_run = true;
  CHECK(find_descent(table).node_directory == "/state");
  CHECK(find_run_row(find_descent(table), {{20, 7, "b"}}, table) == 7);
  table.processes[10].node_of.reset();
  const Descent descent = find_descent(table);
  CHECK(descent.from_run);
  CHECK(descent.because == "its ancestor 20 keeps a run");
  CHECK(find_run_row(descent, {{19, 6, "a"}, {20, 7, "b"}}, table) == 7);
}

TEST_CASE("ancestry: confinement counts, a job tells the run, also where no process can be seen") {
  MadeUp table;
  table.processes[10].node_of.reset();
  table.confined = "it is in the job object of a run";
  table.job = "b";
  const Descent descent = find_descent(table);
  CHECK_FALSE(descent.seen);
  CHECK(descent.from_run);
  CHECK(find_run_row(descent, {{19, 6, "a"}, {20, 7, "b"}}, table) == 7);
  // Where not even the process itself can be seen, nothing else is asked.
  table.self = 77;
  CHECK(find_descent(table).from_run);
  table.confined.clear();
  CHECK_FALSE(find_descent(table).from_run);
}

TEST_CASE("ancestry: a tree that bites its own tail ends, and counts as a run") {
  MadeUp table;
  table.add(60, 61, 60, 5);
  table.add(61, 60, 60, 5);
  table.self = 60;
  CHECK(find_descent(table).from_run);
}

TEST_CASE("ancestry: this test is no part of a run, and its own facts are the system's") {
  const auto table = processes_of_this_system("/nowhere");
  const std::optional<ProcessFacts> self = table->look_at_self();
  REQUIRE(self.has_value());
  CHECK(self->pid > 0);
  const std::optional<ProcessFacts> parent = table->look(self->parent);
  REQUIRE(parent.has_value());
  CHECK(parent->started <= self->started);
}

TEST_CASE("roster: places are given back and taken again; a new node begins anew") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/node.runs";
  {
    RunRoster roster(path);
    const std::size_t first = roster.enter({100, 1, "aa"});
    const std::size_t second = roster.enter({200, 2, "bb"});
    CHECK(RunRoster::read(path).size() == 2);
    roster.leave(first);
    REQUIRE(RunRoster::read(path).size() == 1);
    CHECK(RunRoster::read(path)[0].pid == 200);
    CHECK(roster.enter({300, 3, "cc"}) == first);
    CHECK(RunRoster::read(path)[0].row == 3);
    roster.leave(second);
    roster.leave(second);
    CHECK(RunRoster::read(path).size() == 1);
  }
  const RunRoster next(path);
  CHECK(RunRoster::read(path).empty());
  CHECK(RunRoster::read(directory.path() + "/none").empty());
}

}  // namespace hostclaw::node_host
