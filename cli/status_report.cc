// SPDX-License-Identifier: Apache-2.0
#include "cli/status_report.h"

#include <sqlite3.h>

#include "approvals/database/sqlite.h"
#include "approvals/platform/private_files.h"
#include "approvals/policy/policy_cache.h"
#include "approvals/policy/rule_store.h"
#include "approvals/questions/questions.h"
#include "approvals/shown/secret_masking.h"
#include "approvals/store/settings.h"
#include "base/clock.h"
#include "base/profile.h"
#include "cli/command_line.h"
#include "cli/run_guard.h"
#include "cli/times.h"
#include "cli/verb_audit.h"
#include "node-host/app/node_host.h"
#include "node-host/app/running_node.h"
#include "node-host/doors/gateway/exec_approvals.h"

namespace hostclaw::cli {
namespace {

Json link_of(approvals::Store& store, const std::optional<node_host::RunningNode>& node) {
  auto link = store.setting(node_host::kLinkStatusKey);
  const bool known = link && *link && (*link)->is_object();
  if (!node && !known) return Json{{"state", "never-started"}};
  Json json = known ? **link : Json::object();
  if (!node) {
    json["state"] = "not-running";
    json["requestId"] = "";
    json["next"] = "hostclaw node run";
    return json;
  }
  const std::int64_t said_by = json.value("pid", std::int64_t{0});
  if (node->pid == 0 || node->pid == said_by) return json;
  // What is stored is of another process: this one has not said anything yet.
  return Json{{"state", "starting"}, {"pid", node->pid}, {"url", json.value("url", std::string())}};
}

// To a run its own only; none when they cannot be read.
std::vector<approvals::RunRow> visible_runs(approvals::Store& store, const approvals::RunFilter& filter) {
  const auto allowed = visible(filter);
  if (!allowed) return {};
  auto rows = store.runs(*allowed);
  return rows ? std::move(*rows) : std::vector<approvals::RunRow>();
}

std::optional<approvals::RunRow> first_of(std::vector<approvals::RunRow> rows) {
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

Json run_json(const approvals::RunRow& run) {
  return Json{{"runId", run.run_id},
              {"command", approvals::mask_secrets_in_text(run.command_text)},
              {"verdict", run.verdict},
              {"code", run.code},
              {"reason", run.reason},
              {"state", run.state},
              {"startedAtMs", run.started_at_ms}};
}

void print_run(const char* name, const approvals::RunRow& run) {
  const std::string start = std::string(name) + format_time(run.started_at_ms) + "  ";
  const std::string code = run.verdict == "allow" ? "" : "  (" + run.code + ")";
  print_line(start + verdict_in_colour(run.verdict, run.verdict) + "  " +
             fitted(for_terminal(approvals::mask_secrets_in_text(run.command_text)),
                    start.size() + run.verdict.size() + 2 + code.size()) +
             code);
}

std::string directory_of(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

// What keeps a node from writing its records, while one lives: otherwise nothing here is for us to open.
std::optional<Error> writing_problem(const std::string& directory, const std::string& path) {
  if (auto moved = node_host::database_left_behind(directory)) return moved;
  if (const auto space = approvals::check_space(directory); !space && space.error().code == "STORE_FULL")
    return space.error();
  const auto database = approvals::Database::open(approvals::sqlite_uri(path, "mode=rw"), path,
                                                  SQLITE_OPEN_READWRITE, std::chrono::milliseconds(250));
  if (!database) return database.error();
  const auto locked = (*database)->transaction([]() -> Result<void> { return {}; });
  if (!locked) return locked.error();
  return std::nullopt;
}

// "; tried again in 5 s", or nothing.
std::string next_attempt(const Json& link) {
  const std::int64_t at_ms = link.value("triedAgainAtMs", std::int64_t{0});
  if (at_ms == 0 || link.value("state", std::string()) == "not-running") return {};
  const std::int64_t left_ms = at_ms - unix_ms_now();
  return left_ms > 0 ? "; tried again in " + duration_text(left_ms + 999) : "; it is being tried again";
}

}  // namespace

bool node_lives(approvals::Store& store) {
  return node_host::InstanceLock::holder(directory_of(store.path())).has_value();
}

Result<StatusReport> read_status(approvals::Store& store) {
  StatusReport report;
  report.state_path = store.path();
  const std::string directory = directory_of(report.state_path);
  report.node = node_host::InstanceLock::holder(directory);
  report.link = link_of(store, report.node);
  if (report.node) report.store_problem = writing_problem(directory, report.state_path);
  if (auto identity = store.public_identity(); identity && *identity)
    report.device_id = (*identity)->device_id;
  auto config = node_host::load_node_config(store);
  if (!config) return config.error();
  report.config = std::move(*config);
  approvals::PolicyCache cache;
  if (auto policy = node_host::approvals_snapshot(store, cache)) {
    report.policy = (*policy)["resolvedDefaults"];
    report.approvals_hash = (*policy)["hash"].get<std::string>();
  } else {
    report.policy_error = policy.error().message;
  }
  if (const auto document = cache.current(store); document->malformed && !report.store_problem)
    report.store_problem = make_error(
        "POLICY_MALFORMED",
        "the stored approvals document is malformed, so everything is denied: " + document->malformed_reason,
        "hostclaw approvals set --file FILE");
  if (const auto rules = approvals::stored_rules(store); !rules && !report.store_problem)
    report.store_problem = make_error(
        rules.error().code, "a stored rule cannot be read, so everything is denied: " + rules.error().message,
        rules.error().next);
  report.observes = approvals::read_exec_settings(store).settings.engine.observe;
  report.last_runs = visible_runs(store, {3, "", ""});
  report.last_denial = first_of(visible_runs(store, {1, "deny", ""}));
  report.last_question = first_of(visible_runs(store, {1, "ask", ""}));
  if (calling_run() == nullptr) {
    if (const auto open = approvals::Questions(store).pending(unix_ms_now()))
      report.open_questions = open->size();
  }
  report.gateway_policies = node_host::read_gateway_policies(store);
  report.mirrors = mirrors_json(store);
  report.failing_mirrors = mirror_lines(store, true);
  return report;
}

PairingStages pairing_stages(const StatusReport& report) {
  const std::string state = report.link.value("state", std::string());
  PairingStages stages{"unknown", "unknown", {}};
  if (state == "connected") {
    const Json commands = report.link.value("commands", Json::object());
    const std::string held = commands.value("state", std::string());
    stages = {"done", held == "held" ? "done" : held == "none" ? "none" : "unconfirmed", {}};
  } else if (state == "waiting-for-surface-approval") {
    stages = {"done", "pending", {}};
  } else if (state == "waiting-for-device-pairing") {
    stages = {"pending", "pending", {}};
  }
  if (state.starts_with("waiting-") || state == "connected")
    stages.next = report.link.value("next", std::string());
  return stages;
}

void add_to_json(const StatusReport& report, Json& body) {
  body["version"] = version();
  body["link"] = report.link;
  body["statePath"] = report.state_path;
  if (const std::string name = profile(); !name.empty()) body["profile"] = name;
  if (report.store_problem) {
    body["storeProblem"] = {{"code", report.store_problem->code},
                            {"message", report.store_problem->message},
                            {"next", report.store_problem->next}};
  }
  if (!report.device_id.empty()) body["deviceId"] = report.device_id;
  body["config"] = node_host::to_json(report.config);
  const PairingStages stages = pairing_stages(report);
  body["pairing"] = Json{{"device", stages.device}, {"surface", stages.surface}, {"next", stages.next}};
  if (report.policy) {
    body["policy"] = Json::parse(dump_json(*report.policy));
    body["approvalsHash"] = report.approvals_hash;
    body["mode"] = report.observes ? "observe" : "enforce";
  } else {
    body["policyError"] = report.policy_error;
  }
  body["lastRuns"] = Json::array();
  for (const approvals::RunRow& run : report.last_runs) body["lastRuns"].push_back(run_json(run));
  if (report.last_denial) body["lastDenial"] = run_json(*report.last_denial);
  if (report.last_question) body["lastQuestion"] = run_json(*report.last_question);
  for (const auto& [agent, gateway] : report.gateway_policies)
    body["gatewayPolicy"][agent] = {{"security", to_string(gateway.security)},
                                    {"ask", to_string(gateway.ask)}};
  body["openQuestions"] = report.open_questions;
  if (!report.mirrors.empty()) body["auditMirrors"] = report.mirrors;
}

void print_status(const StatusReport& report) {
  const auto text = [&](const char* name) { return for_terminal(report.link.value(name, std::string())); };
  print_line("hostclaw   " + version());
  if (const std::string name = profile(); !name.empty()) print_line("profile    " + name);
  print_line("state      " + for_terminal(report.state_path));
  if (report.store_problem) {
    print_line("           " + for_terminal(report.store_problem->message));
    if (!report.store_problem->next.empty())
      print_line("next       " + for_terminal(naming_profile(report.store_problem->next)));
  }
  print_line("device     " + (report.device_id.empty() ? std::string("none yet") : report.device_id));
  if (report.config.gateway) print_line("gateway    " + report.config.gateway->url());
  std::string line = "link       " + text("state");
  if (report.link.contains("sinceMs"))
    line += " since " + format_time(report.link.value("sinceMs", std::int64_t{0}));
  if (!text("serverVersion").empty()) line += ", gateway " + text("serverVersion");
  print_line(line);
  if (!text("detail").empty()) print_line("           " + text("detail") + next_attempt(report.link));
  const PairingStages stages = pairing_stages(report);
  print_line("pairing    device " + stages.device + ", commands " + stages.surface);
  if (!text("next").empty()) print_line("next       " + naming_profile(text("next")));
  if (report.policy) {
    print_line("policy     security=" + report.policy->value("security", "?") + " ask=" +
               report.policy->value("ask", "?") + " askFallback=" + report.policy->value("askFallback", "?"));
    if (report.observes)
      print_line("mode       observe: everything runs, and what would be asked about or denied is counted");
  } else {
    print_line("policy     unreadable: " + for_terminal(report.policy_error));
  }
  if (report.open_questions > 0) {
    print_line("questions  " + std::to_string(report.open_questions) +
               (report.open_questions == 1 ? " waits" : " wait") +
               " for an answer: hostclaw approvals pending");
  }
  for (const std::string& failing : report.failing_mirrors) print_line("mirror     " + failing);
  const char* name = "last runs  ";
  for (const approvals::RunRow& run : report.last_runs) {
    print_run(name, run);
    name = "           ";
  }
  if (report.last_denial) {
    print_run("last deny  ", *report.last_denial);
    print_line("           why: hostclaw runs show " + report.last_denial->run_id);
  }
  if (report.last_question) print_run("last ask   ", *report.last_question);
}

}  // namespace hostclaw::cli
