// SPDX-License-Identifier: Apache-2.0
// hostclaw audit retention show | set, audit limit show | set, audit mirror show | set.
#include <filesystem>

#include "approvals/audit/audit_settings.h"
#include "approvals/store/database_limit.h"
#include "cli/command_line.h"
#include "cli/verb_audit.h"
#include "node-host/record/record_mirror_state.h"

namespace hostclaw::cli {
namespace {

using approvals::AuditKeep;
using approvals::AuditMirrorTargets;

struct RetentionFlags {
  std::int64_t days = 0;
  std::int64_t rows = 0;
  std::int64_t megabytes = 0;
  bool everything = false;
  bool json = false;
};

struct LimitFlags {
  std::int64_t megabytes = 0;
  std::string then;
  bool json = false;
};

struct MirrorFlags {
  std::string journald;
  std::string syslog;
  std::string file;
  bool json = false;
};

void note_problems(const approvals::AuditSettings& settings) {
  for (const Error& problem : settings.problems) note("warning: " + for_terminal(problem.message));
}

Json problems_json(const approvals::AuditSettings& settings) {
  Json problems = Json::array();
  for (const Error& problem : settings.problems)
    problems.push_back({{"code", problem.code}, {"message", problem.message}});
  return problems;
}

int show_retention(approvals::Store& store, bool json) {
  const approvals::AuditSettings settings = approvals::read_audit_settings(store);
  if (json) {
    print_json(Json{{"keep", to_json(settings.keep)}, {"problems", problems_json(settings)}});
    return kDone;
  }
  if (settings.keep.everything()) print_line("every row is kept");
  if (settings.keep.days)
    print_line("rows older than " + std::to_string(*settings.keep.days) + " days are removed");
  if (settings.keep.rows)
    print_line("of more than " + std::to_string(*settings.keep.rows) + " rows the oldest are removed");
  if (settings.keep.megabytes)
    print_line("of more than about " + std::to_string(*settings.keep.megabytes) +
               " MB of rows the oldest are removed");
  note_problems(settings);
  return kDone;
}

int set_retention(const RetentionFlags& flags) {
  const bool limited = flags.days > 0 || flags.rows > 0 || flags.megabytes > 0;
  if (limited == flags.everything) {
    fail(make_error("CONFIG_INVALID",
                    "give one or more of --keep-days, --keep-rows, --keep-megabytes, or "
                    "--keep-all",
                    "hostclaw audit retention set --help"),
         flags.json);
    return kUsage;
  }
  AuditKeep keep;
  if (flags.days > 0) keep.days = flags.days;
  if (flags.rows > 0) keep.rows = flags.rows;
  if (flags.megabytes > 0) keep.megabytes = flags.megabytes;
  auto store = open_store(approvals::OpenMode::kReadWrite);
  if (!store) return fail(store.error(), flags.json);
  if (auto stored = approvals::put_audit_keep(**store, keep, local_actor()); !stored)
    return fail(stored.error(), flags.json);
  if (limited && !flags.json)
    note("the running node removes what is older within seconds; without one: hostclaw audit prune");
  return show_retention(**store, flags.json);
}

int show_limit(approvals::Store& store, bool json) {
  const approvals::DatabaseLimitReading reading = approvals::read_database_limit(store);
  const auto bytes = store.bytes_in_use();
  if (!bytes) return fail(bytes.error(), json);
  if (json) {
    Json shown = to_json(reading.limit);
    shown["bytesInUse"] = *bytes;
    print_json(shown);
    return kDone;
  }
  static constexpr std::string_view kThen[] = {"says so", "removes the oldest runs and rows of the record",
                                               "begins nothing"};
  print_line("at " + std::to_string(reading.limit.megabytes) + " MB the node " +
             std::string(kThen[static_cast<std::size_t>(reading.limit.then)]) +
             "; in use: " + std::to_string(*bytes / 1'000'000) + " MB");
  if (reading.problem) note("warning: " + for_terminal(reading.problem->message));
  return kDone;
}

int set_limit(const LimitFlags& flags) {
  if (flags.megabytes == 0 && flags.then.empty()) {
    fail(make_error("CONFIG_INVALID", "give --megabytes, --then or both", "hostclaw audit limit set --help"),
         flags.json);
    return kUsage;
  }
  auto store = open_store(approvals::OpenMode::kReadWrite);
  if (!store) return fail(store.error(), flags.json);
  approvals::DatabaseLimit limit = approvals::read_database_limit(**store).limit;
  if (flags.megabytes > 0) limit.megabytes = flags.megabytes;
  if (const auto then = approvals::at_limit_from(flags.then)) limit.then = *then;
  if (auto stored = approvals::put_database_limit(**store, limit, local_actor()); !stored)
    return fail(stored.error(), flags.json);
  return show_limit(**store, flags.json);
}

int show_mirrors(approvals::Store& store, bool json) {
  const approvals::AuditSettings settings = approvals::read_audit_settings(store);
  if (json) {
    print_json(Json{{"mirrors", mirrors_json(store)}, {"problems", problems_json(settings)}});
    return kDone;
  }
  if (settings.mirrors.none()) print_line("the record is not mirrored");
  for (const std::string& line : mirror_lines(store)) print_line(line);
  note_problems(settings);
  return kDone;
}

Result<void> take_target(const std::string& name, const std::string& word, const char* usual,
                         std::string& target) {
  if (word.empty()) return {};
  if (word == "off") {
    target.clear();
  } else if (word == "on" && usual != nullptr) {
    target = usual;
  } else if (std::filesystem::path(word).is_absolute()) {
    target = word;
  } else {
    return make_error("CONFIG_INVALID",
                      "--" + name + " takes " + (usual != nullptr ? "on, " : "") + "off or an absolute path",
                      "hostclaw audit mirror set --help");
  }
  return {};
}

// Mirrors that are switched on begin with the row that says so, however late the node takes them up.
Result<void> begin_here(approvals::Store& store) {
  node_host::MirrorStates states = node_host::read_mirror_states(store);
  if (states.position > 0) return {};
  const auto newest = approvals::AuditChain(store).rows({0, 0, {}, 1, true});
  if (!newest) return newest.error();
  states.position = newest->empty() ? 0 : newest->front().sequence - 1;
  return store.put_setting(node_host::kMirrorStateKey, to_json(states));
}

int set_mirrors(const MirrorFlags& flags) {
  if (flags.journald.empty() && flags.syslog.empty() && flags.file.empty()) {
    fail(make_error("CONFIG_INVALID", "give --journald, --syslog or --file",
                    "hostclaw audit mirror set --help"),
         flags.json);
    return kUsage;
  }
  auto store = open_store(approvals::OpenMode::kReadWrite);
  if (!store) return fail(store.error(), flags.json);
  AuditMirrorTargets targets = approvals::read_audit_settings(**store).mirrors;
  const auto checked = [&]() -> Result<void> {
    if (auto taken = take_target("journald", flags.journald, approvals::kJournaldSocket, targets.journald);
        !taken)
      return taken;
    if (auto taken = take_target("syslog", flags.syslog, approvals::kSyslogSocket, targets.syslog); !taken)
      return taken;
    return take_target("file", flags.file, nullptr, targets.file);
  }();
  if (!checked) {
    fail(checked.error(), flags.json);
    return kUsage;
  }
  const auto stored = (*store)->transaction([&]() -> Result<void> {
    if (auto put = approvals::put_audit_mirrors(**store, targets, local_actor()); !put) return put;
    return begin_here(**store);
  });
  if (!stored) return fail(stored.error(), flags.json);
  return show_mirrors(**store, flags.json);
}

int with_reading_store(bool json, int (*show)(approvals::Store&, bool)) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  return store ? show(**store, json) : fail(store.error(), json);
}

}  // namespace

Json mirrors_json(approvals::Store& store) {
  const Json targets = to_json(approvals::read_audit_settings(store).mirrors);
  const Json known = to_json(node_host::read_mirror_states(store))["mirrors"];
  Json out = Json::object();
  for (const auto& [name, target] : targets.items()) {
    const auto state = known.find(name);
    // Until the node has taken a new target up, nothing is known about it.
    const bool fits = state != known.end() && (*state)["target"] == target;
    out[name] = fits ? *state : Json{{"target", target}};
  }
  return out;
}

std::vector<std::string> mirror_lines(approvals::Store& store, bool only_failing) {
  const approvals::AuditMirrorTargets targets = approvals::read_audit_settings(store).mirrors;
  const node_host::MirrorStates states = node_host::read_mirror_states(store);
  std::vector<std::string> lines;
  const auto add = [&](const std::string& name, const std::string& target) {
    if (target.empty()) return;
    const auto found = states.by_name.find(name);
    const bool known = found != states.by_name.end() && found->second.target == target;
    const node_host::MirrorState state = known ? found->second : node_host::MirrorState();
    if (only_failing && state.dropped == 0 && state.problem.empty()) return;
    std::string line = name + "  " + for_terminal(target) + ": ";
    line += state.sent == 0
                ? std::string("nothing sent yet")
                : std::to_string(state.sent) + " rows, up to row " + std::to_string(state.last_sequence);
    if (state.shortened > 0)
      line += ", " + std::to_string(state.shortened) + " too long and without their body";
    if (state.dropped > 0) line += ", " + std::to_string(state.dropped) + " MISSED";
    if (!state.problem.empty())
      line += "; fails since " + format_time(state.failing_since_ms) + ": " + for_terminal(state.problem);
    lines.push_back(line);
  };
  add("journald", targets.journald);
  add("syslog", targets.syslog);
  add("file", targets.file);
  return lines;
}

void add_audit_settings(CLI::App& audit, Action& action) {
  CLI::App* retention = audit.add_subcommand("retention", "How long rows are kept; the node applies it");
  retention->require_subcommand(1);
  const auto keep = std::make_shared<RetentionFlags>();
  CLI::App* show_keep = retention->add_subcommand("show", "What is kept");
  show_keep->add_flag("--json", keep->json, "Print JSON");
  show_keep->callback(
      [&action, keep] { action = [keep] { return with_reading_store(keep->json, show_retention); }; });
  CLI::App* set_keep =
      retention->add_subcommand("set", "Replaces the limits; rows go when any of them lets them go");
  set_keep->add_option("--keep-days", keep->days, "Rows of how many days stay")
      ->check(CLI::Range(1, 100'000));
  set_keep->add_option("--keep-rows", keep->rows, "How many rows stay")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000'000}));
  set_keep->add_option("--keep-megabytes", keep->megabytes, "How much stays, about")
      ->check(CLI::Range(1, 1'000'000));
  set_keep->add_flag("--keep-all", keep->everything, "No limit (the default)");
  set_keep->add_flag("--json", keep->json, "Print JSON");
  set_keep->callback([&action, keep] { action = [keep] { return set_retention(*keep); }; });

  CLI::App* limit = audit.add_subcommand("limit", "How large the database may become");
  limit->require_subcommand(1);
  const auto at = std::make_shared<LimitFlags>();
  CLI::App* show_size = limit->add_subcommand("show", "The limit, and how much is in use");
  show_size->add_flag("--json", at->json, "Print JSON");
  show_size->callback([&action, at] { action = [at] { return with_reading_store(at->json, show_limit); }; });
  CLI::App* set_size = limit->add_subcommand("set", "The running node takes it within seconds");
  set_size->add_option("--megabytes", at->megabytes, "How much (4096)")->check(CLI::Range(1, 1'000'000));
  set_size->add_option("--then", at->then, "What the node does at the limit: warn, prune or refuse (warn)")
      ->check(CLI::IsMember({"warn", "prune", "refuse"}));
  set_size->add_flag("--json", at->json, "Print JSON");
  set_size->callback([&action, at] { action = [at] { return set_limit(*at); }; });

  CLI::App* mirror = audit.add_subcommand("mirror", "Where the running node sends each row as well");
  mirror->require_subcommand(1);
  const auto to = std::make_shared<MirrorFlags>();
  CLI::App* show_mirror = mirror->add_subcommand("show", "The mirrors and how they are doing");
  show_mirror->add_flag("--json", to->json, "Print JSON");
  show_mirror->callback(
      [&action, to] { action = [to] { return with_reading_store(to->json, show_mirrors); }; });
  CLI::App* set_mirror =
      mirror->add_subcommand("set", "Switch mirrors on or off; the others stay as they are");
  set_mirror->add_option("--journald", to->journald,
                         "systemd's journal with structured fields: on, off, or its socket");
  set_mirror->add_option("--syslog", to->syslog, "RFC 5424 datagrams: on (/dev/log), off, or a socket");
  set_mirror->add_option("--file", to->file, "JSON lines: a path, or off; made with mode 0600");
  set_mirror->add_flag("--json", to->json, "Print JSON");
  set_mirror->callback([&action, to] { action = [to] { return set_mirrors(*to); }; });
}

}  // namespace hostclaw::cli
