// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/sha256.h"
#include "base/text.h"
#include "policy/decide/binding.h"
#include "policy/decide/command_analysis.h"
#include "policy/decide/engine.h"
#include "policy/decide/grants.h"
#include "policy/decide/ruling.h"
#include "policy/decide/run_decision.h"
#include "policy/decide/self_guard.h"
#include "policy/document/effective_policy.h"
#include "policy/model/decision_codes.h"
#include "policy/programs/inline_eval.h"
#include "policy/request/command_text.h"
#include "policy/request/environment.h"
#include "policy/windows/windows_files.h"
#include "policy/windows/windows_text.h"

namespace hostclaw::policy {
namespace {

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
    Ruling ruling = rule_on(facts_);
    for (; ruling == Ruling::kLookFurther; ruling = rule_on(facts_)) look_further();
    pronounce(ruling);
    if (context_.settings.observe) observe();
    return std::move(result_);
  }

 private:
  void note(std::string stage, std::string text) {
    out_.trace.push_back({std::move(stage), std::move(text)});
  }

  // ---- facts, step by step ----

  void look_further() {
    switch (facts_.known) {
      case Known::kNothing:
        read();
        facts_.known = Known::kRequest;
        break;
      case Known::kRequest:
        resolve_effective_policy();
        facts_.known = Known::kPolicy;
        break;
      case Known::kPolicy:
        look_at_command();
        facts_.known = Known::kCommand;
        break;
      case Known::kCommand:
      case Known::kFiles:
        look_at_files();
        facts_.known = Known::kFiles;
        break;
    }
  }

  // A refusal that is only noted down.
  void observe() {
    const Verdict verdict = out_.decision.verdict;
    if (facts_.known < Known::kCommand || facts_.security == Security::kDeny) return;
    if (verdict != Verdict::kAsk && verdict != Verdict::kDeny) return;
    if (!is_observable(out_.decision.code)) return;
    out_.would_have = std::exchange(out_.decision, Decision{});
    plan_original();
    out_.decision.verdict = Verdict::kAllow;
    out_.decision.set_code(DecisionCode::kAllowedToObserve);
    out_.decision.explanation =
        "Observed only: it would have been " + std::string(to_string(out_.would_have->code)) + ".";
    note("decide", out_.decision.explanation);
  }

  // ---- request ----

  void read() {
    if (!asker_.shown.empty()) note("origin", asker_.shown);
    fault_ = check_run_command(command_, asker_, context_, request_);
    out_.argv = request_.argv;
    out_.command_text = request_.command_text;
    out_.agent_id = request_.agent_id;
    out_.session_key = request_.session_key.empty() ? "node" : request_.session_key;
    out_.run_id = request_.run_id;
    out_.suppress_notify_on_exit = request_.suppress_notify_on_exit;
    out_.needs_screen_recording = request_.needs_screen_recording;
    out_.timeout_ms = request_.timeout_ms;
    facts_.malformed = static_cast<bool>(fault_);
    drop_refused_claims();
    facts_.approved = approved();
    if (!facts_.malformed && !facts_.members_refused) note("request", "command: " + request_.command_text);
  }

  // A caller that could say that it was approved would approve itself. Nothing of it goes into the record as
  // if it were so.
  void drop_refused_claims() {
    if (asker_.may_carry_approval) return;
    refused_members_ = refused_claims(command_);
    facts_.members_refused = !refused_members_.empty();
    if (!facts_.members_refused) return;
    request_.approved = false;
    request_.plan.reset();
    request_.run_id.clear();
    out_.run_id.clear();
    out_.suppress_notify_on_exit = false;
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
    facts_.security = security_;
    facts_.ask = ask_;
    facts_.answer = context_.answer;
    facts_.denies_as_unanswered =
        context_.answer == LocalAnswer::kUnanswered && policy_.security != Security::kDeny;
    facts_.policy_changed = request_.delayed_approval() && request_.plan && request_.plan->policy_snapshot &&
                            !is_snapshot_current(*request_.plan->policy_snapshot, policy_);
    // A directory that stands for another one, or for somebody's machine, is not even looked at.
    if (context_.platform == Platform::kWindows && security_ != Security::kDeny)
      misleading_directory_ = suspicious_windows_path(request_.cwd);
    facts_.directory_misleads = !misleading_directory_.empty();
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

  // ---- command ----

  void look_at_command() {
    prepare_environment();
    const AnalysisInput input{request_, policy_, context_, cwd_, environment_, out_.trace};
    analysis_ = analyse_command(input);
    own_use_ = forbidden_self_use(input, analysis_);
    facts_.uses_this_program = own_use_.has_value();
    if (facts_.uses_this_program) return;
    if (security_ != Security::kDeny) {
      match_segments(input, analysis_);
      finding_ = match_rules(input, analysis_);
      if (finding_.certain != nullptr) facts_.rule = finding_.certain->effect;
      if (finding_.possible != nullptr) facts_.in_doubt = context_.settings.rule_doubt;
    }
    const bool steered = !steering_.empty();
    windows_cmd_ = context_.platform == Platform::kWindows && security_ == Security::kAllowlist &&
                   request_.shell && request_.shell->invocation.family == ShellFamily::kCmd &&
                   request_.payload() != nullptr && !runs_without_cmd();
    facts_.granted_for_good = exact_command_grant() || (analysis_.durable() && !steered);
    facts_.listed = security_ == Security::kAllowlist && analysis_.satisfied() && !windows_cmd_ && !steered;
    facts_.concerns_audit = out_.needs_person = touches_audit_suppression();
    if (security_ == Security::kDeny) return;
    inline_code_ = inline_code();
    facts_.carries_inline_code = inline_code_.has_value();
    missing_wrapper_ = missing_wrapper();
    facts_.wrapper_missing = !missing_wrapper_.empty();
  }

  void look_at_files() {
    facts_.unbound = !check_cwd() || !check_approved_executable() || !check_plan_operand();
    if (facts_.unbound) return;
    facts_.text_of_other_shell = is_opaque_text();
    facts_.padded_safe_bin_text = is_padded_safe_bin_text();
    facts_.wants_screen_recording = request_.needs_screen_recording;
    facts_.review_is_no_answer =
        request_.source == ApprovalSource::kAutoReview && policy_.ask == Ask::kAlways;
    facts_.use_cannot_be_recorded = request_.agent_id.empty() && (leaves_grants() || !matches().empty());
  }

  bool leaves_grants() const { return request_.decision == ApprovalDecision::kAllowAlways; }

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

  std::optional<InlineEvalHit> inline_code() const {
    if (!context_.settings.strict_inline_eval || approved()) return std::nullopt;
    std::optional<InlineEvalHit> hit;
    for (const Segment& segment : analysis_.segments) {
      if (!hit) hit = inline_eval_hit(segment.source);
    }
    const bool has_text = request_.shell && request_.shell->invocation.payload;
    if (!hit && analysis_.segments.empty() && !has_text) hit = inline_eval_hit(request_.argv);
    if (!hit && !analysis_.ok && has_text) {
      hit = inline_eval_in_text(*request_.shell->invocation.payload, context_.platform);
    }
    return hit;
  }

  // Upstream binds every wrapper in front of a command to its file and reports a missing one first. The word
  // of the one that is missing, or empty.
  std::string missing_wrapper() const {
    if (!approved() && !fallback() && security_ != Security::kAllowlist) return {};
    if (request_.shell && !request_.shell->strictly_direct) {
      if (std::string word = missing_layer(unwrap_command(request_.argv), false); !word.empty()) return word;
    }
    for (const Segment& segment : analysis_.segments) {
      if (std::string word = missing_layer(segment.unwrapped, analysis_.shell_text); !word.empty())
        return word;
    }
    return {};
  }

  std::string missing_layer(const UnwrappedCommand& unwrapped, bool skip_carriers) const {
    if (unwrapped.blocked) return {};
    for (const WrapperLayer& layer : unwrapped.layers) {
      if (layer.kind == LayerKind::kCarrier && skip_carriers) continue;
      if (layer.kind == LayerKind::kPackageManager) continue;
      if (!look_up_executable(layer.word, cwd_, environment_, context_).found) return layer.word;
    }
    return {};
  }

  // ---- files ----

  // What a decision says of what could not be bound; look_at_files() stops at the first.
  bool not_bound(DecisionCode code, Reason reason, std::string explanation) {
    refusal_.set_code(code);
    refusal_.reason = reason;
    refusal_.explanation = std::move(explanation);
    return false;
  }

  bool check_cwd() {
    const bool bound = delayed();
    if (!bound && security_ != Security::kAllowlist) return true;
    if (request_.cwd.empty()) return true;
    const CwdCheck check = check_canonical_cwd(cwd_, context_);
    if (check.problem == Reason::kNone) return true;
    return not_bound(DecisionCode::kCwdNotCanonical, check.problem,
                     "The working directory " + cwd_ + " cannot be bound to this decision.");
  }

  // An approval is for a file: the program of an approved argv has to be there.
  bool check_approved_executable() {
    if (!delayed() || request_.payload() != nullptr || !analysis_.ok || analysis_.shell_text) return true;
    const Segment& segment = analysis_.segments.front();
    if (segment.executable.found || segment.unwrapped.unwrapped() || segment.unwrapped.blocked) return true;
    return not_bound(DecisionCode::kExecutableUnresolved, Reason::kProgramMissing,
                     "`" + segment.argv().front() + "` was not found.");
  }

  bool check_plan_operand() {
    const bool listed = facts_.listed || facts_.granted_for_good;
    if (!request_.plan) return !granted() || bind_granted();
    if (!delayed() && security_ != Security::kAllowlist) return true;
    // A plan of this node for a command that its list allows needs no binding: the list allows any content.
    const bool own_listed_plan = context_.remembered != nullptr && context_.remembered->listed && listed;
    const RequestPlan& plan = *request_.plan;
    if (plan.operand && !is_operand_unchanged(*plan.operand, request_.argv, cwd_, context_)) {
      return not_bound(DecisionCode::kOperandChanged, Reason::kNone,
                       plan.operand->path + " is not what was approved.");
    }
    operand_bound_ = plan.operand.has_value();
    if (own_listed_plan && !plan.operand) return true;
    if (own_chain_plan()) return check_programs_of_plan();
    const OperandCheck check = check_operand(request_.argv, request_.payload(), cwd_, context_);
    // Older gateways have no other way to have such a command approved; what can be bound still is.
    if (check.problem != Reason::kNone && context_.older_peer && context_.remembered != nullptr) return true;
    if (check.problem != Reason::kNone)
      return not_bindable(check.problem, "What would run cannot be bound to the plan.");
    if (check.operand && !plan.operand) {
      return not_bound(DecisionCode::kOperandUnbound, Reason::kNone,
                       check.operand->path + " would run, and the plan does not bind its content.");
    }
    return true;
  }

  bool not_bindable(Reason problem, std::string_view otherwise) {
    return not_bound(DecisionCode::kOperandUnbindable, problem,
                     std::string(problem == Reason::kHiddenCommand ? kHowToAsk : otherwise));
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
      return not_bound(DecisionCode::kOperandChanged, Reason::kNone,
                       "`" + segment.argv().front() + "` leads to " + segment.executable.real_path +
                           " now, which is not what was approved.");
    }
    const std::optional<PlanOperand>& content = context_.remembered->program_content;
    if (!content) return true;
    if (analysis_.segments.size() != 1 || !is_operand_unchanged(*content, {content->path}, cwd_, context_)) {
      return not_bound(DecisionCode::kOperandChanged, Reason::kNone,
                       content->path + " is not what was approved.");
    }
    granted_operands_.push_back(content);
    return true;
  }

  // Without a plan of the gateway's: what the person was asked about is bound to the files of each program.
  bool bind_granted() {
    const auto bind = [&](const OperandCheck& check) {
      if (check.problem != Reason::kNone)
        return not_bindable(check.problem, "What would run cannot be bound to an answer.");
      granted_operands_.push_back(check.operand);
      return true;
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
    DecisionCode code;
    std::string text;
    std::string next;
  };

  static DecisionCode or_a_miss(DecisionCode code) {
    return code == DecisionCode::kNone ? DecisionCode::kAllowlistMiss : code;
  }

  Why why_missed() const {
    if (!analysis_.ok) {
      return {or_a_miss(analysis_.code), "Not judged: " + analysis_.reason + ".",
              "run the programs one by one, or have the request approved"};
    }
    if (!steering_.empty()) {
      return {
          DecisionCode::kSteeringEnvironment,
          "The request sets " + join(steering_, ", ") + ", which can change what the program reads or runs.",
          std::string(facts_of(DecisionCode::kSteeringEnvironment).next)};
    }
    const Segment* segment = first_miss();
    if (segment == nullptr) return {DecisionCode::kAllowlistMiss, "The policy asks about this command.", ""};
    std::string text = segment->reason + ".";
    if (analysis_.segments.size() > 1) {
      const auto index = static_cast<std::size_t>(segment - analysis_.segments.data());
      text = "Command " + std::to_string(index + 1) + " of " + std::to_string(analysis_.segments.size()) +
             ": " + text;
    }
    return {or_a_miss(segment->code), std::move(text), next_for(*segment)};
  }

  std::string next_for(const Segment& segment) const {
    if (segment.never || !segment.executable.found) return {};
    const std::string agent = request_.agent_id.empty() ? "main" : request_.agent_id;
    return "hostclaw approvals allowlist add --agent " + command_text({agent}) + " " +
           command_text({called_path(segment.executable, context_)});
  }

  // ---- words for what comes of it ----

  void pronounce(Ruling ruling) {
    switch (ruling) {
      case Ruling::kLookFurther:
        return;
      case Ruling::kMembersRefused:
        return deny_members();
      case Ruling::kMalformed:
        out_.decision = invalid_request(std::move(fault_));
        return note("request", out_.decision.explanation);
      case Ruling::kPolicyChanged:
        return deny(DecisionCode::kPolicyChanged,
                    "The policy is not the one under which this approval was prepared.");
      case Ruling::kDirectoryMisleads:
        out_.decision.reason = Reason::kCwdMissing;
        return deny(DecisionCode::kCwdNotCanonical, "The working directory: " + misleading_directory_);
      case Ruling::kSelfUse:
        return deny_self(*own_use_);
      case Ruling::kUnanswered:
        return deny(DecisionCode::kUnanswered,
                    "Nobody on this node answered in time, and askFallback is deny.");
      case Ruling::kPolicyDenies:
        return deny_by_policy();
      case Ruling::kRuleDenies:
        return by_rule(DecisionCode::kRuleDeny, Verdict::kDeny);
      case Ruling::kRuleAsks:
        return by_rule(DecisionCode::kRuleAsk, Verdict::kAsk);
      case Ruling::kDoubtDenies:
        return refuse_in_doubt(Verdict::kDeny);
      case Ruling::kDoubtAsks:
        return refuse_in_doubt(Verdict::kAsk);
      case Ruling::kInlineCode:
        out_.decision.detail = inline_code_->message;
        return refuse(DecisionCode::kInlineEval,
                      "Code on a command line needs a person's approval on this node.", Verdict::kAsk);
      case Ruling::kWrapperMissing:
        out_.decision.reason = Reason::kWrapperMissing;
        return deny(DecisionCode::kExecutableUnresolved,
                    "`" + missing_wrapper_ + "` in front of the command was not found.");
      case Ruling::kPersonDenied:
        return deny(DecisionCode::kAnsweredDeny, "A person on this node was asked and said no.");
      case Ruling::kChangedSinceAsked:
        return deny(DecisionCode::kChangedSinceAsked,
                    "A person allowed it, but what would run now is not what they were asked about.");
      case Ruling::kAsk:
        return ask();
      case Ruling::kMiss:
        return deny_miss();
      case Ruling::kUnbound:
        out_.decision.reason = refusal_.reason;
        return deny(refusal_.code, std::move(refusal_.explanation));
      case Ruling::kOtherShell:
        return deny(DecisionCode::kExecutionPlanMiss,
                    "The text is in the language of a shell that this node does not run.");
      case Ruling::kPaddedSafeBin:
        return deny(DecisionCode::kExecutionPlanMiss,
                    "The text has white space around it and uses a safe bin; send it without.");
      case Ruling::kScreenRecording:
        return deny(DecisionCode::kScreenRecording, "This node has no screen to record.");
      case Ruling::kUseNotRecordable:
        return deny(DecisionCode::kAgentMissing,
                    "An entry matches, but without an agentId its use cannot be recorded.");
      case Ruling::kReviewIsNoAnswer:
        return deny(DecisionCode::kAskAlways, "ask=always needs a person, not an automatic review.");
      case Ruling::kAllow:
        return allow();
    }
  }

  void deny_members() {
    out_.decision.names = refused_members_;
    refuse(
        DecisionCode::kOriginMemberRefused,
        "Who asks, whose policy holds and what was approved is decided by the door of this node, not by the "
        "request.",
        Verdict::kDeny, "send the request again without " + join(refused_members_, ", "));
  }

  void deny_self(const SelfUse& own) {
    const bool changes = own.use == VerbUse::kChanges;
    deny(
        self_code(own.use),
        "`" + own.shown +
            (changes ? "` is not for commands that come through the node; no list, approval or retry changes "
                       "that. The operator of the machine types it in a terminal there."
                     : "` shows what others did here; `hostclaw runs` shows the runs of this session."));
  }

  void by_rule(DecisionCode code, Verdict verdict) {
    const Rule& rule = *finding_.certain;
    out_.rules.insert(out_.rules.begin(), rule.id);
    refuse(code, rule.note, verdict, "hostclaw policy explain " + rule.id);
  }

  void refuse_in_doubt(Verdict verdict) {
    const std::string& id = finding_.possible->id;
    out_.rules.insert(out_.rules.begin(), id);
    out_.decision.detail = id;
    refuse(DecisionCode::kRuleNotExcluded,
           "The rule " + id + " could apply (" + finding_.possible->note + "): " + finding_.doubt +
               ". Write the words out.",
           verdict, "hostclaw policy explain " + id);
  }

  void ask() {
    Why why = why_missed();
    if (ask_ == Ask::kAlways && (analysis_.satisfied() || security_ == Security::kFull))
      why = {DecisionCode::kAskAlways, "The policy asks about every command.", ""};
    if (facts_.concerns_audit) why.text = "The command concerns the suppression of audit findings.";
    refuse(why.code, std::move(why.text), Verdict::kAsk, std::move(why.next));
  }

  void deny_miss() {
    Why why = why_missed();
    refuse(windows_cmd_ ? DecisionCode::kWindowsCmd : why.code, std::move(why.text), Verdict::kDeny,
           std::move(why.next));
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
    if (document_.malformed) {
      return deny(DecisionCode::kPolicyMalformed,
                  "The stored policy is malformed, so everything is denied: " + document_.malformed_reason);
    }
    deny(DecisionCode::kSecurityDeny, "The policy denies every command (" + policy_.security_source + ").");
  }

  void deny(DecisionCode code, std::string explanation) {
    refuse(code, std::move(explanation), Verdict::kDeny);
  }

  // `next`: nullopt takes what the code itself knows.
  void refuse(DecisionCode code, std::string explanation, Verdict verdict,
              std::optional<std::string> next = std::nullopt) {
    Decision& decision = out_.decision;
    decision.verdict = verdict;
    decision.set_code(code);
    decision.explanation = std::move(explanation);
    decision.next = next ? std::move(*next) : std::string(facts_of(code).next);
    note("decide",
         std::string(to_string(verdict)) + " " + std::string(to_string(code)) + ": " + decision.explanation);
  }

  // ---- allowed ----

  void allow() {
    const bool listed = facts_.listed;
    const bool durable = facts_.granted_for_good;
    out_.matched = matches();
    const bool run_programs =
        (listed && !request_.approved && !granted()) || analysis_programs_may_run(listed, durable);
    if (run_programs) {
      plan_programs();
    } else {
      plan_original();
    }
    if (leaves_grants()) collect_grants();
    Decision& decision = out_.decision;
    decision.verdict = Verdict::kAllow;
    out_.approved_by_gateway = approved() && !granted();
    decision.set_code(allowing_code());
    decision.explanation = allowed_because(decision.code);
    note("decide", "allow " + std::string(to_string(decision.code)) + ": " + decision.explanation);
  }

  DecisionCode allowing_code() const {
    if (granted()) return DecisionCode::kAllowedByAnswer;
    if (approved()) return DecisionCode::kAllowedByApproval;
    if (fallback()) return DecisionCode::kAllowedByFallback;
    if (security_ == Security::kFull) return DecisionCode::kAllowedByPolicy;
    return facts_.listed && !analysis_.durable() ? DecisionCode::kAllowedByList
                                                 : DecisionCode::kAllowedByGrant;
  }

  std::string allowed_because(DecisionCode code) const {
    if (code == DecisionCode::kAllowedByApproval) return "This plan was approved.";
    if (code == DecisionCode::kAllowedByAnswer) return "A person on this node allowed it.";
    if (code == DecisionCode::kAllowedByFallback && security_ == Security::kFull)
      return "Nobody answered in time, and askFallback is full.";
    if (code == DecisionCode::kAllowedByPolicy) return "security=full.";
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
        case SatisfiedBy::kOwnRuns:
          out += "its own runs";
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

  std::vector<MatchedEntry> matches() const {
    std::vector<MatchedEntry> out;
    if (security_ != Security::kAllowlist) return out;
    if (!facts_.listed && facts_.granted_for_good && exact_entry_) out.push_back(*exact_entry_);
    for (const Segment& segment : analysis_.segments) {
      if (segment.by == SatisfiedBy::kEntry) out.push_back(*segment.entry);
    }
    return out;
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
  SecurityFacts facts_;
  // What stands behind the facts, for whoever has to be told.
  RequestFault fault_;
  std::vector<std::string> refused_members_;
  std::string misleading_directory_;
  std::optional<SelfUse> own_use_;
  RuleFinding finding_;
  bool windows_cmd_ = false;
  std::optional<InlineEvalHit> inline_code_;
  std::string missing_wrapper_;
  Decision refusal_;  // of kUnbound
};

}  // namespace

bool programs_can_run(const CommandAnalysis& analysis) {
  return analysis.ok && !analysis.segments.empty() &&
         std::all_of(analysis.segments.begin(), analysis.segments.end(), [](const Segment& segment) {
           if (segment.builtin != Builtin::kNone) return true;
           const bool may_run = !segment.never || segment.code == DecisionCode::kCarriedCode ||
                                segment.code == DecisionCode::kMisleadingText;
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
