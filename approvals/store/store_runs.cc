// SPDX-License-Identifier: Apache-2.0
// Runs and decisions.
#include <algorithm>

#include "approvals/audit/audit_chain.h"
#include "approvals/store/store_impl.h"
#include "base/clock.h"

namespace hostclaw::approvals {
namespace {

// Old rows go in lots of this size, so that the cost of a single insert stays what it is.
constexpr std::int64_t kExpiryEvery = 256;

#define HOSTCLAW_FIRST_RUN_COLUMNS                                                                      \
  "run_id, invoke_id, agent_id, session_key, verdict, code, state, delivered, exit_code, signal, "      \
  "stdout_bytes, stderr_bytes, dropped_bytes, started_at_ms, ended_at_ms, cwd, resolved_path, reason, " \
  "command_text, argv_json, output_tail"
#define HOSTCLAW_RUN_COLUMNS \
  HOSTCLAW_FIRST_RUN_COLUMNS ", door, principal, cpu_us, peak_memory_bytes, measured"

// What read_run() reads. Literals: the cache of statements keeps views of them.
struct RunQueries {
  const char* by_filter;
  const char* by_run_id;
  const char* by_row_id;
};
// Of RunFilter: agent, session and row; empty and 0: any.
#define HOSTCLAW_OF_OWNER \
  "(?2 = '' OR agent_id = ?2) AND (?3 = '' OR session_key = ?3) AND (?4 = 0 OR row_id = ?4)"
#define HOSTCLAW_RUN_QUERIES(COLUMNS)                                                     \
  {                                                                                       \
    "SELECT row_id, " COLUMNS                                                             \
    " FROM runs WHERE (?1 = '' OR verdict = ?1) AND (?2 = '' OR agent_id = ?2) "          \
    "AND (?4 = '' OR session_key = ?4) AND (?5 = 0 OR row_id = ?5) "                      \
    "AND started_at_ms >= ?6 AND (?7 = '' OR instr(lower(command_text), lower(?7)) > 0) " \
    "ORDER BY row_id DESC LIMIT ?3",                                                      \
        "SELECT row_id, " COLUMNS " FROM runs WHERE run_id = ?1 AND " HOSTCLAW_OF_OWNER   \
        " ORDER BY row_id DESC LIMIT 1",                                                  \
        "SELECT row_id, " COLUMNS " FROM runs WHERE row_id = ?1 AND " HOSTCLAW_OF_OWNER   \
  }

// A database that is only read is not migrated: what its rows do not say yet is filled in.
Result<RunQueries> run_queries(Database& database) {
  constexpr std::int64_t kVersionWithDoors = 5;
  constexpr std::int64_t kVersionWithUsage = 6;
  const Result<std::int64_t> version = database.integer("PRAGMA user_version");
  if (!version) return version.error();
  if (*version >= kVersionWithUsage) return RunQueries HOSTCLAW_RUN_QUERIES(HOSTCLAW_RUN_COLUMNS);
  if (*version >= kVersionWithDoors)
    return RunQueries HOSTCLAW_RUN_QUERIES(HOSTCLAW_FIRST_RUN_COLUMNS ", door, principal, NULL, NULL, ''");
  return RunQueries HOSTCLAW_RUN_QUERIES(HOSTCLAW_FIRST_RUN_COLUMNS ", '', '', NULL, NULL, ''");
}

void bind_run(Statement& statement, const RunRow& row) {
  statement.bind(row.run_id)
      .bind(row.invoke_id)
      .bind(row.agent_id)
      .bind(row.session_key)
      .bind(row.verdict)
      .bind(row.code)
      .bind(row.state)
      .bind(static_cast<std::int64_t>(row.delivered))
      .bind(row.exit_code)
      .bind(row.signal)
      .bind(row.stdout_bytes)
      .bind(row.stderr_bytes)
      .bind(row.dropped_bytes)
      .bind(row.started_at_ms)
      .bind(row.ended_at_ms)
      .bind(row.cwd)
      .bind(row.resolved_path)
      .bind(row.reason)
      .bind(row.command_text)
      .bind(row.argv_json)
      .bind(row.output_tail)
      .bind(row.door)
      .bind(row.principal)
      .bind(row.cpu_us)
      .bind(row.peak_memory_bytes)
      .bind(row.measured);
}

std::optional<std::int64_t> optional_integer(const Statement& query, int column) {
  if (query.is_null(column)) return std::nullopt;
  return query.integer(column);
}

std::optional<int> optional_int(const Statement& query, int column) {
  if (query.is_null(column)) return std::nullopt;
  return static_cast<int>(query.integer(column));
}

RunRow read_run(const Statement& query) {
  RunRow row;
  row.row_id = query.integer(0);
  row.run_id = query.text(1);
  row.invoke_id = query.text(2);
  row.agent_id = query.text(3);
  row.session_key = query.text(4);
  row.verdict = query.text(5);
  row.code = query.text(6);
  row.state = query.text(7);
  row.delivered = query.integer(8) != 0;
  row.exit_code = optional_int(query, 9);
  row.signal = optional_int(query, 10);
  row.stdout_bytes = query.integer(11);
  row.stderr_bytes = query.integer(12);
  row.dropped_bytes = query.integer(13);
  row.started_at_ms = query.integer(14);
  row.ended_at_ms = query.integer(15);
  row.cwd = query.text(16);
  row.resolved_path = query.text(17);
  row.reason = query.text(18);
  row.command_text = query.text(19);
  row.argv_json = query.text(20);
  row.output_tail = query.text(21);
  row.door = query.text(22);
  row.principal = query.text(23);
  row.cpu_us = optional_integer(query, 24);
  row.peak_memory_bytes = optional_integer(query, 25);
  row.measured = query.text(26);
  return row;
}

Result<std::vector<RunRow>> read_runs(Statement& query) { return read_rows(query, read_run); }

Result<std::optional<RunRow>> read_one(Statement& query) {
  const Result<bool> found = query.step();
  if (!found) return found.error();
  if (!*found) return std::optional<RunRow>();
  return std::optional<RunRow>(read_run(query));
}

std::string cancel_key(std::int64_t row_id) { return "runtime.cancel." + std::to_string(row_id); }

bool is_decimal(const std::string& text) {
  return !text.empty() && text.size() <= 18 && text.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

Result<std::int64_t> Store::insert_run(const RunRow& row) {
  return database().joining([&]() -> Result<std::int64_t> {
    {
      Statement insert = database().statement(
          "INSERT INTO runs (" HOSTCLAW_RUN_COLUMNS
          ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
      bind_run(insert, row);
      if (Result<void> inserted = insert.run(); !inserted) return inserted.error();
    }
    std::int64_t row_id = sqlite3_last_insert_rowid(database().handle());
    if (impl_->epoch > 0 && row_id <= impl_->newest_run) {
      // Runs that began before the file was replaced still end by the ids they got there.
      const std::int64_t free_id = impl_->newest_run + 1;
      Result<void> renumbered = database()
                                    .statement("UPDATE runs SET row_id = ? WHERE row_id = ?")
                                    .bind(free_id)
                                    .bind(row_id)
                                    .run();
      if (!renumbered) return renumbered.error();
      row_id = free_id;
    }
    impl_->newest_run = std::max(impl_->newest_run, row_id);
    if (++impl_->inserted_runs % kExpiryEvery == 0) {
      Result<void> expired = database()
                                 .statement("DELETE FROM runs WHERE row_id <= ?")
                                 .bind(row_id - impl_->options.kept_runs)
                                 .run();
      if (!expired) return expired.error();
    }
    return row_id;
  });
}

Result<std::int64_t> Store::remove_oldest_runs(std::int64_t at_most) {
  const Result<void> removed =
      database()
          .statement(
              "DELETE FROM runs WHERE row_id IN (SELECT row_id FROM runs WHERE NOT (verdict = 'allow' AND "
              "state IN ('decided', 'running')) ORDER BY row_id LIMIT ?)")
          .bind(at_most)
          .run();
  if (!removed) return removed.error();
  return sqlite3_changes64(database().handle());
}

Result<void> Store::end_run(const RunRow& row) {
  return database().joining([&]() -> Result<void> {
    // Not the columns that stay as they are: the index over one of them would be written again.
    Result<void> updated = database()
                               .statement(
                                   "UPDATE runs SET state = ?, exit_code = ?, signal = ?, stdout_bytes = ?, "
                                   "stderr_bytes = ?, dropped_bytes = ?, ended_at_ms = ?, output_tail = ?, "
                                   "cpu_us = ?, peak_memory_bytes = ?, measured = ? "
                                   "WHERE row_id = ? AND run_id = ?")
                               .bind(std::string_view(row.state))
                               .bind(row.exit_code)
                               .bind(row.signal)
                               .bind(row.stdout_bytes)
                               .bind(row.stderr_bytes)
                               .bind(row.dropped_bytes)
                               .bind(row.ended_at_ms)
                               .bind(std::string_view(row.output_tail))
                               .bind(row.cpu_us)
                               .bind(row.peak_memory_bytes)
                               .bind(std::string_view(row.measured))
                               .bind(row.row_id)
                               .bind(std::string_view(row.run_id))
                               .run();
    if (!updated) return updated;
    const bool found = sqlite3_changes(database().handle()) == 1;
    if (row.state == "cancelled") {
      if (Result<void> done = remove_setting(cancel_key(row.row_id)); !done) return done;
    }
    if (found) return {};
    return make_error("STORE_NOT_FOUND", "there is no run with row id " + std::to_string(row.row_id));
  });
}

Result<void> Store::mark_delivered(std::int64_t row_id) {
  return database().statement("UPDATE runs SET delivered = 1 WHERE row_id = ?").bind(row_id).run();
}

Result<std::vector<RunRow>> Store::runs(const RunFilter& filter) {
  const Result<RunQueries> queries = run_queries(database());
  if (!queries) return queries.error();
  Statement query = database().statement(queries->by_filter);
  query.bind(filter.verdict).bind(filter.agent_id).bind(static_cast<std::int64_t>(filter.limit));
  query.bind(filter.session_key).bind(filter.only_row).bind(filter.since_ms).bind(filter.search);
  return read_runs(query);
}

Result<std::optional<RunRow>> Store::run(const std::string& run_id, const RunFilter& among) {
  if (run_id.empty()) return std::optional<RunRow>();
  const Result<RunQueries> queries = run_queries(database());
  if (!queries) return queries.error();
  const auto of_owner = [&among](Statement& statement) -> Statement& {
    return statement.bind(among.agent_id).bind(among.session_key).bind(among.only_row);
  };
  Statement exact = database().statement(queries->by_run_id);
  of_owner(exact.bind(run_id));
  Result<std::optional<RunRow>> found = read_one(exact);
  if (!found || *found) return found;
  if (is_decimal(run_id)) {
    Statement by_row = database().statement(queries->by_row_id);
    found = read_one(of_owner(by_row.bind(static_cast<std::int64_t>(std::stoll(run_id)))));
    if (!found || *found) return found;
  }
  // A range over the index: every text that starts with the prefix sorts before prefix + U+10FFFF.
  const std::string end = run_id + "\xF4\x8F\xBF\xBF";
  Statement ids = database().statement(
      "SELECT DISTINCT run_id FROM runs WHERE run_id > ?1 AND " HOSTCLAW_OF_OWNER " AND run_id < ?5 LIMIT 2");
  of_owner(ids.bind(run_id)).bind(end);
  const Result<bool> first = ids.step();
  if (!first) return first.error();
  if (!*first) return std::optional<RunRow>();
  const std::string full_id = ids.text(0);
  const Result<bool> second = ids.step();
  if (!second) return second.error();
  if (*second)
    return make_error("RUN_AMBIGUOUS", "several runs start with " + run_id + "; give more of the id");
  return run(full_id, among);
}

Result<std::vector<std::string>> Store::open_runs() {
  Statement open = database().statement(
      "SELECT run_id FROM runs WHERE verdict = 'allow' AND state IN ('decided', 'running')");
  return read_rows(open, [](const Statement& row) { return row.text(0); });
}

Result<void> Store::request_cancel(const RunRow& run, const Actor& by) {
  return transaction([&]() -> Result<void> {
    const std::string who = by.who.empty() ? by.door : by.door + " " + by.who;
    if (auto put = put_setting(cancel_key(run.row_id), {{"run", run.run_id}, {"by", who}}); !put) return put;
    const auto recorded = append_audit_row(database(), unix_ms_now(), "cancel",
                                           {{"run", run.run_id}, {"door", by.door}, {"who", by.who}});
    if (!recorded) return recorded.error();
    return {};
  });
}

Result<std::optional<std::string>> Store::cancel_request(std::int64_t row_id, const std::string& run_id) {
  const auto asked = setting(cancel_key(row_id));
  if (!asked) return asked.error();
  if (!*asked || !(*asked)->is_object() || (*asked)->value("run", std::string()) != run_id)
    return std::optional<std::string>();
  return std::optional((*asked)->value("by", std::string("somebody")));
}

Result<void> Store::withdraw_cancel(std::int64_t row_id) { return remove_setting(cancel_key(row_id)); }

Result<std::size_t> Store::mark_interrupted_runs(std::int64_t now_ms, const std::vector<std::string>& but) {
  return database().transaction([&]() -> Result<std::size_t> {
    Result<std::vector<std::string>> open = open_runs();
    if (!open) return open.error();
    std::vector<std::string>& interrupted = *open;
    // Nobody looks at them any more, except for those that go on.
    if (but.empty()) {
      Result<void> withdrawn =
          database().statement("DELETE FROM settings WHERE key GLOB 'runtime.cancel.*'").run();
      if (!withdrawn) return withdrawn.error();
    }
    std::erase_if(interrupted, [&but](const std::string& run_id) {
      return std::find(but.begin(), but.end(), run_id) != but.end();
    });
    for (const std::string& run_id : interrupted) {
      Result<void> marked =
          database()
              .statement(
                  "UPDATE runs SET state = 'interrupted', ended_at_ms = ? "
                  "WHERE run_id = ? AND verdict = 'allow' AND state IN ('decided', 'running')")
              .bind(now_ms)
              .bind(run_id)
              .run();
      if (!marked) return marked.error();
      const Result<AuditRow> recorded =
          append_audit_row(database(), now_ms, "end", {{"run", run_id}, {"state", "interrupted"}});
      if (!recorded) return recorded.error();
    }
    return interrupted.size();
  });
}

}  // namespace hostclaw::approvals
