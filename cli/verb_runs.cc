// SPDX-License-Identifier: Apache-2.0
// hostclaw runs [list] | show ID | cancel ID: what ran here, and what did not.
#include "cli/verb_runs.h"

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/command_words.h"
#include "cli/run_guard.h"
#include "cli/status_report.h"
#include "cli/times.h"
#include "node-host/record/run_view.h"

namespace hostclaw::cli {

using node_host::is_open_run;
using node_host::run_duration_ms;
using node_host::run_json;

namespace {

constexpr std::int64_t kDeliveryMs = 2'000;

struct RunsFlags {
  int limit = 20;
  std::string verdict;
  std::string agent;
  std::string since;
  std::string search;
  std::string id;
  bool follow = false;
  bool json = false;
};

// "0.4 s", "12.3 s"; longer ones as everywhere.
std::string exact_duration(std::int64_t ms) {
  if (ms >= 60'000) return duration_text(ms);
  return std::to_string(ms / 1000) + "." + std::to_string(ms % 1000 / 100) + " s";
}

// "12 ms, at most 35.1 MiB"; of the programs alone where there was no group to count in.
std::string usage_text(const approvals::RunRow& run) {
  std::string text;
  if (run.cpu_us) {
    const std::int64_t ms = *run.cpu_us / 1000;
    text = (ms < 1000 ? std::to_string(ms) + " ms" : exact_duration(ms)) + " of processor time";
  }
  if (run.peak_memory_bytes) {
    const std::int64_t tenths = *run.peak_memory_bytes * 10 / (1 << 20);
    text += (text.empty() ? "" : ", ") + std::string("at most ") + std::to_string(tenths / 10) + "." +
            std::to_string(tenths % 10) + " MiB of memory";
  }
  if (!text.empty() && run.measured == "programs") text += " (of its programs, without what they left)";
  return text;
}

std::string column(std::string text, std::size_t width) {
  // What is too long for its column is still a word of its own.
  text.append(text.size() < width ? width - text.size() : 1, ' ');
  return text;
}

void field(const char* name, const std::string& value) {
  if (!value.empty()) print_line(column(name, 12) + for_terminal(value));
}

struct TableRow {
  std::array<std::string, 5> cells;  // time, run, door, agent, outcome
  std::string verdict;
  std::string command;
  std::string remark;  // after the command, never cut
};

TableRow table_row(const approvals::RunRow& run, bool node_runs) {
  // Until then the gateway's answer may be on its way.
  const bool could_be_known = run.ended_at_ms > 0 && unix_ms_now() > run.ended_at_ms + kDeliveryMs;
  const bool undelivered =
      run.verdict == "allow" && could_be_known && !run.delivered && run.state != "cancelled";
  const auto shown = [](const std::string& text) { return text.empty() ? "-" : for_terminal(text); };
  return {{format_time(run.started_at_ms), for_terminal(run.run_id.substr(0, 8)), shown(run.door),
           shown(run.agent_id), run_outcome(run, node_runs)},
          run.verdict,
          for_terminal(run.command_text),
          undelivered ? "  (not delivered)" : ""};
}

// Columns as wide as what stands in them, so that the command has the rest of the line.
void print_table(const std::vector<approvals::RunRow>& runs, bool node_runs) {
  constexpr std::size_t kOutcome = 4;
  std::vector<TableRow> table{{{"TIME", "RUN", "DOOR", "AGENT", "OUTCOME"}, "", "COMMAND", ""}};
  for (const approvals::RunRow& run : runs) table.push_back(table_row(run, node_runs));
  std::array<std::size_t, 5> widths{};
  for (const TableRow& row : table) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row.cells[i].size() + 2);
  }
  for (const TableRow& row : table) {
    std::string line;
    std::size_t used = row.remark.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string cell = column(row.cells[i], widths[i]);
      used += cell.size();
      line += i == kOutcome ? verdict_in_colour(row.verdict, cell) : cell;
    }
    print_line(line + fitted(row.command, used) + row.remark);
  }
}

int list(const RunsFlags& flags) {
  approvals::RunFilter wanted{static_cast<std::size_t>(flags.limit), flags.verdict, flags.agent};
  wanted.search = flags.search;
  if (!flags.since.empty()) {
    const auto since = parse_duration(flags.since, "--since");
    if (!since) {
      fail(make_error(since.error().code, since.error().message, "hostclaw runs --since 1h"), flags.json);
      return kUsage;
    }
    wanted.since_ms = unix_ms_now() - *since;
  }
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error(), flags.json);
  const bool narrowed =
      !flags.verdict.empty() || !flags.agent.empty() || !flags.since.empty() || !flags.search.empty();
  const auto filter = visible(std::move(wanted));
  if (!filter) return fail(filter.error(), flags.json);
  auto rows = (*store)->runs(*filter);
  if (!rows) return fail(rows.error(), flags.json);
  const bool node_runs = node_lives(**store);
  if (flags.json) {
    Json all = Json::array();
    for (const approvals::RunRow& run : *rows) all.push_back(run_json(run, node_runs, unix_ms_now()));
    print_json(Json{{"runs", std::move(all)}});
    return kDone;
  }
  if (rows->empty()) {
    note(narrowed ? "no run fits" : "nothing was asked of this node yet");
    return kDone;
  }
  print_table(*rows, node_runs);
  return kDone;
}

int show(const RunsFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error(), flags.json);
  const auto among = visible({});
  if (!among) return fail(among.error(), flags.json);
  auto run = (*store)->run(flags.id, *among);
  if (!run) return fail(run.error(), flags.json);
  if (!*run || !is_visible(**run)) return fail(no_such_run(flags.id), flags.json);
  approvals::RunRow& row = **run;
  const bool node_runs = node_lives(**store);
  const bool runs_now = node_runs && is_open_run(row);
  if (flags.follow && runs_now) return follow_run(**store, row, flags.json);
  if (runs_now) row.output_tail = output_until_now(**store, row);
  if (flags.json) {
    print_json(run_in_full(row, node_runs));
    return kDone;
  }
  print_run_beginning(row);
  print_run_end(row, node_runs);
  if (row.verdict != "allow" || row.output_tail.empty()) return kDone;
  print_line("");
  for (const std::string& text : split(row.output_tail, '\n')) print_line(for_terminal(text));
  return kDone;
}

}  // namespace

std::string run_outcome(const approvals::RunRow& run, bool node_runs) {
  if (run.verdict != "allow") return run.verdict;
  if (run.state == "finished" && run.signal) return "signal " + std::to_string(*run.signal);
  if (run.state == "finished" && run.exit_code) return "exit " + std::to_string(*run.exit_code);
  if (is_open_run(run) && !node_runs) return "end unknown";
  if (is_open_run(run)) return "running " + duration_text(unix_ms_now() - run.started_at_ms);
  return run.state;
}

Json run_in_full(const approvals::RunRow& run, bool node_runs) {
  Json json = run_json(run, node_runs, unix_ms_now());
  json["argv"] = Json::parse(run.argv_json, nullptr, false);
  json["outputTail"] = run.output_tail;
  return json;
}

void print_run_beginning(const approvals::RunRow& run) {
  field("run", run.run_id);
  field("command", run.command_text);
  field("door", run.door);
  field("asked by", run.principal);
  field("agent", run.agent_id);
  field("directory", run.cwd);
  field("program", run.resolved_path);
  print_line(column("decision", 12) + verdict_in_colour(run.verdict, run.verdict) + " (" +
             for_terminal(run.code) + ")");
  field("because", run.reason);
  field("started", format_time(run.started_at_ms));
}

void print_run_end(const approvals::RunRow& run, bool node_runs) {
  field("outcome", run_outcome(run, node_runs));
  if (run.ended_at_ms > 0) field("ended", format_time(run.ended_at_ms));
  if (run.verdict != "allow" || is_open_run(run)) return;
  field("duration", exact_duration(run_duration_ms(run, unix_ms_now())));
  field("used", usage_text(run));
  field("output", std::to_string(run.stdout_bytes) + " + " + std::to_string(run.stderr_bytes) + " bytes, " +
                      std::to_string(run.dropped_bytes) + " dropped");
  field("delivered", run.delivered ? "yes" : "no");
}

// A misspelt `show` or `list` is read as an id.
Error no_such_run(const std::string& id) {
  const std::string meant = nearest_word(id, {"cancel", "list", "show"});
  if (!meant.empty())
    return make_error("NOT_FOUND", "no run `" + id + "`; did you mean `hostclaw runs " + meant + "`?",
                      "hostclaw runs --help");
  return make_error("NOT_FOUND", "no run `" + id + "`", "hostclaw runs");
}

void add_runs(CLI::App& parent, Action& action) {
  const auto flags = std::make_shared<RunsFlags>();
  CLI::App* verb = parent.add_subcommand("runs", "What was run here, and what was refused");
  const auto add_filters = [flags](CLI::App& app) {
    app.add_option("--limit", flags->limit, "How many, newest first")
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    app.add_option("--verdict", flags->verdict, "Only these: allow, ask, deny or invalid")
        ->check(CLI::IsMember({"allow", "ask", "deny", "invalid"}));
    app.add_option("--agent", flags->agent, "Only of this agent");
    app.add_option("--since", flags->since, "Not older than this: 90s, 30m, 1h, 2d, 1w");
    app.add_option("--search", flags->search, "Only commands with this text in them");
    app.add_flag("--json", flags->json, "Print JSON");
  };
  add_filters(*verb);
  verb->add_option("id", flags->id, "One run in full, as `runs show ID`");
  verb->require_subcommand(0, 1);
  CLI::App* list_verb = verb->add_subcommand("list", "The newest runs and refusals (default)");
  add_filters(*list_verb);
  CLI::App* show_verb = verb->add_subcommand("show", "One run with its reason and the end of its output");
  show_verb->add_option("id", flags->id, "Run id, or its beginning")->required();
  show_verb->add_flag("-f,--follow", flags->follow,
                      "While it runs: its output as it comes, to its end (to another run: at its end)");
  show_verb->add_flag("--json", flags->json, "Print JSON; with --follow one object a line, the run last");
  CLI::App* cancel_verb = verb->add_subcommand("cancel", "End a run; what it wrote so far is kept");
  cancel_verb->add_option("id", flags->id, "Run id, or its beginning")->required();
  cancel_verb->add_flag("--json", flags->json, "Print JSON");
  verb->callback([&action, flags, list_verb, cancel_verb] {
    if (cancel_verb->parsed()) {
      action = [flags] { return cancel_run(flags->id, flags->json); };
      return;
    }
    const bool one = !flags->id.empty() && !list_verb->parsed();
    action = [flags, one] { return one ? show(*flags) : list(*flags); };
  });
}

}  // namespace hostclaw::cli
