// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/numbers.h"

#include "clawlink/store/agents.h"
#include "clawlink/store/files.h"

namespace hostclaw::clawlink {
namespace {

using approvals::Statement;

Result<void> count_tasks_by_state(StoreSession& session, RelayNumbers& numbers) {
  Statement query = session.database.statement("SELECT state, tasks FROM task_counts");
  for (;;) {
    const Result<bool> found = query.step();
    if (!found) return found.error();
    if (!*found) return {};
    if (const auto state = task_state_from(query.text_view(0)))
      numbers.tasks.at(static_cast<std::size_t>(*state)) = query.integer(1);
  }
}

Result<void> count_queues(StoreSession& session, RelayNumbers& numbers) {
  Statement query = session.database.statement(
      "SELECT count(*), coalesce(sum(rows_waiting), 0), coalesce(sum(bytes_waiting), 0), "
      "coalesce(max(rows_waiting), 0) FROM queues");
  const Result<bool> found = query.step();
  if (!found) return found.error();
  numbers.queues = query.integer(0);
  numbers.queued = query.integer(1);
  numbers.queued_bytes = query.integer(2);
  numbers.longest_queue = query.integer(3);
  return {};
}

}  // namespace

Result<RelayNumbers> count_all(StoreSession& session) {
  RelayNumbers numbers;
  if (Result<void> done = count_tasks_by_state(session, numbers); !done) return done.error();
  if (Result<void> done = count_queues(session, numbers); !done) return done.error();
  const auto take = [](std::int64_t& into, const Result<std::int64_t>& counted) -> Result<void> {
    if (!counted) return counted.error();
    into = *counted;
    return {};
  };
  approvals::Database& database = session.database;
  if (auto done = take(numbers.agents, count_agents(session, false)); !done) return done.error();
  if (auto done = take(numbers.agents_online, count_agents(session, true)); !done) return done.error();
  if (auto done = take(numbers.files, count_files(session)); !done) return done.error();
  struct Row {
    std::int64_t* into;
    const char* sql;
  };
  for (const Row& one :
       {Row{&numbers.leases, "SELECT count(*) FROM deliveries WHERE lease IS NOT NULL"},
        Row{&numbers.dead_letters, "SELECT count(*) FROM dead_letters"},
        Row{&numbers.push_configs, "SELECT count(*) FROM push_configs WHERE finished = 0"},
        Row{&numbers.push_waiting, "SELECT count(*) FROM push_configs WHERE due_ms IS NOT NULL"}}) {
    if (auto done = take(*one.into, database.integer(one.sql)); !done) return done.error();
  }
  return numbers;
}

}  // namespace hostclaw::clawlink
