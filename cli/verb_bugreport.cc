// SPDX-License-Identifier: Apache-2.0
// hostclaw bugreport: one file that says how this node is, without secrets.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <iostream>

#include "approvals/audit/audit_chain.h"
#include "approvals/platform/private_files.h"
#include "approvals/policy/rule_store.h"
#include "approvals/shown/secret_masking.h"
#include "approvals/store/settings.h"
#include "base/clock.h"
#include "base/file_names.h"
#include "base/text.h"
#include "base/utf8.h"
#include "cli/command_line.h"
#include "cli/doctor_checks.h"
#include "cli/log_lines.h"
#include "cli/status_report.h"
#include "cli/this_system.h"
#include "node-host/system/files/instance_lock.h"
#include "node-host/system/host/host_facts.h"

namespace hostclaw::cli {
namespace {

constexpr std::size_t kReportedLogLines = 200;
constexpr std::size_t kReportedRuns = 30;
constexpr std::size_t kMostBytesOfLog = 64'000'000;
// Shorter ones would take ordinary words away.
constexpr std::size_t kShortestSecret = 6;

// Takes secrets out of everything that goes into the report: those that this machine holds, wherever they
// stand, and what looks like one.
class Redaction {
 public:
  void hide(std::string_view secret) {
    const std::string_view text = trim(secret);
    if (text.size() < kShortestSecret) return;
    known_.emplace_back(text);
    std::sort(known_.begin(), known_.end(),
              [](const auto& one, const auto& other) { return one.size() > other.size(); });
  }

  // A key, its lines too: a log may quote one of them.
  void hide_lines(const std::string& text) {
    hide(text);
    for (const std::string& line : split(text, '\n')) {
      if (!line.starts_with("-----")) hide(line);
    }
  }

  void hide_files_of(const std::string& directory) {
    std::error_code failed;
    std::filesystem::directory_iterator entry(to_path(directory), failed);
    for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
      if (const auto text = read_input(to_text(entry->path()), 65'536)) hide_lines(*text);
    }
  }

  void hide_environment() {
    for (const auto& [name, value] : node_host::current_environment()) {
      if (approvals::is_secret_name(name)) hide_lines(value);
    }
  }

  std::string text(const std::string& original) const {
    std::string out = original;
    for (const std::string& secret : known_) {  // the longest first: one may hold another
      for (std::size_t at = out.find(secret); at != std::string::npos; at = out.find(secret, at)) {
        out.replace(at, secret.size(), approvals::kMask);
        at += approvals::kMask.size();
      }
    }
    return approvals::mask_secrets_in_text(out);
  }

  Json value(const Json& original) const {
    if (original.is_string()) return text(original.get_ref<const std::string&>());
    if (original.is_array()) {
      Json out = Json::array();
      for (const Json& item : original) out.push_back(value(item));
      return out;
    }
    if (original.is_number()) return leaves_nothing(original.dump()) ? original : Json(approvals::kMask);
    if (!original.is_object()) return original;
    Json out = Json::object();
    for (const auto& [name, item] : original.items()) {
      const bool secret = approvals::is_secret_name(name) && (item.is_string() || item.is_structured());
      out[text(name)] = secret ? Json(approvals::kMask) : value(item);
    }
    return out;
  }

  // The last look, at the bytes that would be written.
  bool leaves_nothing(const std::string& report) const {
    for (const std::string& secret : known_) {
      const std::string quoted = dump_json(Json(secret));
      if (report.find(secret) != std::string::npos ||
          report.find(std::string_view(quoted).substr(1, quoted.size() - 2)) != std::string::npos) {
        return false;
      }
    }
    return true;
  }

 private:
  std::vector<std::string> known_;
};

std::string dated_name() {
  const std::time_t now = static_cast<std::time_t>(unix_ms_now() / 1000);
  const std::tm parts = *std::localtime(&now);
  char text[64];
  std::strftime(text, sizeof text, "hostclaw-bugreport-%Y%m%d-%H%M%S.json", &parts);
  return text;
}

struct Log {
  std::string source;
  std::string text;
};

Log read_service_log(node_host::ServiceManager& manager) {
  node_host::LogWish wish;
  wish.lines = kReportedLogLines;
  auto text = manager.read_log(wish);
  if (!text) return {text.error().message, ""};
  return {"the service's journal", std::move(*text)};
}

Json log_json(const Log& log) {
  return Json{{"source", log.source}, {"lines", newest_lines(to_valid_utf8(log.text), kReportedLogLines, 0)}};
}

// Which system, without the machine's name.
Json system_json() {
  Json json{{"platform", node_host::host_platform()}, {"asRoot", node_host::running_as_root()}};
  json.update(system_release());
  return json;
}

Json error_json(const Error& error) { return Json{{"code", error.code}, {"message", error.message}}; }

// Commands, not what they printed: output is nobody's business but its owner's.
Json runs_json(approvals::Store& store) {
  auto runs = store.runs({kReportedRuns, "", ""});
  if (!runs) return error_json(runs.error());
  Json out = Json::array();
  for (const approvals::RunRow& run : *runs) {
    Json item{{"runId", run.run_id},
              {"command", approvals::mask_secrets_in_text(run.command_text)},
              {"cwd", run.cwd},
              {"resolvedPath", run.resolved_path},
              {"verdict", run.verdict},
              {"code", run.code},
              {"reason", run.reason},
              {"state", run.state},
              {"delivered", run.delivered},
              {"startedAtMs", run.started_at_ms},
              {"endedAtMs", run.ended_at_ms}};
    if (run.exit_code) item["exit"] = *run.exit_code;
    out.push_back(std::move(item));
  }
  return out;
}

// A value under a key that is not ours is only named.
Json settings_json(approvals::Store& store) {
  auto settings = store.settings();
  if (!settings) return error_json(settings.error());
  Json out = Json::object();
  for (const auto& [key, value] : *settings) {
    bool ours = is_one_of(key, {"nodeHost.config", "runtime.link"});
    for (const approvals::ExecSettingInfo& info : approvals::exec_setting_infos())
      ours = ours || key == info.key;
    out[key] = ours ? value : Json("(not shown)");
  }
  return out;
}

Json audit_json(approvals::Store& store) {
  approvals::AuditChain chain(store);
  auto stats = chain.stats();
  if (!stats) return error_json(stats.error());
  return Json{{"chain", stats->chain},
              {"rows", stats->rows},
              {"firstSequence", stats->first_sequence},
              {"lastSequence", stats->last_sequence},
              {"lastAtMs", stats->last_at_ms},
              {"lastCheckpointRow", stats->last_checkpoint_row},
              {"byKind", stats->by_kind}};
}

Json policy_json(approvals::Store& store) {
  auto stored = store.document();
  if (!stored) return error_json(stored.error());
  Json out{{"exists", stored->exists}, {"hash", stored->hash}, {"generation", stored->generation}};
  if (auto json = parse_json(stored->raw_text)) {
    out["document"] = std::move(*json);
  } else {
    out["unreadable"] = json.error().message;
  }
  if (auto rules = approvals::stored_rules(store)) {
    out["rules"] = Json::array();
    for (const approvals::StoredRule& rule : *rules) {
      Json item = policy::rule_to_json(rule.rule);
      item["source"] = approvals::to_string(rule.source);
      out["rules"].push_back(std::move(item));
    }
  } else {
    out["rules"] = error_json(rules.error());
  }
  return out;
}

void add_state(Json& body, Redaction& redaction, Log& log) {
  auto directory = state_directory();
  if (!directory) {
    body["stateError"] = error_json(directory.error());
    return;
  }
  redaction.hide_files_of(*directory + "/credentials");
  redaction.hide_files_of(*directory + "/clawlink");
  if (log.text.empty()) {
    if (auto text = read_input(*directory + "/node.log", kMostBytesOfLog))
      log = {"node.log", std::move(*text)};
  }
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) {
    body["stateError"] = error_json(store.error());
    return;
  }
  if (const auto identity = (*store)->identity(); identity && *identity) {
    redaction.hide_lines((*identity)->private_key_pem);
    if (const auto token = (*store)->device_token((*identity)->device_id, "node"); token && *token)
      redaction.hide((*token)->token);
  }
  if (auto report = read_status(**store)) {
    add_to_json(*report, body["status"]);
  } else {
    body["status"] = error_json(report.error());
  }
  body["policy"] = policy_json(**store);
  body["settings"] = settings_json(**store);
  body["runs"] = runs_json(**store);
  body["audit"] = audit_json(**store);
}

struct ReportFlags {
  ScopeFlags scope;
  std::string output;
  bool offline = false;
  bool json = false;
};

// Made before anything else: later this process may act as the service's account.
Result<std::FILE*> begin_file(const std::string& path) {
  if (path == "-") return stdout;
  auto file = approvals::open_new_private_file(path);
  if (file) return file;
  const std::string code = file.error().code == "FILE_EXISTS" ? "FILE_EXISTS" : "FILE_UNWRITABLE";
  return make_error(code, file.error().message, "hostclaw bugreport --output FILE");
}

// Writes, closes and names the file; what is left of one that failed is taken away. `text` empty: a secret
// was found in it.
int finish_file(std::FILE* file, const std::string& path, const std::string& text, bool json) {
  bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0;
  const int problem = errno;
  const bool named = path != "-";
  if (named) written = std::fclose(file) == 0 && written;
  if (written && !text.empty()) {
    if (named && json) {
      print_json(Json{{"ok", true}, {"path", path}});
    } else if (named) {
      print_line(path);
    }
    note(
        "Secrets that this node knows and what looks like one are replaced; please read it before you send "
        "it.");
    return kDone;
  }
  std::error_code ignored;
  if (named) std::filesystem::remove(to_path(path), ignored);
  if (text.empty())
    return fail(make_error("INTERNAL", "a secret was left in the report; it was not written"), json);
  return fail(make_error("FILE_UNWRITABLE", "cannot write " + path + ": " + std::strerror(problem)), json);
}

int bugreport(const ReportFlags& flags) {
  const std::string path = flags.output.empty() ? dated_name() : flags.output;
  auto file = begin_file(path);
  if (!file) return fail(file.error(), flags.json);
  Redaction redaction;
  redaction.hide_environment();
  for (const std::string& folder : credential_folders()) redaction.hide_files_of(folder);
  const auto manager = node_host::make_service_manager(flags.scope.scope());
  Log log = read_service_log(*manager);
  Json body{{"format", "hostclaw-bugreport-1"},
            {"createdAtMs", unix_ms_now()},
            {"version", version()},
            {"machine", system_json()},
            {"service", service_json(manager->query())}};
  CheckChoice choice;
  choice.offline = flags.offline;
  choice.scope = flags.scope;
  bool left_behind = false;
  body["doctor"] = check_json(run_checks(choice, left_behind));
  add_state(body, redaction, log);
  body["log"] = log_json(log);

  const std::string text = redaction.value(body).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  const int status = finish_file(*file, path, redaction.leaves_nothing(text) ? text : "", flags.json);
  if (left_behind) {
    std::cout.flush();
    std::fflush(stdout);
    std::_Exit(status);
  }
  return status;
}

}  // namespace

void add_bugreport(CLI::App& parent, Action& action) {
  const auto flags = std::make_shared<ReportFlags>();
  CLI::App* verb = parent.add_subcommand(
      "bugreport", "Write a file for whoever helps: doctor, status, policy, runs and log, without secrets");
  verb->add_option("-o,--output", flags->output,
                   "Where to (default: hostclaw-bugreport-DATE.json here; - for standard output)");
  verb->add_flag("--offline", flags->offline, "Do not ask the gateway");
  add_scope_flags(*verb, flags->scope);
  verb->add_flag("--json", flags->json, "Print the path as JSON");
  verb->callback([&action, flags] { action = [flags] { return bugreport(*flags); }; });
}

}  // namespace hostclaw::cli
