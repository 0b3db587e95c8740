// hostclaw runs [list] | show ID: what ran here, and what did not.
#include "base/clock.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/command_words.h"
#include "cli/log_lines.h"
#include "cli/run_guard.h"
#include "cli/status_report.h"
#include "cli/times.h"

namespace hostclaw::cli {
namespace {

constexpr std::int64_t kDeliveryMs = 2'000;

struct RunsFlags {
  int limit = 20;
  std::string verdict;
  std::string agent;
  std::string since;
  std::string search;
  std::string id;
  bool json = false;
};

// The row is written before the program starts, and closed by the node, even when it died and comes back.
bool is_open(const approvals::RunRow& run) {
  return run.verdict == "allow" && (run.state == "running" || run.state == "decided");
}

Json to_json(const approvals::RunRow& run, bool node_runs) {
  Json json{{"runId", run.run_id},
            {"door", run.door},
            {"principal", run.principal},
            {"agentId", run.agent_id},
            {"sessionKey", run.session_key},
            {"command", run.command_text},
            {"cwd", run.cwd},
            {"resolvedPath", run.resolved_path},
            {"verdict", run.verdict},
            {"code", run.code},
            {"reason", run.reason},
            {"state", run.state},
            {"delivered", run.delivered},
            {"stdoutBytes", run.stdout_bytes},
            {"stderrBytes", run.stderr_bytes},
            {"droppedBytes", run.dropped_bytes},
            {"startedAtMs", run.started_at_ms},
            {"endedAtMs", run.ended_at_ms}};
  json["running"] = node_runs && is_open(run);
  if (run.exit_code) json["exitCode"] = *run.exit_code;
  if (run.signal) json["signal"] = *run.signal;
  return json;
}

std::string outcome(const approvals::RunRow& run, bool node_runs) {
  if (run.verdict != "allow") return run.verdict;
  if (run.state == "finished" && run.signal) return "signal " + std::to_string(*run.signal);
  if (run.state == "finished" && run.exit_code) return "exit " + std::to_string(*run.exit_code);
  if (is_open(run) && !node_runs) return "end unknown";
  if (is_open(run)) return "running " + duration_text(unix_ms_now() - run.started_at_ms);
  return run.state;
}

std::string column(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

int list(const RunsFlags& flags) {
  approvals::RunFilter wanted{static_cast<std::size_t>(flags.limit), flags.verdict, flags.agent};
  wanted.search = flags.search;
  if (!flags.since.empty()) {
    const auto since = since_from(flags.since, unix_ms_now());
    if (!since) {
      fail(make_error(since.error().code, since.error().message, "hostclaw runs --since 1h"), flags.json);
      return kUsage;
    }
    wanted.since_ms = *since;
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
    for (const approvals::RunRow& run : *rows) all.push_back(to_json(run, node_runs));
    print_json(Json{{"runs", std::move(all)}});
    return kDone;
  }
  if (rows->empty()) {
    note(narrowed ? "no run fits" : "nothing was asked of this node yet");
    return kDone;
  }
  print_line(column("TIME", kTimeWidth + 2) + column("RUN", 10) + column("DOOR", 10) + column("AGENT", 10) +
             column("OUTCOME", 14) + "COMMAND");
  for (const approvals::RunRow& run : *rows) {
    // Until then the gateway's answer may be on its way.
    const bool could_be_known = run.ended_at_ms > 0 && unix_ms_now() > run.ended_at_ms + kDeliveryMs;
    const std::string undelivered =
        run.verdict == "allow" && could_be_known && !run.delivered && run.state != "cancelled"
            ? "  (not delivered)"
            : "";
    const std::string start = column(format_time(run.started_at_ms), kTimeWidth + 2) +
                              column(for_terminal(run.run_id.substr(0, 8)), 10) +
                              column(run.door.empty() ? "-" : for_terminal(run.door), 10) +
                              column(run.agent_id.empty() ? "-" : for_terminal(run.agent_id), 10);
    const std::string ended = column(outcome(run, node_runs), 14);
    print_line(start + verdict_in_colour(run.verdict, ended) +
               fitted(for_terminal(run.command_text) + undelivered, start.size() + ended.size()));
  }
  return kDone;
}

// A misspelt `show` or `list` is read as an id.
Error no_such_run(const std::string& id) {
  const std::string meant = nearest_word(id, {"list", "show"});
  if (!meant.empty())
    return make_error("NOT_FOUND", "no run `" + id + "`; did you mean `hostclaw runs " + meant + "`?",
                      "hostclaw runs --help");
  return make_error("NOT_FOUND", "no run `" + id + "`", "hostclaw runs");
}

int show(const RunsFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error(), flags.json);
  auto run = (*store)->run(flags.id);
  if (!run) return fail(run.error(), flags.json);
  if (!*run || !is_visible(**run)) return fail(no_such_run(flags.id), flags.json);
  const approvals::RunRow& row = **run;
  const bool node_runs = node_lives(**store);
  if (flags.json) {
    Json json = to_json(row, node_runs);
    json["argv"] = Json::parse(row.argv_json, nullptr, false);
    json["outputTail"] = row.output_tail;
    print_json(json);
    return kDone;
  }
  const auto field = [](const char* name, const std::string& value) {
    if (!value.empty()) print_line(column(name, 12) + for_terminal(value));
  };
  field("run", row.run_id);
  field("command", row.command_text);
  field("door", row.door);
  field("asked by", row.principal);
  field("agent", row.agent_id);
  field("directory", row.cwd);
  field("program", row.resolved_path);
  print_line(column("decision", 12) + verdict_in_colour(row.verdict, row.verdict) + " (" +
             for_terminal(row.code) + ")");
  field("because", row.reason);
  field("outcome", outcome(row, node_runs));
  field("started", format_time(row.started_at_ms));
  field("ended", format_time(row.ended_at_ms));
  if (row.verdict == "allow") {
    field("output", std::to_string(row.stdout_bytes) + " + " + std::to_string(row.stderr_bytes) + " bytes, " +
                        std::to_string(row.dropped_bytes) + " dropped");
    field("delivered", row.delivered ? "yes" : "no");
    if (!row.output_tail.empty()) {
      print_line("");
      for (const std::string& text : split(row.output_tail, '\n')) print_line(for_terminal(text));
    }
  }
  return kDone;
}

}  // namespace

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
  show_verb->add_flag("--json", flags->json, "Print JSON");
  verb->callback([&action, flags, list_verb] {
    const bool one = !flags->id.empty() && !list_verb->parsed();
    action = [flags, one] { return one ? show(*flags) : list(*flags); };
  });
}

}  // namespace hostclaw::cli
