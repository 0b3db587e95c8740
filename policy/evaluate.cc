// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/sha256.h"
#include "base/text.h"
#include "policy/analysis/inline_eval.h"
#include "policy/analysis/windows_text.h"
#include "policy/binding.h"
#include "policy/command_analysis.h"
#include "policy/command_text.h"
#include "policy/decision_codes.h"
#include "policy/effective_policy.h"
#include "policy/engine.h"
#include "policy/environment.h"
#include "policy/grants.h"
#include "policy/run_decision.h"
#include "policy/self_guard.h"
#include "policy/windows_files.h"

namespace hostclaw::policy {
namespace {

std::string code_of_invalid(const std::string& message) {
  // First: these messages hold names that the request chose, which may read like the others.
  if (message.starts_with(kOverrideRejected) || message.starts_with(kAssignmentRejected))
    return "ENVIRONMENT_REJECTED";
  if (message.find("rawCommand") != std::string::npos) return "RAW_COMMAND_MISMATCH";
  if (message.find("systemRunPlan invalid") != std::string::npos) return "PLAN_INVALID";
  if (message.find("approval") != std::string::npos) return "APPROVAL_INVALID";
  return "REQUEST_INVALID";
}

// Where a word stands next in a text. Asked with growing places it reads the text once.
class NextPlace {
 public:
  NextPlace(std::string_view text, std::string_view word) : text_(text), word_(word) {}
  std::size_t from(std::size_t begin) {
    if (!looked_ || place_ < begin) place_ = text_.find(word_, begin);
    looked_ = true;
    return place_;
  }

 private:
  std::string_view text_;
  std::string_view word_;
  std::size_t place_ = 0;
  bool looked_ = false;
};

// Text that touches the switch by which audit findings are silenced needs a person, whatever the list says.
bool mentions_audit_suppression(std::string_view text) {
  const std::string lower = to_lower_ascii(text);
  if (lower.find("security.audit.suppressions") != std::string::npos) return true;
  constexpr std::size_t kNear = 200;
  NextPlace security(lower, "security");
  NextPlace audit(lower, "audit");
  NextPlace suppressions(lower, "suppressions");
  for (std::size_t at = security.from(0); at != std::string::npos; at = security.from(at + 1)) {
    const std::size_t second = audit.from(at);
    if (second == std::string::npos) return false;
    if (second - at > kNear) continue;
    const std::size_t third = suppressions.from(second);
    if (third != std::string::npos && third - second <= kNear) return true;
  }
  return false;
}

bool is_config_read(const std::vector<std::string>& argv) {
  if (argv.empty() || executable_token(argv.front()) != "openclaw") return false;
  for (std::size_t i = 1; i + 1 < argv.size(); ++i) {
    const std::string& verb = argv[i + 1];
    if (argv[i] == "config") return verb == "get" || verb == "schema" || verb == "validate";
  }
  return false;
}

// Text that was not understood can still be searched for an interpreter with code behind it.
std::optional<InlineEvalHit> inline_eval_in_text(std::string_view text, Platform platform) {
  // So many words behind an interpreter, and so many interpreters, are no command that people write.
  constexpr std::size_t kMostWords = 256;
  constexpr std::size_t kMostInterpreters = 256;
  std::size_t interpreters = 0;
  for (const std::vector<std::string>& words : rough_commands(text, platform)) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::string token = executable_token(words[i]);
      if (!is_inline_eval_interpreter(token)) continue;
      const std::size_t count = std::min(kMostWords, words.size() - i);
      const auto first = words.begin() + static_cast<std::ptrdiff_t>(i);
      const std::vector<std::string> argv(first, first + static_cast<std::ptrdiff_t>(count));
      if (std::optional<InlineEvalHit> hit = inline_eval_hit(argv)) return hit;
      if (count < words.size() - i || ++interpreters > kMostInterpreters)
        return InlineEvalHit{token, "inline program", token + " inline program"};
    }
  }
  return std::nullopt;
}

class RunDecider {
 public:
  RunDecider(const RunCommand& command, const Asker& asker, const PolicyDocument& document,
             const EngineContext& context)
      : command_(command), asker_(asker), document_(document), context_(context) {}

  RunDecision run() {
    if (read()) {
      resolve_effective_policy();
      if (check_snapshot() && check_cwd_name()) judge();
    }
    return std::move(result_);
  }

 private:
  void note(std::string stage, std::string text) {
    out_.trace.push_back({std::move(stage), std::move(text)});
  }

  void judge() {
    prepare_environment();
    const AnalysisInput input{request_, policy_, context_, cwd_, environment_, out_.trace};
    analysis_ = analyse_command(input);
    if (const std::optional<SelfUse> own = forbidden_self_use(input, analysis_)) return deny_self(*own);
    if (security_ != Security::kDeny) {
      match_segments(input, analysis_);
      finding_ = match_rules(input, analysis_);
      rule_ = finding_.certain;
    }
    decide();
    if (context_.settings.observe) observe();
  }

  // A refusal that is only noted down.
  void observe() {
    const Verdict verdict = out_.decision.verdict;
    if (security_ == Security::kDeny || (verdict != Verdict::kAsk && verdict != Verdict::kDeny)) return;
    if (!is_observable(out_.decision.code)) return;
    out_.would_have = std::exchange(out_.decision, Decision{});
    plan_original();
    out_.decision.verdict = Verdict::kAllow;
    out_.decision.code = "ALLOWED_TO_OBSERVE";
    out_.decision.layer = "node-policy";
    out_.decision.explanation = "Observed only: it would have been " + out_.would_have->code + ".";
    note("decide", out_.decision.explanation);
  }

  // ---- request ----

  bool read() {
    if (!asker_.shown.empty()) note("origin", asker_.shown);
    const Result<void> read = check_run_command(command_, asker_, context_, request_);
    out_.argv = request_.argv;
    out_.command_text = request_.command_text;
    out_.agent_id = request_.agent_id;
    out_.session_key = request_.session_key.empty() ? "node" : request_.session_key;
    out_.run_id = request_.run_id;
    out_.suppress_notify_on_exit = request_.suppress_notify_on_exit;
    out_.needs_screen_recording = request_.needs_screen_recording;
    out_.timeout_ms = request_.timeout_ms;
    if (!check_claims()) return false;
    if (read) {
      note("request", "command: " + request_.command_text);
      return true;
    }
    Decision& decision = out_.decision;
    decision.verdict = Verdict::kInvalid;
    decision.code = code_of_invalid(read.error().message);
    decision.layer = "request";
    decision.explanation = read.error().message;
    note("request", read.error().message);
    return false;
  }

  // A caller that could say that it was approved would approve itself.
  bool check_claims() {
    if (asker_.may_carry_approval) return true;
    const std::vector<std::string> names = refused_claims(command_);
    if (names.empty()) return true;
    // Nothing of it goes into the record as if it were so.
    request_.approved = false;
    request_.plan.reset();
    request_.run_id.clear();
    out_.run_id.clear();
    out_.suppress_notify_on_exit = false;
    deny("ORIGIN_MEMBER_REFUSED",
         "Who asks, whose policy holds and what was approved is decided by the door of this node, not by the "
         "request.",
         "send the request again without " + join(names, ", "), join(names, ", "));
    return false;
  }

  // ---- policy ----

  void resolve_effective_policy() {
    policy_ = resolve_policy(document_, request_.agent_id, context_.settings, context_.platform);
    security_ = policy_.security;
    ask_ = policy_.ask;
    if (fallback()) {
      security_ = std::min(security_, policy_.ask_fallback);
      ask_ = Ask::kOff;
      note("policy", "nobody answered in time: askFallback=" + std::string(to_string(policy_.ask_fallback)));
    }
    out_.security = security_;
    out_.ask = ask_;
    out_.ask_fallback = policy_.ask_fallback;
    note("policy", "security=" + std::string(to_string(security_)) + " (" + policy_.security_source +
                       "), ask=" + std::string(to_string(ask_)) + " (" + policy_.ask_source + ")");
    if (document_.malformed) note("policy", "the stored policy is malformed: " + document_.malformed_reason);
    if (request_.agent_id.empty() && context_.settings.strictness == Strictness::kHardened) {
      note("policy", "no agentId was given: the strictest policy of all agents applies");
    }
  }

  bool check_snapshot() {
    if (!request_.delayed_approval() || !request_.plan || !request_.plan->policy_snapshot) return true;
    if (is_snapshot_current(*request_.plan->policy_snapshot, policy_)) return true;
    deny("POLICY_CHANGED", "The policy is not the one under which this approval was prepared.", "");
    return false;
  }

  // A directory that stands for another one, or for somebody's machine, is not even looked at.
  bool check_cwd_name() {
    if (context_.platform != Platform::kWindows || security_ == Security::kDeny) return true;
    const std::string what = suspicious_windows_path(request_.cwd);
    if (what.empty()) return true;
    deny("CWD_NOT_CANONICAL", "The working directory: " + what, "",
         "approval requires an existing canonical cwd");
    return false;
  }

  bool granted() const { return context_.answer == LocalAnswer::kGranted || covered(); }
  bool covered() const { return context_.answer == LocalAnswer::kCovered; }
  bool approved() const {
    return request_.approved || request_.source == ApprovalSource::kAutoReview || granted();
  }
  // Somebody waited for a person's answer: what was asked about must be what runs.
  bool delayed() const { return request_.delayed_approval() || granted() || fallback(); }
  bool fallback() const {
    return request_.source == ApprovalSource::kAskFallback || context_.answer == LocalAnswer::kUnanswered;
  }
  bool hardened() const { return context_.settings.strictness == Strictness::kHardened; }

  void prepare_environment() {
    cwd_ = request_.cwd.empty() ? context_.host_cwd
                                : absolute_path(context_.host_cwd, request_.cwd, context_.platform);
    environment_ = context_.child_environment != nullptr
                       ? *context_.child_environment
                       : sanitized_environment(context_.host_environment, context_.platform);
    Environment overrides = request_.overrides;
    if (hardened() && security_ == Security::kAllowlist && (!approved() || covered())) {
      PermittedOverrides permitted = permitted_overrides(overrides);
      overrides = std::move(permitted.kept);
      steering_ = std::move(permitted.steering);
      if (!permitted.dropped.empty()) note("policy", "variables left out: " + join(permitted.dropped, ", "));
    }
    environment_ = with_overrides(std::move(environment_), overrides, context_.platform);
    environment_ = with_overrides(std::move(environment_), {{"OPENCLAW_CLI", "1"}}, context_.platform);
  }

  // ---- decision ----

  void decide() {
    const bool windows_cmd = context_.platform == Platform::kWindows && security_ == Security::kAllowlist &&
                             request_.shell && request_.shell->invocation.family == ShellFamily::kCmd &&
                             request_.payload() != nullptr && !runs_without_cmd();
    const bool satisfied = analysis_.satisfied() && !windows_cmd && steering_.empty();
    const bool durable = exact_command_grant() || (analysis_.durable() && steering_.empty());
    const bool listed = security_ == Security::kAllowlist && satisfied;
    const bool needs_ask = ask_ == Ask::kAlways ||
                           (!durable && ask_ == Ask::kOnMiss && security_ == Security::kAllowlist && !listed);
    const bool missed = security_ == Security::kAllowlist && !listed && !durable;
    const bool needs_person = touches_audit_suppression();
    out_.needs_person = needs_person;

    if (security_ != Security::kDeny && !check_inline_eval()) return;
    if (security_ != Security::kDeny && !check_wrappers()) return;
    if (security_ == Security::kDeny && context_.answer == LocalAnswer::kUnanswered &&
        policy_.security != Security::kDeny)
      return deny_unanswered();
    if (security_ == Security::kDeny) return deny_by_policy();
    if (rule_ != nullptr && rule_->effect == RuleEffect::kDeny) return deny_by_rule();
    if (doubted(RuleEffect::kDeny)) return refuse_in_doubt(Verdict::kDeny);
    if (context_.answer == LocalAnswer::kDenied) return deny_by_person();
    if (context_.answer == LocalAnswer::kChanged) return deny_changed();
    if (rule_ != nullptr && rule_->effect == RuleEffect::kAsk && !approved()) return ask_by_rule();
    if ((needs_ask || needs_person) && !approved()) return ask(needs_person);
    if (missed && !approved()) return deny_miss(windows_cmd);
    if (windows_cmd && !approved() && !durable) return ask(false);
    if (doubted(RuleEffect::kAsk) && !approved()) return refuse_in_doubt(Verdict::kAsk);
    if (!check_cwd() || !check_approved_executable() || !check_plan_operand(listed || durable)) return;
    if (listed && !approved() && is_opaque_text()) {
      return deny("EXECUTION_PLAN_MISS",
                  "The text is in the language of a shell that this node does not run.", "");
    }
    if (listed && !approved() && is_padded_safe_bin_text()) {
      return deny("EXECUTION_PLAN_MISS",
                  "The text has white space around it and uses a safe bin; send it without.", "");
    }
    if (request_.needs_screen_recording) {
      return deny("SCREEN_RECORDING", "This node has no screen to record.", "");
    }
    allow(listed, durable);
  }

  // The gateway's carrier around one command that was understood: the command is what runs, cmd.exe never
  // reads it.
  bool runs_without_cmd() const {
    return hardened() && is_gateway_carrier(request_.argv) && programs_can_run(analysis_);
  }

  bool exact_command_grant() {
    const std::string key = command_key(request_.command_text);
    for (const AgentList& list : policy_.lists) {
      if (!list.index->has_exact_command(key)) continue;
      exact_entry_ = MatchedEntry{list.agent, std::string(kExactCommandPrefix) + key, std::nullopt, ""};
      note("match", "an allow-always grant covers exactly this command text");
      return true;
    }
    return false;
  }

  bool touches_audit_suppression() const {
    if (policy_.security == Security::kFull && policy_.ask == Ask::kOff) return false;
    if (is_config_read(request_.argv)) return false;
    return mentions_audit_suppression(request_.command_text);
  }

  bool check_inline_eval() {
    if (!context_.settings.strict_inline_eval || approved()) return true;
    // A person has spoken: decide() says so.
    if (context_.answer == LocalAnswer::kDenied || context_.answer == LocalAnswer::kChanged) return true;
    std::optional<InlineEvalHit> hit;
    for (const Segment& segment : analysis_.segments) {
      if (!hit) hit = inline_eval_hit(segment.source);
    }
    const bool has_text = request_.shell && request_.shell->invocation.payload;
    if (!hit && analysis_.segments.empty() && !has_text) hit = inline_eval_hit(request_.argv);
    if (!hit && !analysis_.ok && has_text) {
      hit = inline_eval_in_text(*request_.shell->invocation.payload, context_.platform);
    }
    if (!hit) return true;
    deny("INLINE_EVAL", "Code on a command line needs a person's approval on this node.",
         "approve the request at the gateway", hit->message, Verdict::kAsk);
    return false;
  }

  // Upstream binds every wrapper in front of a command to its file and reports a missing one first.
  bool check_wrappers() {
    if (!approved() && !fallback() && security_ != Security::kAllowlist) return true;
    if (request_.shell && !request_.shell->strictly_direct &&
        !check_layers(unwrap_command(request_.argv), false)) {
      return false;
    }
    return std::all_of(analysis_.segments.begin(), analysis_.segments.end(), [&](const Segment& segment) {
      return check_layers(segment.unwrapped, analysis_.shell_text);
    });
  }

  bool check_layers(const UnwrappedCommand& unwrapped, bool skip_carriers) {
    if (unwrapped.blocked) return true;
    for (const WrapperLayer& layer : unwrapped.layers) {
      if (layer.kind == LayerKind::kCarrier && skip_carriers) continue;
      if (layer.kind == LayerKind::kPackageManager) continue;
      if (look_up_executable(layer.word, cwd_, environment_, context_).found) continue;
      deny("EXECUTABLE_UNRESOLVED", "`" + layer.word + "` in front of the command was not found.", "",
           "approval requires a resolved executable");
      return false;
    }
    return true;
  }

  bool check_cwd() {
    const bool bound = delayed();
    if (!bound && security_ != Security::kAllowlist) return true;
    if (request_.cwd.empty()) return true;
    const CwdCheck check = check_canonical_cwd(cwd_, context_);
    if (check.problem.empty()) return true;
    deny("CWD_NOT_CANONICAL", "The working directory " + cwd_ + " cannot be bound to this decision.", "",
         check.problem);
    return false;
  }

  // An approval is for a file: the program of an approved argv has to be there.
  bool check_approved_executable() {
    if (!delayed() || request_.payload() != nullptr || !analysis_.ok || analysis_.shell_text) return true;
    const Segment& segment = analysis_.segments.front();
    if (segment.executable.found || segment.unwrapped.unwrapped() || segment.unwrapped.blocked) return true;
    deny("EXECUTABLE_UNRESOLVED", "`" + segment.argv().front() + "` was not found.", "",
         "approval requires a stable executable path");
    return false;
  }

  bool check_plan_operand(bool listed) {
    if (!request_.plan) return !granted() || bind_granted();
    if (!delayed() && security_ != Security::kAllowlist) return true;
    // A plan of this node for a command that its list allows needs no binding: the list allows any content.
    const bool own_listed_plan = context_.remembered != nullptr && context_.remembered->listed && listed;
    const RequestPlan& plan = *request_.plan;
    if (plan.operand && !is_operand_unchanged(*plan.operand, request_.argv, cwd_, context_)) {
      deny("OPERAND_CHANGED", plan.operand->path + " is not what was approved.", "");
      return false;
    }
    operand_bound_ = plan.operand.has_value();
    if (own_listed_plan && !plan.operand) return true;
    if (own_chain_plan()) return check_programs_of_plan();
    const OperandCheck check = check_operand(request_.argv, request_.payload(), cwd_, context_);
    // Older gateways have no other way to have such a command approved; what can be bound still is.
    if (!check.problem.empty() && context_.older_peer && context_.remembered != nullptr) return true;
    if (!check.problem.empty()) {
      const std::size_t line = check.problem.find('\n');
      deny("OPERAND_UNBINDABLE",
           line == std::string::npos ? "What would run cannot be bound to the plan."
                                     : check.problem.substr(line + 1),
           "", check.problem.substr(0, line));
      return false;
    }
    if (check.operand && !plan.operand) {
      deny("OPERAND_UNBOUND", check.operand->path + " would run, and the plan does not bind its content.",
           "");
      return false;
    }
    return true;
  }

  // A chain that this node prepared runs as the analysed programs; each of them was checked when it was
  // prepared.
  bool own_chain_plan() const {
    return context_.remembered != nullptr && !context_.remembered->command_words.empty() &&
           (request_.approved || granted()) && analysis_.ok && analysis_.shell_text &&
           is_gateway_carrier(request_.argv) && programs_can_run(analysis_);
  }

  // The words of such a plan may be names; what they led to was what a person was asked about.
  bool check_programs_of_plan() {
    const std::vector<std::string>& programs = context_.remembered->programs;
    for (std::size_t i = 0; i < analysis_.segments.size(); ++i) {
      const Segment& segment = analysis_.segments[i];
      if (segment.builtin != Builtin::kNone) continue;
      if (i < programs.size() && programs[i] == segment.executable.real_path) continue;
      deny("OPERAND_CHANGED",
           "`" + segment.argv().front() + "` leads to " + segment.executable.real_path +
               " now, which is not what was approved.",
           "");
      return false;
    }
    const std::optional<PlanOperand>& content = context_.remembered->program_content;
    if (!content) return true;
    if (analysis_.segments.size() != 1 || !is_operand_unchanged(*content, {content->path}, cwd_, context_)) {
      deny("OPERAND_CHANGED", content->path + " is not what was approved.", "");
      return false;
    }
    granted_operands_.push_back(content);
    return true;
  }

  // Without a plan of the gateway's: what the person was asked about is bound to the files of each program.
  bool bind_granted() {
    const auto bind = [&](const OperandCheck& check) {
      if (check.problem.empty()) {
        granted_operands_.push_back(check.operand);
        return true;
      }
      const std::size_t line = check.problem.find('\n');
      deny("OPERAND_UNBINDABLE",
           line == std::string::npos ? "What would run cannot be bound to an answer."
                                     : check.problem.substr(line + 1),
           "", check.problem.substr(0, line));
      return false;
    };
    if (!analysis_.ok || !analysis_.shell_text || !programs_can_run(analysis_))
      return bind(check_operand(request_.argv, request_.payload(), cwd_, context_));
    return std::all_of(analysis_.segments.begin(), analysis_.segments.end(), [&](const Segment& segment) {
      if (segment.builtin == Builtin::kNone)
        return bind(check_operand(segment.source, nullptr, cwd_, context_));
      granted_operands_.emplace_back();
      return true;
    });
  }

  // ---- refusals ----

  // The first segment that nothing satisfies, or null.
  const Segment* first_miss() const {
    for (const Segment& segment : analysis_.segments) {
      if (segment.by == SatisfiedBy::kNothing) return &segment;
    }
    return nullptr;
  }

  struct Why {
    std::string code;
    std::string text;
    std::string next;
  };

  Why why_missed() const {
    if (!analysis_.ok) {
      return {analysis_.code.empty() ? "ALLOWLIST_MISS" : analysis_.code,
              "Not judged: " + analysis_.reason + ".",
              "run the programs one by one, or have the request approved"};
    }
    if (!steering_.empty()) {
      return {
          "STEERING_ENVIRONMENT",
          "The request sets " + join(steering_, ", ") + ", which can change what the program reads or runs.",
          "leave the variable out, or have the request approved"};
    }
    const Segment* segment = first_miss();
    if (segment == nullptr) return {"ALLOWLIST_MISS", "The policy asks about this command.", ""};
    std::string text = segment->reason + ".";
    if (analysis_.segments.size() > 1) {
      const auto index = static_cast<std::size_t>(segment - analysis_.segments.data());
      text = "Command " + std::to_string(index + 1) + " of " + std::to_string(analysis_.segments.size()) +
             ": " + text;
    }
    return {segment->code.empty() ? "ALLOWLIST_MISS" : segment->code, std::move(text), next_for(*segment)};
  }

  std::string next_for(const Segment& segment) const {
    if (segment.never || !segment.executable.found) return {};
    const std::string agent = request_.agent_id.empty() ? "main" : request_.agent_id;
    return "hostclaw approvals allowlist add --agent " + command_text({agent}) + " " +
           command_text({called_path(segment.executable, context_)});
  }

  void deny_by_person() {
    deny("ANSWERED_DENY", "A person on this node was asked and said no.",
         "hostclaw audit tail --kind answer");
  }

  void deny_unanswered() {
    deny("UNANSWERED", "Nobody on this node answered in time, and askFallback is deny.",
         "hostclaw approvals watch, then send the request again");
  }

  void deny_changed() {
    deny("CHANGED_SINCE_ASKED",
         "A person allowed it, but what would run now is not what they were asked about.",
         "send the request again");
  }

  // Before everything else: neither policy, rule, list, grant nor answer comes into it.
  void deny_self(const SelfUse& own) {
    const bool changes = own.use == VerbUse::kChanges;
    deny(
        std::string(self_code(own.use)),
        "`" + own.shown +
            (changes ? "` is not for commands that come through the node; no list, approval or retry changes "
                       "that. The operator of the machine types it in a terminal there."
                     : "` shows what others did here; `hostclaw runs` shows the runs of this session."),
        changes ? "" : "hostclaw runs");
  }

  void deny_by_rule() {
    out_.rules.insert(out_.rules.begin(), rule_->id);
    deny("RULE_DENY", rule_->note, "hostclaw policy explain " + rule_->id);
  }

  void ask_by_rule() {
    if (context_.answer == LocalAnswer::kUnanswered) return deny_unanswered();
    out_.rules.insert(out_.rules.begin(), rule_->id);
    deny("RULE_ASK", rule_->note, "hostclaw policy explain " + rule_->id, "", Verdict::kAsk);
  }

  // A rule could apply and the owner wants `effect` then.
  bool doubted(RuleEffect effect) const {
    return finding_.possible != nullptr && context_.settings.rule_doubt == effect;
  }

  void refuse_in_doubt(Verdict verdict) {
    if (context_.answer == LocalAnswer::kUnanswered) return deny_unanswered();
    const std::string& id = finding_.possible->id;
    out_.rules.insert(out_.rules.begin(), id);
    deny("RULE_NOT_EXCLUDED",
         "The rule " + id + " could apply (" + finding_.possible->note + "): " + finding_.doubt +
             ". Write the words out.",
         "hostclaw policy explain " + id, id, verdict);
  }

  void ask(bool audit) {
    if (context_.answer == LocalAnswer::kUnanswered) return deny_unanswered();
    Why why = why_missed();
    if (ask_ == Ask::kAlways && analysis_.satisfied())
      why = {"ASK_ALWAYS", "The policy asks about every command.", ""};
    if (security_ == Security::kFull && ask_ == Ask::kAlways)
      why = {"ASK_ALWAYS", "The policy asks about every command.", ""};
    if (audit) why.text = "The command concerns the suppression of audit findings.";
    deny(why.code, why.text, why.next, "", Verdict::kAsk);
  }

  void deny_miss(bool windows_cmd) {
    const Why why = why_missed();
    deny(windows_cmd ? "WINDOWS_CMD" : why.code, why.text, why.next);
  }

  bool is_opaque_text() const {
    return request_.shell && request_.shell->invocation.family == ShellFamily::kOpaque &&
           request_.payload() != nullptr;
  }

  // Upstream puts the path of a safe bin into the text that it trimmed, and then misses it in the one that
  // was sent.
  bool is_padded_safe_bin_text() const {
    if (!request_.shell || !analysis_.shell_text || request_.shell->invocation.attached) return false;
    const std::size_t index = request_.shell->invocation.payload_index;
    if (index >= request_.shell->shell_argv.size()) return false;
    const std::string& sent = request_.shell->shell_argv[index];
    return trim(sent).size() != sent.size() &&
           std::any_of(analysis_.segments.begin(), analysis_.segments.end(),
                       [](const Segment& segment) { return segment.by == SatisfiedBy::kSafeBin; });
  }

  void deny_by_policy() {
    const std::string text =
        document_.malformed
            ? "The stored policy is malformed, so everything is denied: " + document_.malformed_reason
            : "The policy denies every command (" + policy_.security_source + ").";
    deny(document_.malformed ? "POLICY_MALFORMED" : "SECURITY_DENY", text,
         document_.malformed ? "hostclaw approvals get" : "hostclaw exec-policy show");
  }

  // `detail`: see Decision.
  void deny(std::string code, std::string explanation, std::string next, std::string detail = {},
            Verdict verdict = Verdict::kDeny) {
    Decision& decision = out_.decision;
    decision.verdict = verdict;
    decision.layer = layer_of(code);
    decision.code = std::move(code);
    decision.detail = std::move(detail);
    decision.explanation = std::move(explanation);
    decision.next = std::move(next);
    note("decide", std::string(to_string(verdict)) + " " + decision.code + ": " + decision.explanation);
  }

  // ---- allowed ----

  void allow(bool listed, bool durable) {
    collect_matches(listed, durable);
    const bool grants = request_.decision == ApprovalDecision::kAllowAlways;
    const bool records_use = !out_.matched.empty() && security_ == Security::kAllowlist;
    if (request_.agent_id.empty() && (records_use || grants)) {
      return deny("AGENT_MISSING", "An entry matches, but without an agentId its use cannot be recorded.",
                  "send agentId with the request");
    }
    if (request_.source == ApprovalSource::kAutoReview && policy_.ask == Ask::kAlways) {
      return deny("ASK_ALWAYS", "ask=always needs a person, not an automatic review.", "");
    }
    const bool run_programs =
        (listed && !request_.approved && !granted()) || analysis_programs_may_run(listed, durable);
    if (run_programs) {
      plan_programs();
    } else {
      plan_original();
    }
    if (grants) collect_grants();
    Decision& decision = out_.decision;
    decision.verdict = Verdict::kAllow;
    out_.approved_by_gateway = approved() && !granted();
    if (granted()) {
      decision.code = "ALLOWED_BY_ANSWER";
    } else if (approved()) {
      decision.code = "ALLOWED_BY_APPROVAL";
    } else if (fallback()) {
      decision.code = "ALLOWED_BY_FALLBACK";
    } else if (security_ == Security::kFull) {
      decision.code = "ALLOWED_BY_POLICY";
    } else {
      decision.code = listed && !analysis_.durable() ? "ALLOWED_BY_LIST" : "ALLOWED_BY_GRANT";
    }
    decision.layer = layer_of(decision.code);
    decision.explanation = allowed_because();
    note("decide", "allow " + decision.code + ": " + decision.explanation);
  }

  std::string allowed_because() const {
    if (out_.decision.code == "ALLOWED_BY_APPROVAL") return "This plan was approved.";
    if (out_.decision.code == "ALLOWED_BY_ANSWER") return "A person on this node allowed it.";
    if (out_.decision.code == "ALLOWED_BY_FALLBACK" && security_ == Security::kFull)
      return "Nobody answered in time, and askFallback is full.";
    if (out_.decision.code == "ALLOWED_BY_POLICY") return "security=full.";
    std::string out;
    for (const Segment& segment : analysis_.segments) {
      if (!out.empty()) out += "; ";
      out += segment.argv().front() + ": ";
      switch (segment.by) {
        case SatisfiedBy::kEntry:
          out += "entry " + segment.entry->pattern;
          break;
        case SatisfiedBy::kSafeBin:
          out += "safe bin";
          break;
        case SatisfiedBy::kBuiltin:
          out += "builtin";
          break;
        case SatisfiedBy::kRule:
          out += "allowed by rule " + segment.rule->id;
          break;
        case SatisfiedBy::kSkill:
          out += "skill";
          break;
        case SatisfiedBy::kNothing:
          out += "exact command grant";
          break;
      }
    }
    return out.empty() ? "Exact command grant." : out;
  }

  // Approved text that was understood runs without its shell too.
  bool analysis_programs_may_run(bool listed, bool durable) const {
    if (!analysis_.ok || !analysis_.shell_text || !is_gateway_carrier(request_.argv)) return false;
    if (approved()) return programs_can_run(analysis_);
    return (listed || durable) && analysis_.satisfied();
  }

  void collect_matches(bool listed, bool durable) {
    if (security_ != Security::kAllowlist) return;
    if (!listed && durable && exact_entry_) out_.matched.push_back(*exact_entry_);
    for (const Segment& segment : analysis_.segments) {
      if (segment.by == SatisfiedBy::kEntry) out_.matched.push_back(*segment.entry);
    }
  }

  PlannedCommand planned(const Segment& segment) const {
    PlannedCommand command;
    command.argv = segment.argv();
    command.builtin = segment.builtin;
    if (segment.builtin != Builtin::kNone) return command;
    const ExecutableLookup& program = segment.wrapper ? *segment.wrapper : segment.executable;
    if (segment.wrapper) command.argv = segment.wrapped_argv;
    command.executable = program.real_path;
    command.identity = program.facts.identity;
    if (granted()) command.called_as = name_among_many(program);
    command.script = segment.script;
    if (segment.wrapper && command.script)
      command.script->index += command.argv.size() - segment.argv().size();
    // The rule may be about a program behind this one; then it says nothing about this content.
    if (segment.rule != nullptr && segment.rule->content_sha256 &&
        context_.files->content_sha256(command.executable) == segment.rule->content_sha256)
      command.content_sha256 = segment.rule->content_sha256;
    if (operand_bound_) bind_operand(command, *request_.plan->operand);
    const auto index = static_cast<std::size_t>(&segment - analysis_.segments.data());
    if (index < granted_operands_.size() && granted_operands_[index])
      bind_operand(command, *granted_operands_[index]);
    return command;
  }

  std::string name_among_many(const ExecutableLookup& program) const {
    std::string called = called_path(program, context_);
    return called == program.real_path ? std::string() : called;
  }

  // The operand that was bound, wherever the command that is spawned names it.
  void bind_operand(PlannedCommand& command, const PlanOperand& operand) const {
    std::size_t index = 0;
    if (command.executable != operand.path) {
      for (index = 1; index < command.argv.size(); ++index) {
        const std::string path = absolute_path(cwd_, command.argv[index], context_.platform);
        if (path == operand.path || context_.files->facts(path).real_path == operand.path) break;
      }
      if (index >= command.argv.size()) return;
    }
    command.script =
        ScriptOperand{index, operand.path, context_.files->facts(operand.path).identity, operand.sha256};
  }

  void plan_common() {
    out_.plan.cwd = cwd_;
    out_.plan.cwd_identity = context_.files->facts(cwd_).identity;
    out_.plan.environment = environment_;
  }

  void plan_programs() {
    plan_common();
    if (!analysis_.shell_text || context_.platform == Platform::kWindows) {
      out_.plan.pipelines.push_back(
          {Connector::kFirst, false, {planned(analysis_.segments.front())}, {false}});
      return;
    }
    std::size_t index = 0;
    for (const ShellPipeline& pipeline : analysis_.program.pipelines) {
      PlannedPipeline step;
      step.connector = pipeline.connector;
      step.negate = pipeline.negate;
      step.stderr_to_pipe = pipeline.stderr_to_pipe;
      for (std::size_t i = 0; i < pipeline.commands.size(); ++i) {
        step.commands.push_back(planned(analysis_.segments[index++]));
      }
      out_.plan.pipelines.push_back(std::move(step));
    }
    note("bind", "the analysed programs run, without a shell");
  }

  void plan_original() {
    plan_common();
    PlannedCommand command;
    command.argv = request_.argv;
    const ExecutableLookup found = look_up_executable(request_.argv.front(), cwd_, environment_, context_);
    command.executable = found.path_like || found.found ? found.real_path : "";
    command.identity = found.facts.identity;
    if (granted()) command.called_as = name_among_many(found);
    if (operand_bound_) bind_operand(command, *request_.plan->operand);
    if (!granted_operands_.empty() && granted_operands_.front())
      bind_operand(command, *granted_operands_.front());
    out_.plan.pipelines.push_back({Connector::kFirst, false, {std::move(command)}, {false}});
    note("bind", "the command runs as received");
  }

  void collect_grants() {
    const Coverage coverage =
        allow_always_coverage(analysis_, request_.cwd.empty() ? cwd_ : request_.cwd, context_);
    out_.grants = coverage.patterns;
    if (coverage.complete) out_.grants.push_back(node_command_marker(request_.command_text));
  }

  const RunCommand& command_;
  const Asker& asker_;
  const PolicyDocument& document_;
  const EngineContext& context_;
  RunDecision result_;
  RunEvaluation& out_ = result_.evaluation;
  RunRequest& request_ = result_.request;
  EffectivePolicy& policy_ = result_.policy;
  CommandAnalysis& analysis_ = result_.analysis;
  std::string& cwd_ = result_.cwd;
  Environment& environment_ = result_.environment;
  Security security_ = Security::kDeny;
  Ask ask_ = Ask::kAlways;
  std::vector<std::string> steering_;
  std::optional<MatchedEntry> exact_entry_;
  bool operand_bound_ = false;  // the plan's operand was compared with the file
  // Granted without a plan: what each program depends on, in the order of the segments; one for text that is
  // run as received.
  std::vector<std::optional<PlanOperand>> granted_operands_;
  RuleFinding finding_;
  const Rule* rule_ = nullptr;  // the certain one
};

}  // namespace

bool programs_can_run(const CommandAnalysis& analysis) {
  return analysis.ok && !analysis.segments.empty() &&
         std::all_of(analysis.segments.begin(), analysis.segments.end(), [](const Segment& segment) {
           if (segment.builtin != Builtin::kNone) return true;
           const bool may_run =
               !segment.never || segment.code == "CARRIED_CODE" || segment.code == "MISLEADING_TEXT";
           return segment.executable.found && may_run && !segment.unwrapped.unwrapped();
         });
}

RunDecision decide_run(const RunCommand& command, const Asker& asker, const PolicyDocument& document,
                       const EngineContext& context) {
  const LocalContext local(context);
  return RunDecider(command, asker, document, local.get()).run();
}

RunDecision decide_run(const Json& params, const PolicyDocument& document, const EngineContext& context) {
  RunParameters read = read_run_parameters(params);
  const Asker gateway{std::move(read.agent_id), std::move(read.session_key), true, {}};
  return decide_run(read.command, gateway, document, context);
}

RunEvaluation evaluate_run(const Json& params, const PolicyDocument& document, const EngineContext& context) {
  return decide_run(params, document, context).evaluation;
}

}  // namespace hostclaw::policy
