// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/exec_tool.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/sha256.h"
#include "base/text.h"
#include "tests/devgateway/gateway.h"
#include "tests/devgateway/json_members.h"
#include "tests/devgateway/random_id.h"

namespace hostclaw::devgateway {
namespace {

constexpr std::int64_t kPrepareTimeoutMs = 15'000;
constexpr std::int64_t kGetTimeoutMs = 10'000;
constexpr std::int64_t kRunTimeoutMs = 1'800'000;
constexpr std::array<std::string_view, 3> kSecurities = {"deny", "allowlist", "full"};
constexpr std::array<std::string_view, 3> kAsks = {"off", "on-miss", "always"};

template <std::size_t N>
std::size_t rank(const std::array<std::string_view, N>& scale, const std::string& value,
                 std::size_t fallback) {
  const auto found = std::find(scale.begin(), scale.end(), value);
  return found == scale.end() ? fallback : static_cast<std::size_t>(found - scale.begin());
}

std::vector<std::string> strings_at(const Json& object, const char* name) {
  std::vector<std::string> out;
  if (!object.is_object() || !object.contains(name) || !object[name].is_array()) return out;
  for (const Json& item : object[name]) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

// `**` crosses slashes, `*` and `?` do not.
bool glob_matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.starts_with("**")) {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (glob_matches(pattern.substr(2), text.substr(i))) return true;
    }
    return false;
  }
  if (pattern[0] == '*') {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (glob_matches(pattern.substr(1), text.substr(i))) return true;
      if (i < text.size() && text[i] == '/') return false;
    }
    return false;
  }
  if (text.empty()) return false;
  if (pattern[0] == '?' ? text[0] == '/' : pattern[0] != text[0]) return false;
  return glob_matches(pattern.substr(1), text.substr(1));
}

// The words of each simple command; nothing when the text holds more than words, quotes and joins.
std::optional<std::vector<std::vector<std::string>>> simple_commands(std::string_view text) {
  std::vector<std::vector<std::string>> commands(1);
  std::string word;
  bool in_word = false;
  const auto end_word = [&] {
    if (in_word) commands.back().push_back(word);
    word.clear();
    in_word = false;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\'' || c == '"') {
      in_word = true;
      const std::size_t end = text.find(c, i + 1);
      if (end == std::string_view::npos) return std::nullopt;
      const std::string_view inside = text.substr(i + 1, end - i - 1);
      if (c == '"' && inside.find_first_of("$`\\") != std::string_view::npos) return std::nullopt;
      word += inside;
      i = end;
    } else if (c == ' ' || c == '\t') {
      end_word();
    } else if (c == ';' || c == '|' || c == '\n' || (c == '&' && i + 1 < text.size() && text[i + 1] == '&')) {
      end_word();
      if (i + 1 < text.size() && text[i + 1] == c && (c == '|' || c == '&')) ++i;
      if (!commands.back().empty()) commands.emplace_back();
    } else if (std::string_view("$`\\()<>{}*?[]~&#!").find(c) != std::string_view::npos) {
      return std::nullopt;
    } else {
      in_word = true;
      word += c;
    }
  }
  end_word();
  if (commands.back().empty()) commands.pop_back();
  if (commands.empty()) return std::nullopt;
  return commands;
}

std::vector<Json> allowlist_of(const Json& snapshot, const std::string& agent_id) {
  std::vector<Json> out;
  if (!snapshot.is_object() || !snapshot.contains("file")) return out;
  const Json agents = snapshot["file"].value("agents", Json::object());
  for (const std::string& key : {std::string("*"), agent_id}) {
    if (!agents.contains(key)) continue;
    for (const Json& entry : agents[key].value("allowlist", Json::array())) out.push_back(entry);
  }
  return out;
}

bool has_grant(const std::vector<Json>& entries, const std::string& pattern, const std::string& arg_pattern) {
  return std::any_of(entries.begin(), entries.end(), [&](const Json& entry) {
    return string_at(entry, "pattern") == pattern && string_at(entry, "argPattern") == arg_pattern &&
           string_at(entry, "source") == "allow-always";
  });
}

bool covered_by_markers(const Json& coverage, const std::vector<Json>& entries, const std::string& text) {
  const std::string hash = sha256_hex(trim(text)).substr(0, 16);
  if (has_grant(entries, "=command:" + hash, "")) return true;
  if (!has_grant(entries, "=node-command:" + hash, "")) return false;
  if (!coverage.is_object() || !coverage.value("complete", false)) return false;
  const Json patterns = coverage.value("patterns", Json::array());
  return !patterns.empty() && std::all_of(patterns.begin(), patterns.end(), [&](const Json& pattern) {
    return has_grant(entries, string_at(pattern, "pattern"), string_at(pattern, "argPattern"));
  });
}

bool word_is_listed(const std::string& word, const std::vector<Json>& entries) {
  if (!word.starts_with('/')) return false;  // PATH is empty here: a bare name resolves to nothing
  std::error_code ignored;
  const std::filesystem::path real = std::filesystem::canonical(word, ignored);
  const std::string subject = real.empty() ? word : real.string();
  return std::any_of(entries.begin(), entries.end(), [&](const Json& entry) {
    const std::string pattern(trim(string_at(entry, "pattern")));
    if (!string_at(entry, "argPattern").empty() || string_at(entry, "source") == "allow-always") return false;
    return pattern == "*" || (pattern.find('/') != std::string::npos && glob_matches(pattern, subject));
  });
}

bool is_shell_carrier(const std::vector<std::string>& argv) {
  return argv.size() == 3 && argv[0].ends_with("sh") && (argv[1] == "-c" || argv[1] == "-lc");
}

// One exec tool call; keeps itself alive through the callbacks.
class ExecTool : public std::enable_shared_from_this<ExecTool> {
 public:
  ExecTool(Gateway& gateway, Json params, Respond respond)
      : gateway_(gateway), params_(std::move(params)), respond_(std::move(respond)) {}

  void start() {
    node_id_ = string_at(params_, "nodeId");
    text_ = string_at(params_, "command");
    agent_id_ = string_at(params_, "agentId", "main");
    session_key_ = string_at(params_, "sessionKey", "agent:main:main");
    security_ = string_at(params_, "callerSecurity", "full");
    ask_ = string_at(params_, "callerAsk", "off");
    modern_ = gateway_.settings().protocol >= 4;
    outcome_["asked"] = false;
    const Peer* peer = gateway_.node_peer(node_id_);
    if (!peer) return fail("resolve", "node is not connected");
    if (!gateway_.node_offers(node_id_, "system.run.prepare")) {
      return fail("resolve", "node approval requires system.run.prepare support");
    }
    const bool windows = peer->platform.starts_with("win");
    const Json argv =
        windows ? Json::array({"cmd.exe", "/d", "/s", "/c", text_}) : Json::array({"/bin/sh", "-lc", text_});
    Json prepare = {
        {"command", argv}, {"rawCommand", text_}, {"agentId", agent_id_}, {"sessionKey", session_key_}};
    if (modern_) {
      prepare["security"] = security_;
      prepare["ask"] = ask_;
    }
    for (const char* name : {"cwd", "env", "strictInlineEval"}) {
      if (params_.contains(name)) prepare[name] = params_[name];
    }
    invoke("system.run.prepare", prepare, kPrepareTimeoutMs, true,
           [self = shared_from_this()](Reply reply) { self->prepared(std::move(reply)); });
  }

 private:
  void prepared(Reply reply) {
    if (!reply.ok) return node_failed("prepare", reply);
    const Json result = reply.payload["payload"];
    outcome_["prepare"] = result;
    plan_ = result.is_object() ? result.value("plan", Json()) : Json();
    if (!plan_.is_object() || strings_at(plan_, "argv").empty())
      return fail("prepare", "node returned no usable plan");
    coverage_ = result.value("allowAlwaysCoverage", Json());
    const Json policy = result.value("execPolicy", Json());
    const std::string node_security = string_at(policy, "security", "allowlist");
    const std::string node_ask = string_at(policy, "ask", "always");
    effective_security_ =
        kSecurities[std::min(rank(kSecurities, security_, 0), rank(kSecurities, node_security, 0))];
    effective_ask_ = kAsks[std::max(rank(kAsks, ask_, 2), rank(kAsks, node_ask, 2))];
    const bool needs_document = ask_ == "always" || security_ == "allowlist" ||
                                node_security == "allowlist" || node_ask == "always" || !modern_;
    if (!needs_document) return decide();
    invoke("system.execApprovals.get", Json::object(), kGetTimeoutMs, false,
           [self = shared_from_this()](Reply answer) {
             if (answer.ok) self->snapshot_ = answer.payload["payload"];
             self->decide();
           });
  }

  void decide() {
    if (effective_security_ == "deny") return deny("policy", "exec denied: host=node security=deny");
    const bool allowlist = effective_security_ == "allowlist";
    const bool matched = allowlist && gateway_allowlist_matches(plan_, coverage_, snapshot_, agent_id_);
    const bool asks = effective_ask_ == "always" || (effective_ask_ == "on-miss" && allowlist && !matched);
    if (asks) return ask();
    if (allowlist && !matched) return deny("policy", "exec denied: host=node allowlist miss (ask=off)");
    run(std::nullopt, {});
  }

  void ask() {
    outcome_["asked"] = true;
    if (!params_.value("interactive", true)) {
      outcome_["message"] = "approval_required: headless runs cannot wait for an exec approval";
      outcome_["stage"] = "ask";
      return finish("failed");
    }
    Json request = {{"command", plan_.value("commandText", Json(text_))},
                    {"commandArgv", plan_["argv"]},
                    {"commandPreview", plan_.value("commandPreview", Json())},
                    {"systemRunPlan", plan_},
                    {"cwd", plan_.value("cwd", Json())},
                    {"nodeId", node_id_},
                    {"host", "node"},
                    {"security", effective_security_},
                    {"ask", effective_ask_},
                    {"agentId", agent_id_},
                    {"sessionKey", session_key_}};
    Json decisions = Json::array({"allow-once", "deny"});
    if (effective_ask_ != "always") decisions.push_back("allow-always");
    request["allowedDecisions"] = decisions;
    const std::chrono::milliseconds lifetime(
        params_.value("askTimeoutMs", gateway_.settings().approval_lifetime.count()));
    const ApprovalRecord& record = gateway_.approvals().request(
        std::move(request), lifetime, "", [self = shared_from_this()](const ApprovalRecord& decided) {
          self->outcome_["approvalId"] = decided.id;
          self->outcome_["decision"] = *decided.decision;
          if (decided.decision == "deny") return self->deny("ask", "exec denied: operator");
          if (decided.decision == "expired") return self->deny("ask", "exec denied: approval timed out");
          self->run(decided.decision, decided.id);
        });
    outcome_["approvalId"] = record.id;
  }

  void run(const std::optional<std::string>& decision, const std::string& approval_id) {
    const std::vector<std::string> argv = strings_at(plan_, "argv");
    if (string_at(plan_, "commandText") != command_text(argv)) {
      return fail("run", "plan text is not the text of its argv: outcome unknown");
    }
    Json run = {{"command", plan_["argv"]},   {"rawCommand", plan_["commandText"]},
                {"systemRunPlan", plan_},     {"agentId", agent_id_},
                {"sessionKey", session_key_}, {"timeoutMs", params_.value("timeoutMs", kRunTimeoutMs)}};
    if (modern_) run["runId"] = new_uuid();
    if (plan_.value("cwd", Json()).is_string()) run["cwd"] = plan_["cwd"];
    if (params_.contains("env")) run["env"] = params_["env"];
    if (decision) {
      if (plan_.value("commandPreview", Json()).is_string()) run["rawCommand"] = plan_["commandPreview"];
      run["runId"] = approval_id;
      run["approved"] = true;
      run["approvalDecision"] = *decision;
    }
    outcome_["runParams"] = run;
    const std::int64_t budget = run["timeoutMs"].get<std::int64_t>();
    invoke("system.run", run, budget > 0 ? budget + 5000 : 10'000, true,
           [self = shared_from_this()](Reply reply) { self->ran(std::move(reply)); });
  }

  void ran(Reply reply) {
    if (!reply.ok) return node_failed("run", reply);
    outcome_["run"] = reply.payload["payload"];
    outcome_["stage"] = "run";
    finish("completed");
  }

  void invoke(const std::string& command, const Json& params, std::int64_t timeout_ms, bool check_surface,
              Respond done) {
    InvokeOptions options;
    options.node_id = node_id_;
    options.command = command;
    options.params_json = dump_json(params);
    options.timeout_ms = timeout_ms;
    options.session_key = modern_ ? session_key_ : std::string();
    options.check_surface = check_surface;
    gateway_.invoke(std::move(options), std::move(done));
  }

  void node_failed(const char* stage, const Reply& reply) {
    const Json details = reply.error.value("details", Json::object());
    outcome_["stage"] = stage;
    outcome_["message"] = reply.error.value("message", "");
    if (details.contains("nodeError")) outcome_["nodeError"] = details["nodeError"];
    finish(string_at(details.value("nodeError", Json::object()), "code") == "SYSTEM_RUN_DENIED" ? "denied"
                                                                                                : "failed");
  }

  void deny(const char* stage, const std::string& message) {
    outcome_["stage"] = stage;
    outcome_["message"] = message;
    finish("denied");
  }

  void fail(const char* stage, const std::string& message) {
    outcome_["stage"] = stage;
    outcome_["message"] = message;
    finish("failed");
  }

  void finish(const char* outcome) {
    outcome_["outcome"] = outcome;
    respond_(Reply::success(outcome_));
  }

  Gateway& gateway_;
  Json params_;
  Respond respond_;
  Json outcome_ = Json::object();
  Json plan_;
  Json coverage_;
  Json snapshot_;
  std::string node_id_;
  std::string text_;
  std::string agent_id_;
  std::string session_key_;
  std::string security_;
  std::string ask_;
  std::string effective_security_;
  std::string effective_ask_;
  bool modern_ = true;
};

}  // namespace

std::string command_text(const std::vector<std::string>& argv) {
  std::string out;
  for (std::size_t i = 0; i < argv.size(); ++i) {
    if (i != 0) out += ' ';
    if (!argv[i].empty() && argv[i].find_first_of(" \t\r\n\v\f\"") == std::string::npos) {
      out += argv[i];
      continue;
    }
    out += '"';
    for (const char c : argv[i]) {
      if (c == '"') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out;
}

bool gateway_allowlist_matches(const Json& plan, const Json& coverage, const Json& snapshot,
                               const std::string& agent_id) {
  const std::vector<Json> entries = allowlist_of(snapshot, agent_id);
  if (covered_by_markers(coverage, entries, string_at(plan, "commandText"))) return true;
  const std::vector<std::string> argv = strings_at(plan, "argv");
  if (argv.empty()) return false;
  if (!is_shell_carrier(argv)) return word_is_listed(argv[0], entries);
  const auto commands = simple_commands(argv[2]);
  return commands && std::all_of(commands->begin(), commands->end(),
                                 [&](const auto& command) { return word_is_listed(command[0], entries); });
}

void run_exec_tool(Gateway& gateway, const Json& params, Respond respond) {
  std::make_shared<ExecTool>(gateway, params, std::move(respond))->start();
}

}  // namespace hostclaw::devgateway
