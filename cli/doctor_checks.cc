// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_checks.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "approvals/audit/audit_chain.h"
#include "approvals/audit/audit_settings.h"
#include "approvals/platform/private_files.h"
#include "approvals/policy/openclaw_import.h"
#include "approvals/policy/policy_cache.h"
#include "approvals/policy/rule_store.h"
#include "approvals/store/database_limit.h"
#include "approvals/store/settings.h"
#include "base/clock.h"
#include "base/file_names.h"
#include "base/profile.h"
#include "base/sha256.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/doctor_clawlink.h"
#include "cli/doctor_hostlink.h"
#include "cli/relay_settings.h"
#include "cli/status_report.h"
#include "cli/this_system.h"
#include "cli/verb_policy.h"
#include "node-host/app/running_node.h"
#include "node-host/doors/gateway/gateway_probe.h"
#include "node-host/record/audit_signing.h"
#include "node-host/record/record_mirror_state.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/files/own_program.h"
#include "node-host/system/host/host_facts.h"
#include "policy/lint/lint.h"

namespace hostclaw::cli {
namespace {

using Results = std::vector<CheckResult>;
using Names = std::vector<std::string>;
using std::chrono::milliseconds;

// The look at the service, and then everything else beside each other.
constexpr milliseconds kServicePatience{2'500};
constexpr milliseconds kPatience{4'000};
// Shorter, so that what the network did is told by the check itself.
constexpr milliseconds kNetworkPatience{3'500};
constexpr std::int64_t kAuditRows = 5'000;
constexpr std::int64_t kClockMayDifferMs = 60'000;

constexpr const char* kNodeRun = "hostclaw node run --host GATEWAY";

CheckResult ok(std::string check, std::string code, std::string message, std::string next = {}) {
  return {std::move(check), std::move(code), CheckVerdict::kOk, std::move(message), std::move(next)};
}
CheckResult warning(std::string check, std::string code, std::string message, std::string next = {}) {
  return {std::move(check), std::move(code), CheckVerdict::kWarning, std::move(message), std::move(next)};
}
CheckResult failure(std::string check, std::string code, std::string message, std::string next = {}) {
  return {std::move(check), std::move(code), CheckVerdict::kFailure, std::move(message), std::move(next)};
}
CheckResult skipped(std::string check, std::string code, std::string message, std::string next = {}) {
  return {std::move(check), std::move(code), CheckVerdict::kSkipped, std::move(message), std::move(next)};
}

// Tasks on threads of their own. What a task needs it owns, so that one that never ends can be left behind.
class SideBySide {
 public:
  void start(Names names, std::function<Results()> body) {
    auto task = std::make_shared<Task>();
    task->names = std::move(names);
    tasks_.push_back(task);
    std::thread([task, board = board_, body = std::move(body)] {
      Results found;
      std::string thrown;
      try {
        found = body();
      } catch (const std::exception& error) {
        thrown = error.what();
      }
      const std::lock_guard hold(board->mutex);
      task->done = true;
      task->results = std::move(found);
      if (!thrown.empty()) {
        for (const std::string& name : task->names)
          task->results.push_back(failure(name, "CHECK_FAILED", "the check itself failed: " + thrown));
      }
      board->changed.notify_all();
    }).detach();
  }

  Results collect(milliseconds patience, bool& left_behind) {
    const auto until = std::chrono::steady_clock::now() + patience;
    Results out;
    std::unique_lock hold(board_->mutex);
    for (const std::shared_ptr<Task>& task : tasks_) {
      if (board_->changed.wait_until(hold, until, [&task] { return task->done; })) {
        out.insert(out.end(), task->results.begin(), task->results.end());
        continue;
      }
      left_behind = true;
      for (const std::string& name : task->names)
        out.push_back(warning(name, "CHECK_TIMEOUT", "no answer in time", "hostclaw doctor --only " + name));
    }
    return out;
  }

 private:
  struct Board {
    std::mutex mutex;
    std::condition_variable changed;
  };
  struct Task {
    Names names;
    bool done = false;
    Results results;
  };
  std::shared_ptr<Board> board_ = std::make_shared<Board>();
  std::vector<std::shared_ptr<Task>> tasks_;
};

// What was read before the tasks start; none of them changes it.
struct Facts {
  std::string state_directory;
  std::optional<Error> state_error;  // the database could not be opened or read
  StatusReport report;
  bool has_token = false;
  node_host::ServiceState service;
};

Result<std::unique_ptr<approvals::Store>> open_again(const Facts& facts) {
  approvals::StoreOptions options;
  options.busy_timeout = milliseconds(1'000);
  return approvals::Store::open(facts.state_directory, approvals::OpenMode::kReadOnly, options);
}

Facts read_facts() {
  Facts facts;
  auto directory = state_directory();
  if (!directory) {
    facts.state_error = directory.error();
    return facts;
  }
  facts.state_directory = *directory;
  auto store = open_again(facts);
  if (!store) {
    facts.state_error = store.error();
    return facts;
  }
  auto report = read_status(**store);
  if (!report) {
    facts.state_error = report.error();
    return facts;
  }
  facts.report = std::move(*report);
  const auto token = (*store)->device_token(facts.report.device_id, "node");
  facts.has_token = token && *token;
  return facts;
}

// ---- the service

std::string environment_of(const Facts& facts, std::string_view wanted) {
  for (const auto& [name, value] : node_host::current_environment()) {
    if (name == wanted && !trim(value).empty()) return std::string(trim(value));
  }
  for (const auto& [name, value] : facts.service.environment) {
    if (name == wanted) return value;
  }
  return {};
}

CheckResult from_finding(const node_host::ServiceFinding& finding) {
  using Found = node_host::ServiceFinding::Verdict;
  const CheckVerdict verdict = finding.verdict == Found::kFailure   ? CheckVerdict::kFailure
                               : finding.verdict == Found::kWarning ? CheckVerdict::kWarning
                                                                    : CheckVerdict::kOk;
  return {finding.name, finding.code, verdict, finding.message, finding.next};
}

const Names& service_checks() {
  static const Names names{"service", "boot", "lingering", "account", "program",
                           "secrets", "path", "git",       "docker"};
  return names;
}

Results check_service(node_host::ServiceScope scope, node_host::ServiceState& state) {
  const auto manager = node_host::make_service_manager(scope);
  state = manager->query();
  Results out;
  for (const node_host::ServiceFinding& finding : manager->examine()) out.push_back(from_finding(finding));
  return out;
}

// ---- the gateway

std::optional<gateway_proto::GatewayEndpoint> endpoint_of(const Facts& facts) {
  if (facts.report.config.gateway) return facts.report.config.gateway;
  // Never connected yet: where the node last tried.
  auto tried = gateway_proto::parse_gateway_url(facts.report.link.value("url", std::string()));
  return tried ? std::optional(*tried) : std::nullopt;
}

std::string whole_seconds(std::int64_t ms) {
  return std::to_string(std::max<std::int64_t>(ms, -ms) / 1000) + " s";
}

CheckResult clock_result(const node_host::GatewayProbe& probe) {
  if (!probe.clock_ahead_ms)
    return skipped("clock", "CLOCK_UNKNOWN", "the gateway did not get as far as telling its time");
  const std::int64_t ahead = *probe.clock_ahead_ms;
  if (ahead > kClockMayDifferMs || ahead < -kClockMayDifferMs) {
    return warning("clock", "CLOCK_OFF",
                   "this machine's clock is " + whole_seconds(ahead) + (ahead > 0 ? " ahead of" : " behind") +
                       " the gateway's; setup codes and grants end at the wrong time",
                   "timedatectl status");
  }
  return ok("clock", "CLOCK_OK", "the clocks differ by less than " + whole_seconds(kClockMayDifferMs));
}

CheckResult tls_result(const gateway_proto::GatewayEndpoint& endpoint, const node_host::GatewayProbe& probe) {
  if (!endpoint.tls) {
    const bool here = gateway_proto::classify_host(endpoint.host) == gateway_proto::HostClass::kLoopback;
    return here ? ok("tls", "TLS_NOT_NEEDED", "plaintext, and it does not leave this machine")
                : warning("tls", "TLS_NOT_USED",
                          "commands and results travel in plaintext to " + endpoint.host,
                          "hostclaw node run --host " + endpoint.host + " --tls");
  }
  if (probe.failure && probe.failure->code == "TLS_PIN_MISMATCH")
    return failure("tls", "TLS_PIN_MISMATCH", probe.failure->message, probe.failure->next);
  if (probe.failure && probe.failure->code == "TLS_FAILED")
    return failure("tls", "TLS_FAILED", probe.failure->message, probe.failure->next);
  if (probe.failure && !probe.upgraded && probe.failure->code != "UPGRADE_REJECTED")
    return skipped("tls", "TLS_UNKNOWN", "the gateway was not reached");
  if (endpoint.tls_fingerprint.empty())
    return ok("tls", "TLS_OK", "the certificate is valid for " + endpoint.host);
  return ok("tls", "TLS_PIN_OK", "the certificate is the pinned one: " + endpoint.tls_fingerprint);
}

CheckResult gateway_result(const gateway_proto::GatewayEndpoint& endpoint,
                           const node_host::GatewayProbe& probe) {
  const std::string where = endpoint.url();
  if (!probe.failure) {
    return ok("gateway", "GATEWAY_REACHABLE",
              where + " answers, after " + std::to_string(probe.took.count()) + " ms");
  }
  const Error& error = *probe.failure;
  if (error.code == "TLS_PIN_MISMATCH" || error.code == "TLS_FAILED")
    return skipped("gateway", "GATEWAY_UNVERIFIED", "something listens at " + where + "; see tls");
  if (error.code == "UPGRADE_REJECTED") {
    return failure("gateway", "GATEWAY_REFUSES_UPGRADE", error.message,
                   "check port and --context-path: hostclaw node run --host " + endpoint.host + " ...");
  }
  if (error.code == "FRAME_INVALID")
    return failure("gateway", "GATEWAY_NOT_OPENCLAW", where + ": " + error.message, kNodeRun);
  return failure("gateway", "GATEWAY_UNREACHABLE", error.message,
                 "on the gateway: openclaw gateway status    (is it up, does it listen on this address?)");
}

Results check_gateway(const Facts& facts) {
  const auto endpoint = endpoint_of(facts);
  if (!endpoint) {
    const std::string why = "no gateway is known yet";
    return {failure("gateway", "GATEWAY_UNCONFIGURED", why, kNodeRun), skipped("tls", "TLS_UNKNOWN", why),
            skipped("clock", "CLOCK_UNKNOWN", why)};
  }
  const bool insecure_names = environment_of(facts, "OPENCLAW_ALLOW_INSECURE_PRIVATE_WS") == "1";
  if (auto secure = gateway_proto::check_transport_security(*endpoint, insecure_names); !secure) {
    const std::string why = "the gateway is not asked in plaintext";
    return {failure("gateway", "GATEWAY_INSECURE", secure.error().message,
                    "hostclaw node run --host " + endpoint->host + " --tls"),
            skipped("tls", "TLS_UNKNOWN", why), skipped("clock", "CLOCK_UNKNOWN", why)};
  }
  node_host::WebSocketOptions options;
  options.extra_ca_file = environment_of(facts, "NODE_EXTRA_CA_CERTS");
  const node_host::GatewayProbe probe =
      node_host::probe_gateway(*endpoint, std::move(options), kNetworkPatience);
  Results out{gateway_result(*endpoint, probe), tls_result(*endpoint, probe), clock_result(probe)};
  // A pin that was given on the command line is the node's alone: it says what it saw.
  const std::string detail = facts.report.link.value("detail", std::string());
  if (facts.report.link.value("state", std::string()) == "reconnecting" &&
      detail.find("is not the pinned one") != std::string::npos) {
    out[1] = failure("tls", "TLS_PIN_MISMATCH", detail, facts.report.link.value("next", std::string()));
  }
  return out;
}

// ---- the node and its link, from what it last published

bool node_runs(const StatusReport& report) { return report.node.has_value(); }

CheckResult node_result(const StatusReport& report, const node_host::ServiceState& service) {
  if (node_runs(report)) {
    const std::int64_t pid = report.node->pid;
    return ok("node", "NODE_RUNNING",
              (pid > 0 ? "process " + std::to_string(pid) : std::string("a process")) + " serves this state");
  }
  return failure("node", "NODE_NOT_RUNNING", "no node runs with this state",
                 service.installed ? "hostclaw node start" : "hostclaw node run");
}

CheckResult link_result(const StatusReport& report) {
  const auto text = [&report](const char* name) { return report.link.value(name, std::string()); };
  const std::string state = text("state");
  if (state == "connected")
    return ok("link", "LINK_CONNECTED", "connected to " + text("url") + ", gateway " + text("serverVersion"));
  if (state == "waiting-for-credentials")
    return failure("link", "LINK_NO_CREDENTIALS", text("detail"),
                   text("next").empty() ? "hostclaw connect CODE" : text("next"));
  if (state.starts_with("waiting-"))
    return ok("link", "LINK_WAITING", "the node waits for an approval; see pairing and surface");
  if (state == "reconnecting")
    return failure("link", "LINK_RECONNECTING", text("detail"),
                   text("next").empty() ? "hostclaw doctor --only gateway,tls" : text("next"));
  if (state == "starting" || state == "connecting")
    return warning("link", "LINK_CONNECTING", "the node is " + state, "hostclaw status");
  return skipped("link", "LINK_UNKNOWN", "no node runs with this state");
}

Results pairing_results(const Facts& facts) {
  const PairingStages stages = pairing_stages(facts.report);
  Results out;
  if (stages.device == "done") {
    out.push_back(ok("pairing", "PAIRING_DONE", "the gateway knows this device"));
  } else if (stages.device == "pending") {
    out.push_back(
        failure("pairing", "PAIRING_PENDING", "step 1 of 2: the gateway waits for an operator", stages.next));
  } else if (facts.has_token) {
    out.push_back(ok("pairing", "PAIRING_STORED", "a device token of this gateway is stored"));
  } else {
    out.push_back(
        node_runs(facts.report)
            ? skipped("pairing", "PAIRING_UNKNOWN", "the node has not reached the gateway yet")
            : skipped("pairing", "PAIRING_UNKNOWN", "only a running node can tell", "hostclaw node run"));
  }
  if (stages.surface == "done" && !stages.next.empty()) {
    out.push_back(warning("surface", "SURFACE_PARTLY",
                          facts.report.link.value("detail", std::string("some commands wait for approval")),
                          stages.next));
  } else if (stages.surface == "done") {
    out.push_back(ok("surface", "SURFACE_APPROVED", "the gateway dispatches this node's commands"));
  } else if (stages.surface == "none") {
    out.push_back(failure(
        "surface", "SURFACE_NONE",
        facts.report.link.value("detail", std::string("the gateway holds none of this node's commands")),
        stages.next));
  } else if (stages.surface == "unconfirmed") {
    out.push_back(skipped("surface", "SURFACE_UNCONFIRMED",
                          "connected, but the gateway has not told whether it holds this node's commands",
                          stages.next));
  } else if (facts.report.link.value("state", std::string()) == "waiting-for-surface-approval") {
    out.push_back(failure("surface", "SURFACE_PENDING",
                          "step 2 of 2: connected, but no command is dispatched before an operator approves",
                          stages.next));
  } else {
    out.push_back(skipped("surface", "SURFACE_UNKNOWN", "only a connected node can tell"));
  }
  return out;
}

// The stricter of the two policies holds, so a gateway that is stricter explains what never arrives here.
CheckResult gateway_policy_result(const StatusReport& report) {
  constexpr const char* kLook = "on the gateway: openclaw config get tools.exec";
  if (report.gateway_policies.empty() || !report.policy) {
    return skipped("gateway-policy", "GATEWAY_POLICY_UNKNOWN",
                   "no command has told the gateway's own policy yet; what the gateway itself refuses never "
                   "arrives here",
                   kLook);
  }
  const auto security = policy::security_from(report.policy->value("security", std::string()));
  const auto ask = policy::ask_from(report.policy->value("ask", std::string()));
  for (const auto& [agent, gateway] : report.gateway_policies) {
    if ((!security || gateway.security >= *security) && (!ask || gateway.ask <= *ask)) continue;
    return warning("gateway-policy", "GATEWAY_STRICTER",
                   "for agent " + for_terminal(agent) +
                       " the gateway says security=" + std::string(to_string(gateway.security)) +
                       " ask=" + std::string(to_string(gateway.ask)) +
                       ", which is stricter than this node: it asks or refuses before a command arrives here",
                   kLook);
  }
  return ok("gateway-policy", "GATEWAY_POLICY_OK", "the gateway is not stricter than this node");
}

Results check_link(const Facts& facts) {
  Results out{node_result(facts.report, facts.service), link_result(facts.report)};
  for (CheckResult& result : pairing_results(facts)) out.push_back(std::move(result));
  out.push_back(gateway_policy_result(facts.report));
  const std::string name = facts.report.config.display_name.empty() ? node_host::default_display_name()
                                                                    : facts.report.config.display_name;
  out.push_back(skipped("name", "NAME_UNKNOWN",
                        "whether another node is called " + name + " is known to the gateway alone",
                        "on the gateway: openclaw nodes status"));
  return out;
}

CheckResult identity_result(const Facts& facts, approvals::Store& store) {
  auto own = node_host::load_identity(store, false);
  if (!own && own.error().code == "IDENTITY_MISSING")
    return failure("identity", "IDENTITY_MISSING", own.error().message, kNodeRun);
  if (!own) return failure("identity", "IDENTITY_INVALID", own.error().message, "hostclaw node identity");
  const std::string directory = node_host::home_directory() + "/.openclaw";
  std::error_code ignored;
  if (std::filesystem::exists(to_path(directory), ignored)) {
    auto other = approvals::read_openclaw_state(directory);
    if (other && other->identity && other->identity->device_id == own->device_id()) {
      const auto unit = official_service_definition(node_host::home_directory());
      if (unit && std::filesystem::exists(to_path(*unit), ignored)) {
        return warning(
            "identity", "IDENTITY_SHARED",
            "the official host is installed here with the same identity: the two take each other's "
            "commands",
            "openclaw node uninstall");
      }
      return ok(
          "identity", "IDENTITY_OK",
          own->device_id() + "; " + directory + " holds the same one, so do not start the official host");
    }
  }
  return ok("identity", "IDENTITY_OK", facts.report.device_id);
}

// ---- files

Result<void> check_entries(const std::string& directory) {
  std::error_code failed;
  std::filesystem::directory_iterator entry(to_path(directory), failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    const auto kind = entry->symlink_status(failed).type();
    if (kind != std::filesystem::file_type::regular) continue;
    if (auto closed = approvals::check_private_file(to_text(entry->path())); !closed) return closed;
  }
  return {};
}

Results check_state(const Facts& facts) {
  if (facts.state_directory.empty())
    return {failure("state", "STATE_UNUSABLE", facts.state_error->message, facts.state_error->next)};
  const std::string& directory = facts.state_directory;
  auto closed = approvals::check_private_directory(directory);
  if (closed) closed = check_entries(directory);
  if (closed) closed = approvals::check_private_directory(directory + "/credentials");
  if (closed) closed = check_entries(directory + "/credentials");
  if (!closed) return {failure("state", "STATE_OPEN", closed.error().message, closed.error().next)};
  if (facts.state_error && facts.state_error->code == "STORE_NOT_FOUND")
    return {failure("state", "STATE_MISSING", facts.state_error->message, kNodeRun)};
  return {ok("state", "STATE_PRIVATE", directory + " and its files are closed to other accounts")};
}

CheckResult database_trouble(const Error& error) {
  const bool damaged = error.code == "STORE_CORRUPT" || error.code == "STORE_FOREIGN";
  const std::string code = damaged                       ? "DATABASE_DAMAGED"
                           : error.code == "STORE_MOVED" ? "DATABASE_MOVED"
                                                         : "DATABASE_UNUSABLE";
  return failure("database", code, error.message, error.next.empty() ? "hostclaw status" : error.next);
}

Results check_database(const Facts& facts) {
  if (auto moved = node_host::database_left_behind(facts.state_directory)) return {database_trouble(*moved)};
  auto store = open_again(facts);
  if (!store && store.error().code == "STORE_NOT_FOUND")
    return {skipped("database", "STATE_UNREADABLE", "there is no database yet; see state")};
  if (!store) return {database_trouble(store.error())};
  if (auto sound = (*store)->check_integrity(); !sound) return {database_trouble(sound.error())};
  // Sound is not enough: what cannot be written refuses everything.
  if (facts.report.store_problem && facts.report.store_problem->code.starts_with("STORE_"))
    return {database_trouble(*facts.report.store_problem)};
  if (auto space = approvals::check_space(facts.state_directory);
      !space && space.error().code == "STORE_FULL")
    return {database_trouble(space.error())};
  const auto limit = approvals::read_database_limit(**store).limit;
  const auto bytes = (*store)->bytes_in_use();
  if (bytes && *bytes >= limit.bytes()) {
    const Error over = approvals::database_at_limit(limit, *bytes);
    return {limit.then == approvals::AtLimit::kRefuse
                ? failure("database", "DATABASE_AT_LIMIT", over.message, over.next)
                : warning("database", "DATABASE_AT_LIMIT", over.message, over.next)};
  }
  return {ok("database", "DATABASE_OK", (*store)->path() + " is sound, and there is room to write")};
}

Result<approvals::AuditVerification> verify_newest(approvals::Store& store) {
  approvals::AuditChain chain(store);
  approvals::AuditVerifyOptions options;
  options.check_signature = node_host::audit_signature_check({});
  approvals::AuditFilter filter;
  filter.limit = 1;
  auto newest = chain.rows(filter);
  if (!newest) return newest.error();
  if (newest->empty() || newest->front().sequence <= kAuditRows) return chain.verify(options);
  filter.after = newest->front().sequence - kAuditRows;
  filter.limit = kAuditRows;
  filter.newest_first = false;
  auto rows = chain.rows(filter);
  if (!rows) return rows.error();
  approvals::AuditAnchor anchor;
  if (!rows->empty()) {
    // What came before is taken as given: `audit verify` looks at all of it.
    const auto hash = from_hex(rows->front().previous_hash);
    anchor.sequence = rows->front().sequence - 1;
    if (hash) anchor.hash.assign(hash->begin(), hash->end());
    anchor.assumed = true;
  }
  approvals::AuditVerifier verifier(options, anchor);
  for (const approvals::AuditRow& row : *rows) {
    if (!verifier.feed(row)) break;
  }
  return verifier.finish();
}

Results check_audit(const Facts& facts) {
  auto store = open_again(facts);
  if (!store) return {skipped("audit", "STATE_UNREADABLE", store.error().message)};
  auto found = verify_newest(**store);
  if (!found) return {failure("audit", "AUDIT_UNREADABLE", found.error().message, "hostclaw audit verify")};
  if (!found->valid) return {failure("audit", "AUDIT_DAMAGED", found->problem, "hostclaw audit verify")};
  Results out = {
      ok("audit", "AUDIT_OK", "the record is whole in its newest " + std::to_string(found->rows) + " rows")};
  for (const auto& [name, state] : node_host::read_mirror_states(**store).by_name) {
    if (state.problem.empty()) continue;
    out.push_back(warning("audit", "AUDIT_MIRROR_MISSES",
                          "mirror " + name + " misses rows of the record: " + state.problem,
                          "hostclaw audit mirror show"));
  }
  return out;
}

// ---- policy

CheckResult settings_result(approvals::Store& store) {
  std::vector<Error> problems = approvals::read_exec_settings(store).problems;
  for (Error& problem : approvals::read_audit_settings(store).problems)
    problems.push_back(std::move(problem));
  if (problems.empty()) return ok("settings", "SETTINGS_OK", "every stored setting is understood");
  const Error& first = problems.front();
  return failure("settings", "SETTINGS_INVALID", first.message,
                 first.next.empty() ? "hostclaw exec-policy show" : first.next);
}

CheckResult lint_result(approvals::Store& store, const policy::PolicyDocument& document,
                        const policy::EngineSettings& settings) {
  node_host::OpenedFiles files;
  policy::EngineContext context = check_context(settings, files);
  approvals::RuleCache rules;
  rules.apply(store, context.settings);
  if (!rules.problem().empty())
    return failure("policy", "RULES_UNREADABLE", rules.problem(), "hostclaw policy rules");
  auto findings = policy::lint_policy(document, context);
  if (context.settings.rules) {
    for (auto& finding : policy::lint_rules(context.settings.rules->rules(), context))
      findings.push_back(std::move(finding));
  }
  std::size_t warnings = 0;
  std::string first;
  for (const policy::LintFinding& finding : findings) {
    if (finding.severity != policy::LintFinding::Severity::kWarning) continue;
    if (warnings++ == 0) {
      first = finding.code + (finding.pattern.empty() ? "" : " " + finding.pattern) + ": " + finding.message;
    }
  }
  if (context.settings.observe) {
    return warning("policy", "POLICY_OBSERVES", "mode=observe runs what would be asked about or denied",
                   "hostclaw exec-policy set --mode enforce");
  }
  if (warnings == 0) return ok("policy", "POLICY_OK", "nothing opens more than it seems to");
  return warning("policy", "POLICY_WARNINGS",
                 first + (warnings > 1 ? " (and " + std::to_string(warnings - 1) + " more)" : ""),
                 "hostclaw policy lint");
}

// The policy is a row of a file that other programs of the same user can write. What hostclaw itself has
// written is in the record.
CheckResult document_result(approvals::Store& store) {
  const auto document = store.document();
  const auto written = approvals::AuditChain(store).rows({.kind = "policy-write", .limit = 1});
  if (document && document->exists && written && !written->empty()) {
    const Json body = Json::parse(written->front().body, nullptr, false);
    const bool recorded = body.is_object() && body.value("hashAfter", "") == document->hash;
    if (!recorded || sha256_hex(document->raw_text) != document->hash) {
      return failure(
          "document", "DOCUMENT_UNRECORDED",
          "the approvals document was changed past hostclaw: it is not what the record says was written "
          "last, at " +
              format_time(written->front().at_ms),
          "hostclaw approvals get, then hostclaw audit tail --kind policy-write");
    }
  }
  return ok("document", "DOCUMENT_READABLE", "the approvals document is understood");
}

Results check_policy(const Facts& facts) {
  auto store = open_again(facts);
  if (!store) {
    const std::string& why = store.error().message;
    return {skipped("document", "STATE_UNREADABLE", why), skipped("settings", "STATE_UNREADABLE", why),
            skipped("policy", "STATE_UNREADABLE", why), skipped("identity", "STATE_UNREADABLE", why)};
  }
  Results out;
  approvals::PolicyCache cache;
  const auto document = cache.current(**store);
  if (document->malformed) {
    out.push_back(failure("document", "DOCUMENT_UNREADABLE",
                          "every command is refused: " + document->malformed_reason,
                          "hostclaw approvals set --file FILE"));
    out.push_back(skipped("policy", "POLICY_UNKNOWN", "the document cannot be read"));
  } else {
    out.push_back(document_result(**store));
    out.push_back(lint_result(**store, *document, approvals::engine_settings(**store)));
  }
  out.push_back(settings_result(**store));
  out.push_back(identity_result(facts, **store));
  return out;
}

Results check_hostlink(const Facts& facts) {
  auto store = open_again(facts);
  if (store) return examine_hostlink(**store);
  Results out;
  for (const char* name : {"hostlink", "hostlink-socket", "hostlink-tokens"})
    out.push_back(skipped(name, "STATE_UNREADABLE", store.error().message));
  return out;
}

Results check_clawlink(const Facts& facts) {
  if (!facts.state_directory.empty()) return examine_clawlink(facts.state_directory);
  if (const auto own = relay_state_directory()) return examine_clawlink(*own);
  Results out;
  for (const std::string& name : clawlink_checks())
    out.push_back(skipped(name, "STATE_UNREADABLE", "there is no state directory; see state"));
  return out;
}

Results without_state(const Names& names, const Error& why) {
  Results out;
  for (const std::string& name : names) {
    out.push_back(
        why.code == "CONFIG_INVALID" && name == "gateway"
            ? failure(name, "GATEWAY_CONFIG_INVALID", why.message, kNodeRun)
            : skipped(name, "STATE_UNREADABLE", "the state cannot be read; see state and database"));
  }
  return out;
}

// The look at the service came to its end and found none.
bool no_service(const Results& found) {
  return std::any_of(found.begin(), found.end(),
                     [](const CheckResult& result) { return result.code == "SERVICE_NOT_INSTALLED"; });
}

bool wants(const Names& only, std::string_view name) {
  return only.empty() || std::find(only.begin(), only.end(), name) != only.end();
}
bool wants_any(const Names& only, const Names& names) {
  return std::any_of(names.begin(), names.end(),
                     [&only](const std::string& name) { return wants(only, name); });
}

void start_others(SideBySide& tasks, const CheckChoice& choice, const std::shared_ptr<const Facts>& facts) {
  struct Part {
    Names names;
    Results (*body)(const Facts&);
    bool needs_state;
  };
  const Part parts[] = {
      {{"gateway", "tls", "clock"}, check_gateway, true},
      {{"node", "link", "pairing", "surface", "gateway-policy", "name"}, check_link, true},
      {{"state"}, check_state, false},
      {{"database"}, check_database, false},
      {{"audit"}, check_audit, false},
      {{"document", "settings", "policy", "identity"}, check_policy, false},
      {{"hostlink", "hostlink-socket", "hostlink-tokens"}, check_hostlink, false},
      {clawlink_checks(), check_clawlink, false},
  };
  // These look at files of their own, with or without a node's database.
  const Names without_node{"state", "database", "clawlink"};
  for (const Part& part : parts) {
    if (!wants_any(choice.only, part.names)) continue;
    const bool network = part.names.front() == "gateway";
    if (network && choice.offline) {
      tasks.start(part.names, [names = part.names] {
        Results out;
        for (const std::string& name : names)
          out.push_back(skipped(name, "OFFLINE", "--offline: the gateway is not asked"));
        return out;
      });
    } else if (facts->state_error && (part.needs_state || facts->state_error->code == "STORE_NOT_FOUND") &&
               std::find(without_node.begin(), without_node.end(), part.names.front()) ==
                   without_node.end()) {
      tasks.start(part.names,
                  [names = part.names, why = *facts->state_error] { return without_state(names, why); });
    } else {
      tasks.start(part.names, [body = part.body, facts] { return body(*facts); });
    }
  }
}

}  // namespace

std::string_view to_string(CheckVerdict verdict) {
  switch (verdict) {
    case CheckVerdict::kOk:
      return "ok";
    case CheckVerdict::kWarning:
      return "warning";
    case CheckVerdict::kFailure:
      return "failure";
    case CheckVerdict::kSkipped:
      return "skipped";
  }
  return "?";
}

const std::vector<CheckInfo>& known_checks() {
  static const std::vector<CheckInfo> checks{
      {"service",
       "SERVICE_RUNNING SERVICE_RESTARTED SERVICE_STARTING SERVICE_STOPPED SERVICE_DOWN "
       "SERVICE_NOT_INSTALLED"},
      {"boot", "SERVICE_NOT_ENABLED SERVICE_AT_BOOT SERVICE_AT_LOGON"},
      {"lingering", "LINGERING_ON LINGERING_OFF"},
      {"account", "SERVICE_ACCOUNT ACCOUNT_OK ACCOUNT_IS_SYSTEM ACCOUNT_SHARED ACCOUNT_RIGHT_UNKNOWN"},
      {"program", "SERVICE_EXECUTABLE SERVICE_EXECUTABLE_OK SERVICE_EXECUTABLE_OPEN"},
      {"secrets", "SECRETS_CLOSED SECRETS_OPEN"},
      {"path", "PATH_SAME PATH_DIFFERS"},
      {"git", "GIT_USABLE GIT_ABSENT"},
      {"docker", "DOCKER_USABLE DOCKER_CLOSED DOCKER_ABSENT DOCKER_AS_ROOT DOCKER_STOPPED DOCKER_UNKNOWN"},
      {"gateway",
       "GATEWAY_REACHABLE GATEWAY_UNREACHABLE GATEWAY_REFUSES_UPGRADE GATEWAY_NOT_OPENCLAW "
       "GATEWAY_UNVERIFIED "
       "GATEWAY_UNCONFIGURED GATEWAY_INSECURE GATEWAY_CONFIG_INVALID"},
      {"tls", "TLS_OK TLS_PIN_OK TLS_PIN_MISMATCH TLS_FAILED TLS_NOT_NEEDED TLS_NOT_USED TLS_UNKNOWN"},
      {"clock", "CLOCK_OK CLOCK_OFF CLOCK_UNKNOWN"},
      {"node", "NODE_RUNNING NODE_NOT_RUNNING"},
      {"link",
       "LINK_CONNECTED LINK_WAITING LINK_CONNECTING LINK_RECONNECTING LINK_NO_CREDENTIALS LINK_UNKNOWN"},
      {"pairing", "PAIRING_DONE PAIRING_PENDING PAIRING_STORED PAIRING_UNKNOWN"},
      {"surface",
       "SURFACE_APPROVED SURFACE_PARTLY SURFACE_PENDING SURFACE_UNCONFIRMED SURFACE_NONE SURFACE_UNKNOWN"},
      {"gateway-policy", "GATEWAY_POLICY_OK GATEWAY_STRICTER GATEWAY_POLICY_UNKNOWN"},
      {"identity", "IDENTITY_OK IDENTITY_MISSING IDENTITY_INVALID IDENTITY_SHARED"},
      {"name", "NAME_UNKNOWN"},
      {"state", "STATE_PRIVATE STATE_OPEN STATE_MISSING STATE_UNUSABLE"},
      {"database", "DATABASE_OK DATABASE_DAMAGED DATABASE_MOVED DATABASE_AT_LIMIT DATABASE_UNUSABLE"},
      {"audit", "AUDIT_OK AUDIT_DAMAGED AUDIT_UNREADABLE AUDIT_MIRROR_MISSES"},
      {"document", "DOCUMENT_READABLE DOCUMENT_UNREADABLE DOCUMENT_UNRECORDED"},
      {"settings", "SETTINGS_OK SETTINGS_INVALID"},
      {"policy", "POLICY_OK POLICY_WARNINGS POLICY_OBSERVES POLICY_UNKNOWN RULES_UNREADABLE"},
      {"hostlink",
       "HOSTLINK_SERVED HOSTLINK_NOT_SERVED HOSTLINK_OLDER HOSTLINK_UNVERIFIED HOSTLINK_CONFIG_INVALID "
       "HOSTLINK_OFF"},
      {"hostlink-socket",
       "HOSTLINK_SOCKET_OK HOSTLINK_SOCKET_OPEN HOSTLINK_SOCKET_GROUP HOSTLINK_SOCKET_MISSING "
       "HOSTLINK_TCP_ONLY HOSTLINK_INSECURE"},
      {"hostlink-tokens",
       "HOSTLINK_TOKENS_OK HOSTLINK_TOKEN_NONE HOSTLINK_TOKEN_EXPIRED HOSTLINK_TOKEN_FULL "
       "HOSTLINK_TOKENS_UNREADABLE"},
      {"clawlink",
       "CLAWLINK_SERVED CLAWLINK_NOT_SERVED CLAWLINK_STOPPED CLAWLINK_OTHER CLAWLINK_SILENT CLAWLINK_OFF"},
      {"clawlink-clock", "CLAWLINK_CLOCK_OK CLAWLINK_CLOCK_OFF CLAWLINK_CLOCK_UNKNOWN"},
      {"clawlink-cert",
       "CLAWLINK_CERT_OK CLAWLINK_CERT_EXPIRED CLAWLINK_CERT_EXPIRES CLAWLINK_CERT_EARLY "
       "CLAWLINK_CERT_UNREADABLE CLAWLINK_CERT_OLD CLAWLINK_KEY_UNREADABLE CLAWLINK_KEY_OPEN "
       "CLAWLINK_TLS_NOT_NEEDED CLAWLINK_INSECURE"},
      {"clawlink-token",
       "CLAWLINK_TOKEN_OK CLAWLINK_TOKEN_NONE CLAWLINK_TOKEN_OPEN CLAWLINK_TOKEN_SHOWN "
       "CLAWLINK_TOKEN_UNREADABLE"},
      {"clawlink-store",
       "CLAWLINK_STORE_OK CLAWLINK_STORE_OPEN CLAWLINK_STORE_DAMAGED CLAWLINK_STORE_UNUSABLE "
       "CLAWLINK_STORE_FULL CLAWLINK_STORE_LOW CLAWLINK_STORE_MISSING"},
  };
  return checks;
}

std::string check_named(std::string_view name_or_code) {
  for (const CheckInfo& check : known_checks()) {
    if (check.name == name_or_code) return std::string(check.name);
    for (const std::string& code : split(check.codes, ' ')) {
      if (code == name_or_code) return std::string(check.name);
    }
  }
  return {};
}

std::vector<CheckResult> run_checks(const CheckChoice& choice, bool& left_behind) {
  left_behind = false;
  Results found;
  SideBySide service;
  const auto state = std::make_shared<node_host::ServiceState>();
  Names service_too = service_checks();
  service_too.insert(service_too.end(), {"gateway", "tls", "node"});
  if (wants_any(choice.only, service_too)) {
    service.start(service_checks(),
                  [state, scope = choice.scope.scope()] { return check_service(scope, *state); });
  }
  // Reading the state may make this process the service's account, which the service manager answers less.
  // And what runs with another PATH and certificates than ours is to be known before the gateway is asked.
  const bool service_first = node_host::running_as_root() || node_host::installed_state_directory();
  bool service_ended = false;
  if (service_first) {
    bool slow = false;
    found = service.collect(kServicePatience, slow);
    service_ended = !slow;
    left_behind = slow;
  }
  auto facts = std::make_shared<Facts>(read_facts());
  if (service_ended) facts->service = *state;
  SideBySide others;
  start_others(others, choice, facts);
  for (CheckResult& result : others.collect(kPatience, left_behind)) found.push_back(std::move(result));
  if (!service_first) {
    for (CheckResult& result : service.collect(kServicePatience, left_behind))
      found.push_back(std::move(result));
  }
  // Where nothing is set up, there is one thing to say; the rest would follow from it.
  const bool nothing_yet = choice.only.empty() && facts->state_error &&
                           facts->state_error->code == "STORE_NOT_FOUND" && no_service(found);
  const bool relay_alone =
      nothing_yet && std::any_of(found.begin(), found.end(), [](const CheckResult& result) {
        return result.check == "clawlink" && result.code != kClawlinkOff;
      });
  Results ordered;
  for (const CheckInfo& check : known_checks()) {
    if (nothing_yet && check.name != "state" && !(relay_alone && check.name.starts_with("clawlink")))
      continue;
    if (!wants(choice.only, check.name)) continue;
    for (const CheckResult& result : found) {
      // What is not used is one line of a look at everything.
      const bool said =
          (choice.only.empty() && ((result.code == kHostlinkOff && check.name != "hostlink") ||
                                   (result.code == kClawlinkOff && check.name != "clawlink"))) ||
          (relay_alone && result.code == "STATE_MISSING");
      if (result.check == check.name && !said) ordered.push_back(result);
    }
  }
  return ordered;
}

bool all_well(const std::vector<CheckResult>& results) {
  return std::none_of(results.begin(), results.end(),
                      [](const CheckResult& result) { return result.verdict == CheckVerdict::kFailure; });
}

Json check_json(const std::vector<CheckResult>& results) {
  Json list = Json::array();
  Json summary{{"ok", 0}, {"warning", 0}, {"failure", 0}, {"skipped", 0}};
  for (const CheckResult& result : results) {
    const std::string verdict(to_string(result.verdict));
    Json item{
        {"check", result.check}, {"code", result.code}, {"verdict", verdict}, {"message", result.message}};
    if (!result.next.empty()) item["next"] = naming_profile(result.next);
    list.push_back(std::move(item));
    summary[verdict] = summary[verdict].get<int>() + 1;
  }
  return Json{{"ok", all_well(results)},
              {"version", version()},
              {"checks", std::move(list)},
              {"summary", std::move(summary)}};
}

}  // namespace hostclaw::cli
