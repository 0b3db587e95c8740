// SPDX-License-Identifier: Apache-2.0
#include "policy/decide/run_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "policy/document/effective_policy.h"
#include "policy/request/command_text.h"
#include "policy/request/environment.h"

namespace hostclaw::policy {
namespace {

// No system starts so much (Linux: at most 6 MiB of arguments), so nothing of it is read. Below, a caller is
// told what upstream tells it.
constexpr std::size_t kMostCommandBytes = 16 * 1024 * 1024;

constexpr double kMaxTimeoutMs = 2'147'000'000;

constexpr std::array<std::string_view, 14> kAuthorityMembers = {
    "agentId",     "approvalDecision", "approvalSource",       "approved",     "ask",
    "askFallback", "autoAllowSkills",  "policySnapshot",       "runId",        "security",
    "sessionKey",  "strictInlineEval", "suppressNotifyOnExit", "systemRunPlan"};

const Json* find(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(name);
  return it == object.end() ? nullptr : &*it;
}

// A non-blank string, trimmed; everything else is absent.
std::string text_member(const Json& object, const char* name) {
  const Json* value = find(object, name);
  return value != nullptr && value->is_string() ? std::string(trim(value->get_ref<const std::string&>()))
                                                : "";
}

bool is_true(const Json& object, const char* name) {
  const Json* value = find(object, name);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

// To the nearest number. MinGW's strtod is off by one just below a power of two; elsewhere the standard
// library's own reading would bring tables of 120 KiB along.
double read_number(const std::string& text) {
#ifdef _WIN32
  double out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
#else
  return std::strtod(text.c_str(), nullptr);
#endif
}

// The fewest decimal digits that read back as `value`, which is positive and finite, and the nearest of
// those; `exponent` is of the first one. (Shortest digits of the standard library bring tables of 130 KiB
// along.)
std::string shortest_digits(double value, int& exponent) {
  constexpr int kAlwaysEnough = 17;
  for (int count = 1;; ++count) {
    char text[40];
    std::snprintf(text, sizeof text, "%.*e", count - 1, value);
    char* mark = std::strchr(text, 'e');
    exponent = std::atoi(mark + 1);
    std::string digits(text, mark);
    std::erase_if(digits, [](char c) { return c < '0' || c > '9'; });
    const auto reads_back = [&](const std::string& of) {
      return read_number(of + "e" + std::to_string(exponent - count + 1)) == value;
    };
    // Above a power of two the neighbour is twice as far away: there the next digits up may do as well.
    if (count < kAlwaysEnough && !reads_back(digits)) {
      digits = std::to_string(std::stoull(digits) + 1);
      if (digits.size() != static_cast<std::size_t>(count) || !reads_back(digits)) continue;
    }
    const std::size_t last = digits.find_last_not_of('0');
    digits.resize(last + 1);
    return digits;
  }
}

// Number::toString of ECMA-262 for finite numbers.
std::string number_text(double value) {
  if (value == 0) return "0";
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  int exponent = 0;
  const std::string digits = shortest_digits(std::fabs(value), exponent);
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;
  std::string out = value < 0 ? "-" : "";
  if (count <= point && point <= 21)
    return out + digits + std::string(static_cast<std::size_t>(point - count), '0');
  if (0 < point && point <= 21) {
    return out + digits.substr(0, static_cast<std::size_t>(point)) + "." +
           digits.substr(static_cast<std::size_t>(point));
  }
  if (-6 < point && point <= 0)
    return out + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  out += digits.substr(0, 1);
  if (count > 1) out += "." + digits.substr(1);
  return out + "e" + (exponent < 0 ? "-" : "+") + std::to_string(std::abs(exponent));
}

void read_plan_member(const Json& params, RunCommand& out) {
  const Json* value = find(params, "systemRunPlan");
  if (value == nullptr) return;
  out.plan = read_plan(*value);
  out.plan_malformed = !out.plan;
}

void read_approval(const Json& params, RunCommand& out) {
  const Json* source = find(params, "approvalSource");
  if (source != nullptr && !source->is_null()) {
    const std::string text = source->is_string() ? source->get<std::string>() : "";
    if (text == "ask-fallback") out.source = ApprovalSource::kAskFallback;
    if (text == "auto-review") out.source = ApprovalSource::kAutoReview;
    if (out.source == ApprovalSource::kNone) {
      out.approval_problem = Reason::kApprovalSourceUnknown;
    } else if (find(params, "approved") != nullptr || find(params, "approvalDecision") != nullptr) {
      out.approval_problem = Reason::kApprovalSourceWithApproval;
    }
  }
  const Json* decision = find(params, "approvalDecision");
  const std::string text = decision != nullptr && decision->is_string() ? decision->get<std::string>() : "";
  if (text == "allow-once") out.decision = ApprovalDecision::kAllowOnce;
  if (text == "allow-always") out.decision = ApprovalDecision::kAllowAlways;
  out.approved = is_true(params, "approved") || out.decision != ApprovalDecision::kNone;
}

bool plan_equals(const RequestPlan& plan, const RunRequest& request) {
  return plan.argv == request.argv && plan.command_text == request.command_text && plan.cwd == request.cwd &&
         plan.agent_id == request.agent_id && plan.session_key == request.session_key;
}

RequestFault check_plan(const EngineContext& context, RunRequest& out) {
  if (!out.delayed_approval()) return {};
  if (!out.plan || !plan_equals(*out.plan, out)) {
    return {out.source != ApprovalSource::kNone ? Reason::kApprovalSourceWithoutPlan
                                                : Reason::kApprovalWithoutPlan};
  }
  // Older gateways drop members they do not know; what this node remembers of the plan stands in.
  if (!out.plan->policy_snapshot && context.remembered != nullptr &&
      !context.remembered->policy_snapshot.is_null()) {
    out.plan->policy_snapshot = context.remembered->policy_snapshot;
  }
  if (out.source != ApprovalSource::kAskFallback && !out.plan->policy_snapshot) {
    return {Reason::kApprovalWithoutSnapshot};
  }
  return {};
}

RequestFault check_environment(const RunCommand& command, const EngineContext& context, RunRequest& out) {
  std::vector<std::string> assignments =
      blocked_assignment_keys(env_assignment_keys(out.argv), context.platform);
  if (!assignments.empty()) return {Reason::kAssignmentRefused, std::move(assignments), {}};
  OverrideCheck check = check_override_pairs(command.environment, context.platform);
  if (check.rejected()) return refused_variables(std::move(check));
  const bool filtered = out.shell && !command.shells_get_environment;
  out.overrides = filtered ? shell_wrapper_overrides(check.accepted) : std::move(check.accepted);
  return {};
}

// Upstream judges the text of cmd, PowerShell and the unusual shells by the grammar of POSIX shells when it
// runs on a POSIX system. The analysis then insists on words that mean the same everywhere.
void bind_foreign_text(const EngineContext& context, ShellWrapper& shell) {
  const ShellInvocation& invocation = shell.invocation;
  const bool foreign = invocation.family == ShellFamily::kCmd ||
                       invocation.family == ShellFamily::kPowerShell ||
                       invocation.family == ShellFamily::kOpaque;
  const bool hidden = invocation.encoded || invocation.file || invocation.login || invocation.interactive ||
                      invocation.startup_file || shell.modifying;
  if (context.platform != Platform::kPosix || shell.bindable || !foreign || hidden || !invocation.payload)
    return;
  shell.bindable = invocation.payload;
  shell.not_bindable_reason.clear();
}

void read_simple_members(const Json& params, RunCommand& out) {
  out.run_id = text_member(params, "runId");
  out.needs_screen_recording = is_true(params, "needsScreenRecording");
  out.suppress_notify_on_exit = is_true(params, "suppressNotifyOnExit");
  if (const Json* environment = find(params, "env")) out.environment = read_overrides(*environment);
  const Json* timeout = find(params, "timeoutMs");
  if (timeout == nullptr || !timeout->is_number()) return;
  const double value = timeout->get<double>();
  if (!(value > 0)) return;
  out.timeout_ms = static_cast<std::int64_t>(std::clamp(std::floor(value), 1.0, kMaxTimeoutMs));
}

std::vector<std::string> read_words(const Json& params) {
  std::vector<std::string> words;
  const Json* command = find(params, "command");
  if (command == nullptr || !command->is_array()) return words;
  words.reserve(command->size());
  for (const Json& item : *command) words.push_back(to_ecmascript_string(item));
  return words;
}

// Requires: out.argv and out.raw_command.
RequestFault understand_words(const EngineContext& context, RunRequest& out) {
  std::size_t bytes = 0;
  for (const std::string& word : out.argv) bytes += word.size() + 1;
  if (bytes > kMostCommandBytes) return {Reason::kCommandTooLarge};
  out.command_text = command_text(out.argv);
  if (!out.raw_command.empty())
    out.raw_form = classify_raw_command(out.argv, out.raw_command, out.command_text);
  if (out.raw_form == RawCommandForm::kMismatch) return {Reason::kRawCommandDiffers};
  out.shell = find_shell_wrapper(out.argv, out.raw_form, context.platform);
  if (out.shell && context.settings.strictness == Strictness::kOfficial)
    bind_foreign_text(context, *out.shell);
  return {};
}

}  // namespace

std::string to_ecmascript_string(const Json& value) {
  switch (value.type()) {
    case Json::value_t::string:
      return value.get<std::string>();
    case Json::value_t::boolean:
      return value.get<bool>() ? "true" : "false";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float:
      return number_text(value.get<double>());
    case Json::value_t::array: {
      std::string out;
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (i > 0) out.push_back(',');
        if (!value[i].is_null()) out += to_ecmascript_string(value[i]);
      }
      return out;
    }
    case Json::value_t::object:
      return "[object Object]";
    default:
      return "null";
  }
}

std::optional<RequestPlan> read_plan(const Json& value) {
  if (!value.is_object()) return std::nullopt;
  RequestPlan out;
  const Json* argv = find(value, "argv");
  if (argv == nullptr || !argv->is_array() || argv->empty()) return std::nullopt;
  for (const Json& item : *argv) {
    if (!item.is_string()) return std::nullopt;
    out.argv.push_back(item.get<std::string>());
  }
  out.command_text = text_member(value, "commandText");
  if (out.command_text.empty()) out.command_text = text_member(value, "rawCommand");
  if (out.command_text.empty()) return std::nullopt;
  out.command_preview = text_member(value, "commandPreview");
  out.cwd = text_member(value, "cwd");
  out.agent_id = text_member(value, "agentId");
  out.session_key = text_member(value, "sessionKey");
  if (const Json* operand = find(value, "mutableFileOperand")) {
    const Json* index = find(*operand, "argvIndex");
    PlanOperand bound;
    bound.path = text_member(*operand, "path");
    bound.sha256 = text_member(*operand, "sha256");
    if (index == nullptr || !index->is_number_integer() || index->get<std::int64_t>() < 0 ||
        bound.path.empty() || bound.sha256.empty()) {
      return std::nullopt;
    }
    bound.argv_index = index->get<std::size_t>();
    out.operand = std::move(bound);
  }
  if (const Json* snapshot = find(value, "policySnapshot")) {
    if (!is_policy_snapshot(*snapshot)) return std::nullopt;
    out.policy_snapshot = *snapshot;
  }
  return out;
}

std::span<const std::string_view> authority_members() { return kAuthorityMembers; }

RunParameters read_run_parameters(const Json& params) {
  RunParameters out;
  if (!params.is_object()) return out;
  RunCommand& command = out.command;
  command.argv = read_words(params);
  command.raw_command = text_member(params, "rawCommand");
  command.cwd = text_member(params, "cwd");
  out.agent_id = text_member(params, "agentId");
  out.session_key = text_member(params, "sessionKey");
  read_simple_members(params, command);
  read_plan_member(params, command);
  read_approval(params, command);
  for (const std::string_view name : kAuthorityMembers) {
    const auto claimed = params.find(name);
    if (claimed != params.end() && !claimed->is_null()) command.claims.emplace_back(name);
  }
  return out;
}

std::vector<std::string> refused_claims(const RunCommand& command) {
  std::vector<std::string> names = command.claims;
  if (command.plan || command.plan_malformed) names.emplace_back("systemRunPlan");
  if (command.approved && command.decision == ApprovalDecision::kNone) names.emplace_back("approved");
  if (command.decision != ApprovalDecision::kNone) names.emplace_back("approvalDecision");
  if (command.source != ApprovalSource::kNone || command.approval_problem != Reason::kNone)
    names.emplace_back("approvalSource");
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

RequestFault refused_variables(OverrideCheck check) {
  return {Reason::kVariableRefused, std::move(check.blocked), std::move(check.invalid)};
}

Decision invalid_request(RequestFault fault) {
  Decision decision;
  decision.verdict = Verdict::kInvalid;
  decision.set_code(code_of(fault.reason));
  decision.reason = fault.reason;
  decision.explanation = facts_of(fault.reason).text;
  std::vector<std::string> all = fault.names;
  all.insert(all.end(), fault.other_names.begin(), fault.other_names.end());
  if (!all.empty()) decision.explanation += ": " + join(all, ", ") + ".";
  decision.names = std::move(fault.names);
  decision.other_names = std::move(fault.other_names);
  return decision;
}

RequestFault read_command(const Json& params, const EngineContext& context, RunRequest& out) {
  out.raw_command = text_member(params, "rawCommand");
  out.argv = read_words(params);
  if (out.argv.empty()) return {out.raw_command.empty() ? Reason::kCommandMissing : Reason::kRawCommandAlone};
  out.cwd = text_member(params, "cwd");
  out.agent_id = text_member(params, "agentId");
  out.session_key = text_member(params, "sessionKey");
  return understand_words(context, out);
}

RequestFault check_run_command(const RunCommand& command, const Asker& asker, const EngineContext& context,
                               RunRequest& out) {
  out.argv = command.argv;
  out.raw_command = command.raw_command;
  out.cwd = command.cwd;
  out.agent_id = asker.agent_id;
  out.session_key = asker.session_key;
  out.run_id = command.run_id;
  out.timeout_ms = command.timeout_ms;
  out.needs_screen_recording = command.needs_screen_recording;
  out.suppress_notify_on_exit = command.suppress_notify_on_exit;
  if (out.argv.empty()) return {Reason::kCommandMissing};
  if (RequestFault fault = understand_words(context, out)) return fault;
  if (command.plan_malformed) return {Reason::kPlanMalformed};
  out.plan = command.plan;
  if (command.approval_problem != Reason::kNone) return {command.approval_problem};
  out.approved = command.approved;
  out.decision = command.decision;
  out.source = command.source;
  if (RequestFault fault = check_plan(context, out)) return fault;
  return check_environment(command, context, out);
}

}  // namespace hostclaw::policy
