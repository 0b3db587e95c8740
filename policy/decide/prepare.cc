// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/sha256.h"
#include "base/text.h"
#include "policy/decide/binding.h"
#include "policy/decide/engine.h"
#include "policy/decide/grants.h"
#include "policy/decide/run_decision.h"
#include "policy/model/decision_codes.h"
#include "policy/programs/builtins.h"
#include "policy/request/command_text.h"
#include "policy/request/environment.h"
#include "policy/windows/windows_files.h"

namespace hostclaw::policy {
namespace {

constexpr std::string_view kHowToStartShells =
    "No approval request was created: how this shell is started hides what it will run. Use `sh -c` without "
    "login or interactive options, or run the program itself.";

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

// The plan of one command or of a chain, in the form in which the gateway sends it back.
struct PlanDraft {
  std::vector<std::string> argv;
  std::string cwd;
  std::string preview;
  std::optional<PlanOperand> operand;
};

class Preparer {
 public:
  Preparer(const Json& params, const PolicyDocument& document, const EngineContext& context)
      : params_(params), document_(document), context_(context) {
    context_.remembered = nullptr;
  }

  PrepareEvaluation run() {
    if (!params_.is_object()) {
      refuse({Reason::kCommandMissing});
      return std::move(out_);
    }
    if (RequestFault fault = read_command(params_, context_, request_)) {
      refuse(std::move(fault));
      return std::move(out_);
    }
    policy_ = resolve_policy(document_, request_.agent_id, context_.settings, context_.platform);
    if (context_.settings.observe && prepare_observed()) return std::move(out_);
    if (!look_at_refusals()) return std::move(out_);
    if (policy_.security == Security::kAllowlist && prepare_understood()) return std::move(out_);
    prepare_as_upstream();
    return std::move(out_);
  }

 private:
  void refuse(RequestFault fault) {
    out_.ok = false;
    out_.refusal = invalid_request(std::move(fault));
  }
  // What cannot be bound; `explanation` says what would help, where that is known.
  void refuse_to_bind(Reason problem, std::string_view explanation = {}) {
    refuse({problem});
    out_.refusal.explanation = explanation;
  }

  // ---- commands that this node understands ----

  // True when the answer is complete. A plan of our own makes a listed command run without a question, and
  // lets a person be asked about a chain that upstream could not bind.
  bool prepare_understood() {
    const std::string requested = request_.cwd.empty()
                                      ? context_.host_cwd
                                      : absolute_path(context_.host_cwd, request_.cwd, context_.platform);
    const CwdCheck cwd = check_canonical_cwd(requested, context_);
    if (cwd.problem != Reason::kNone) return false;
    Json params = run_params(request_.argv, cwd.path);
    if (!request_.raw_command.empty()) params["rawCommand"] = request_.raw_command;
    const RunDecision decision = decide_run(params, document_, context_);
    if (decision.evaluation.decision.verdict == Verdict::kInvalid || !decision.analysis.ok) return false;
    if (decision.evaluation.decision.verdict == Verdict::kAllow) return prepare_listed(decision, cwd.path);
    return (official() && answered_as_upstream()) || prepare_question(decision, cwd.path);
  }

  bool official() const { return context_.settings.strictness == Strictness::kOfficial; }

  // Where upstream has an answer, official gives that one.
  bool answered_as_upstream() {
    prepare_as_upstream();
    if (out_.ok) return true;
    out_ = {};
    return false;
  }

  // While the node only observes, what would have been asked about or refused goes the way of security=full.
  bool prepare_observed() {
    PlanDraft draft;
    draft.argv = request_.argv;
    draft.cwd = context_.host_cwd;
    if (!request_.cwd.empty()) {
      draft.cwd =
          context_.files->facts(absolute_path(context_.host_cwd, request_.cwd, context_.platform)).real_path;
    }
    if (draft.cwd.empty()) return false;
    const RunDecision decision =
        decide_run(with_raw(run_params(request_.argv, draft.cwd)), document_, context_);
    if (!decision.evaluation.would_have) return false;
    if (text() != nullptr && *text() != command_text(draft.argv) && request_.shell->invocation.trailing == 0)
      draft.preview = *text();
    remember(decision);
    finish(draft, Security::kFull, Ask::kOff, {});
    out_.run = decision.evaluation;
    return true;
  }

  // What the gateway is told about the policy is about this command, so the owner's rules are part of it.
  // What no run may do gets no plan: then the caller reads why. False when the answer is complete.
  bool look_at_refusals() {
    const std::string cwd = request_.cwd.empty()
                                ? context_.host_cwd
                                : absolute_path(context_.host_cwd, request_.cwd, context_.platform);
    RunDecision decision = decide_run(with_raw(run_params(request_.argv, cwd)), document_, context_);
    const Decision& its = decision.evaluation.decision;
    switch (its.code) {
      case DecisionCode::kSelfPolicy:
      case DecisionCode::kSelfPrivate:
        out_.refusal = its;
        out_.run = std::move(decision.evaluation);
        return false;
      case DecisionCode::kRuleDeny:
        policy_.security = Security::kDeny;
        return true;
      case DecisionCode::kRuleAsk:
        policy_.ask = Ask::kAlways;
        return true;
      case DecisionCode::kRuleNotExcluded:
        if (its.verdict == Verdict::kAsk) {
          policy_.ask = Ask::kAlways;
        } else {
          policy_.security = Security::kDeny;
        }
        return true;
      default:
        return true;
    }
  }

  Json run_params(const std::vector<std::string>& argv, const std::string& cwd) const {
    Json params = {{"command", argv}, {"cwd", cwd}};
    for (const char* name : {"env", "agentId", "sessionKey"}) {
      if (const auto it = params_.find(name); it != params_.end()) params[name] = *it;
    }
    return params;
  }

  bool prepare_listed(const RunDecision& decision, const std::string& cwd) {
    PlanDraft draft;
    if (!draft_plan(decision.analysis, draft)) return false;
    // The gateway can see for itself that this command is listed.
    if (official() && request_.payload() == nullptr && !gateway_needs_markers(decision, draft)) return false;
    draft.cwd = cwd;
    out_.remember.listed = true;
    remember(decision);
    // What the plan says is judged again, exactly as it will be when it comes back.
    EngineContext context = context_;
    context.remembered = &out_.remember;
    RunDecision again = decide_run(run_params(draft.argv, cwd), document_, context);
    if (again.evaluation.decision.verdict != Verdict::kAllow) {
      out_.remember = {};
      return false;
    }
    bind_script(again, draft);
    Coverage coverage;
    if (gateway_needs_markers(again, draft)) {
      coverage = allow_always_coverage_of_every_program(again.analysis, cwd);
      out_.visible_markers = coverage.patterns;
      out_.visible_markers.push_back(node_command_marker(command_text(draft.argv)));
    }
    // Gateways of protocol 3 look the agent's own words up on their own machine; only this very text,
    // granted, is worth more to them.
    if (context_.older_peer)
      out_.visible_markers.push_back(
          {std::string(kExactCommandPrefix) + command_key(command_text(draft.argv)), std::nullopt});
    finish(draft, Security::kFull, Ask::kOff, coverage);
    out_.run = std::move(again.evaluation);
    return true;
  }

  // The marker covers a command whatever it is: it only tells the gateway what this node has already decided.
  Coverage allow_always_coverage_of_every_program(const CommandAnalysis& analysis,
                                                  const std::string& cwd) const {
    Coverage out;
    out.complete = true;
    for (const Segment& segment : analysis.segments) {
      if (segment.builtin != Builtin::kNone) continue;
      const std::vector<std::string> arguments(segment.argv().begin() + 1, segment.argv().end());
      out.patterns.push_back(
          {segment.executable.real_path, cwd_argv_pattern(cwd, arguments, context_.platform)});
    }
    out.complete = !out.patterns.empty();
    return out;
  }

  // The gateway compares literal path entries by itself; everything else it cannot see without help.
  bool gateway_needs_markers(const RunDecision& decision, const PlanDraft& draft) const {
    if (context_.platform == Platform::kWindows || decision.analysis.segments.size() != 1) return true;
    const Segment& segment = decision.analysis.segments.front();
    return !segment.entry || segment.entry->arg_pattern || trim(segment.entry->pattern) != draft.argv.front();
  }

  void bind_script(const RunDecision& decision, PlanDraft& draft) const {
    if (decision.analysis.segments.size() != 1 || decision.analysis.shell_text) return;
    const OperandCheck check = check_operand(draft.argv, nullptr, draft.cwd, context_);
    // The program itself is judged and opened again when it runs; a script is only named.
    if (check.operand && check.operand->argv_index > 0) draft.operand = check.operand;
  }

  bool prepare_question(const RunDecision& decision, const std::string& cwd) {
    if (!decision.analysis.shell_text || !is_gateway_carrier(request_.argv) ||
        !programs_can_run(decision.analysis)) {
      return false;
    }
    PlanDraft draft;
    if (!draft_plan(decision.analysis, draft)) return false;
    draft.cwd = cwd;
    const bool chain = is_gateway_carrier(draft.argv);
    if (!(chain ? chain_is_bindable(decision.analysis, cwd) : bind_program(draft))) return true;
    Ask ask = policy_.ask;
    if (gateway_would_not_ask(decision.analysis) && !write_by_name(decision.analysis, draft))
      ask = Ask::kAlways;
    if (OverrideCheck check = check_env(); check.rejected()) {
      refuse(refused_variables(std::move(check)));
      return true;
    }
    remember(decision);
    finish(draft, policy_.security, ask, allow_always_coverage(decision.analysis, cwd, context_));
    out_.run = decision.evaluation;
    return true;
  }

  // A gateway asks where its own look at the list misses, and that look ends at the path of the program: a
  // listed program is let through whatever this node has to ask about its arguments.
  bool gateway_would_not_ask(const CommandAnalysis& analysis) const {
    return context_.platform != Platform::kWindows &&
           std::all_of(analysis.segments.begin(), analysis.segments.end(), [&](const Segment& segment) {
             return segment.builtin != Builtin::kNone || lists_path_of(segment);
           });
  }

  bool lists_path_of(const Segment& segment) const {
    const std::vector<std::string> arguments(segment.argv().begin() + 1, segment.argv().end());
    PatternQuery query;
    query.path = segment.executable.real_path;
    query.arguments = &arguments;
    query.home = context_.home;
    query.strictness = Strictness::kOfficial;
    bool other_arguments = false;
    return std::any_of(policy_.lists.begin(), policy_.lists.end(), [&](const AgentList& list) {
      return list.index->find(query, &other_arguments).has_value();
    });
  }

  // Programs by their bare names: a gateway looks those up with an empty PATH, so that nothing but `*` lists
  // them there, and asks. What runs is what the names lead to now; the run is refused if they lead elsewhere
  // then.
  bool write_by_name(const CommandAnalysis& analysis, PlanDraft& draft) {
    // A script that the plan binds by its content it must go on naming.
    if (draft.operand && (draft.operand->argv_index != 0 || analysis.segments.size() != 1)) return false;
    std::vector<std::string> names;
    for (const Segment& segment : analysis.segments) {
      std::string name =
          segment.builtin == Builtin::kNone ? bare_name_of(segment, draft.cwd) : segment.argv().front();
      if (name.empty() || has_universal_entry()) return false;
      names.push_back(std::move(name));
    }
    draft.preview = rewritten_text(analysis, &names);
    draft.argv = {"/bin/sh", "-c", draft.preview};
    if (draft.operand && !is_system_directory_file(draft.operand->path))
      out_.remember.program_content = draft.operand;
    draft.operand.reset();
    return true;
  }

  // Empty where no bare word leads to this very file, or where another program stands in front.
  std::string bare_name_of(const Segment& segment, const std::string& cwd) const {
    if (segment.wrapper) return {};
    if (!segment.executable.path_like) return segment.argv().front();
    const std::string name(base_name(segment.executable.path));
    const Environment environment =
        with_overrides(context_.child_environment != nullptr
                           ? *context_.child_environment
                           : sanitized_environment(context_.host_environment, context_.platform),
                       {}, context_.platform);
    const ExecutableLookup found = look_up_executable(name, cwd, environment, context_);
    return found.found && found.real_path == segment.executable.real_path ? name : std::string();
  }

  bool has_universal_entry() const {
    return std::any_of(policy_.lists.begin(), policy_.lists.end(), [](const AgentList& list) {
      return std::any_of(list.entries->begin(), list.entries->end(), [](const AllowlistEntry& entry) {
        return trim(entry.pattern) == "*" && !entry.arg_pattern;
      });
    });
  }

  bool bind_program(PlanDraft& draft) {
    OperandCheck check = check_operand(draft.argv, nullptr, draft.cwd, context_);
    if (check.problem != Reason::kNone) {
      refuse_to_bind(check.problem, hint(check.problem));
      return false;
    }
    draft.operand = std::move(check.operand);
    return true;
  }

  static std::string_view hint(Reason problem) {
    return problem == Reason::kHiddenCommand ? kHowToAsk : std::string_view();
  }

  // A plan binds the content of one file at most, so a chain may not depend on files that can change.
  bool chain_is_bindable(const CommandAnalysis& analysis, const std::string& cwd) {
    for (const Segment& segment : analysis.segments) {
      if (segment.builtin != Builtin::kNone) continue;
      const OperandCheck check = check_operand(segment.source, nullptr, cwd, context_);
      const bool system_program = check.operand && check.operand->argv_index == 0 &&
                                  is_system_directory_file(segment.executable.real_path);
      if (check.problem == Reason::kNone && (!check.operand || system_program)) continue;
      refuse_to_bind(Reason::kHiddenCommand,
                     "No approval request was created: `" + segment.source.front() +
                         "` depends on a file that could change before it runs. Run it as a single command.");
      return false;
    }
    return true;
  }

  // ---- plans of our own ----

  // What is behind a mapped drive would not be looked at under its own name.
  static bool is_network_path(const std::string& real_path) { return real_path.starts_with("//"); }

  // The path to run by: symlinks resolved, except where the link's own name tells the program what to be.
  static std::string stable_word(const Segment& segment) {
    const std::string& real = segment.executable.real_path;
    if (is_network_path(real)) return segment.executable.path;
    return stable_path(segment.executable);
  }

  static std::vector<std::string> plan_words(const Segment& segment) {
    std::vector<std::string> words = segment.argv();
    words.front() = stable_word(segment);
    if (!segment.wrapper) return words;
    const std::size_t front = segment.wrapped_argv.size() - words.size();
    words.insert(words.begin(), segment.wrapped_argv.begin(),
                 segment.wrapped_argv.begin() + static_cast<std::ptrdiff_t>(front));
    words.front() = segment.wrapper->real_path;
    return words;
  }

  bool draft_plan(const CommandAnalysis& analysis, PlanDraft& draft) const {
    const Segment& first = analysis.segments.front();
    const bool single = analysis.segments.size() == 1 && first.builtin == Builtin::kNone &&
                        !(analysis.shell_text && analysis.program.pipelines.front().negate);
    if (single) {
      draft.argv = plan_words(first);
      return !draft.argv.front().empty();
    }
    if (!analysis.shell_text || context_.platform == Platform::kWindows) return false;
    draft.preview = rewritten_text(analysis);
    draft.argv = {"/bin/sh", "-c", draft.preview};
    return true;
  }

  // `names`: what to call the programs, in the order of the segments; else by the path to run them by.
  static std::string rewritten_text(const CommandAnalysis& analysis,
                                    const std::vector<std::string>* names = nullptr) {
    std::string out;
    std::size_t index = 0;
    for (const ShellPipeline& pipeline : analysis.program.pipelines) {
      switch (pipeline.connector) {
        case Connector::kFirst:
          break;
        case Connector::kAnd:
          out += " && ";
          break;
        case Connector::kOr:
          out += " || ";
          break;
        case Connector::kSequence:
          out += "; ";
          break;
      }
      if (pipeline.negate) out += "! ";
      for (std::size_t i = 0; i < pipeline.commands.size(); ++i) {
        if (i > 0) out += pipeline.stderr_to_pipe[i - 1] ? " |& " : " | ";
        const Segment& segment = analysis.segments[index];
        std::vector<std::string> words =
            segment.builtin == Builtin::kNone ? plan_words(segment) : segment.source;
        if (names != nullptr) words.front() = (*names)[index];
        ++index;
        out += quote_shell_words(words);
      }
    }
    return out;
  }

  void remember(const RunDecision& decision) {
    out_.remember.policy_snapshot = policy_snapshot(policy_);
    for (const Segment& segment : decision.analysis.segments) {
      out_.remember.command_words.push_back(segment.argv().front());
      out_.remember.programs.push_back(segment.builtin == Builtin::kNone ? segment.executable.real_path : "");
    }
  }

  // ---- as upstream ----

  struct Caller {
    Security security = Security::kFull;
    Ask ask = Ask::kOff;
    bool complete = false;  // both were sent
    bool strict = false;
  };

  Caller caller() const {
    Caller out;
    const auto security = params_.find("security");
    const auto ask = params_.find("ask");
    const auto text = [&](auto it) {
      return it != params_.end() && it->is_string() ? it->template get<std::string>() : std::string();
    };
    out.complete =
        (security != params_.end() && !security->is_null() && ask != params_.end() && !ask->is_null()) ||
        context_.older_peer;
    out.security = security_from(trim(text(security))).value_or(Security::kFull);
    out.ask = ask_from(trim(text(ask))).value_or(Ask::kOff);
    const auto strict = params_.find("strictInlineEval");
    out.strict = strict != params_.end() && strict->is_boolean() && strict->get<bool>();
    return out;
  }

  bool binds() const {
    const Caller from = caller();
    return !from.complete || std::min(policy_.security, from.security) != Security::kFull ||
           std::max(policy_.ask, from.ask) != Ask::kOff || from.strict ||
           context_.settings.strict_inline_eval;
  }

  OverrideCheck check_env() const {
    const auto env = params_.find("env");
    return check_overrides(env == params_.end() ? Json() : *env, context_.platform);
  }

  void prepare_as_upstream() {
    const bool bind = binds();
    PlanDraft draft;
    draft.argv = request_.argv;
    const std::optional<ShellWrapper>& shell = request_.shell;
    if (bind && shell && hides_its_text(*shell)) {
      const OperandCheck check = check_operand(draft.argv, nullptr, context_.host_cwd, context_);
      if (check.problem == Reason::kStartupFiles || check.problem == Reason::kStartupEnvironment)
        return refuse_to_bind(check.problem);
      return refuse_to_bind(Reason::kHiddenCommand, kHowToStartShells);
    }
    if (!find_cwd(bind, draft) || (bind && !(pin(draft) && bind_operand(draft)))) return;
    if (OverrideCheck check = check_env(); check.rejected()) {
      refuse(refused_variables(std::move(check)));
      return;
    }
    const RunDecision decision =
        decide_run(with_raw(run_params(request_.argv, draft.cwd)), document_, context_);
    if (text() != nullptr && *text() != command_text(draft.argv) && shell->invocation.trailing == 0) {
      draft.preview = *text();
    }
    Coverage coverage;
    if (bind) {
      // Upstream looks at the caller's wish here, not at the node's own setting.
      EngineContext context = context_;
      context.settings.strict_inline_eval = caller().strict;
      coverage =
          allow_always_coverage(decision.analysis, request_.cwd.empty() ? draft.cwd : request_.cwd, context);
    }
    remember(decision);
    out_.run = decision.evaluation;
    finish(draft, policy_.security, policy_.ask, coverage);
  }

  // A shell whose text is not what upstream would judge: login, interactive, start-up files of its own.
  static bool hides_its_text(const ShellWrapper& shell) {
    const ShellInvocation& invocation = shell.invocation;
    if (!invocation.payload || shell.bindable) return false;
    return invocation.family == ShellFamily::kPosix || invocation.login || invocation.interactive ||
           invocation.startup_file || !shell.strictly_direct;
  }

  // The inline text, whether this node would judge it or not.
  const std::string* text() const {
    return request_.shell && request_.shell->invocation.payload ? &*request_.shell->invocation.payload
                                                                : nullptr;
  }

  Json with_raw(Json params) const {
    if (!request_.raw_command.empty()) params["rawCommand"] = request_.raw_command;
    return params;
  }

  bool find_cwd(bool bind, PlanDraft& draft) {
    if (request_.cwd.empty()) {
      draft.cwd = context_.host_cwd;
      return true;
    }
    const std::string path = absolute_path(context_.host_cwd, request_.cwd, context_.platform);
    if (!bind) {
      const FileFacts facts = context_.files->facts(path);
      draft.cwd = facts.real_path;
      if (facts.kind != FileKind::kMissing && !draft.cwd.empty()) return true;
      refuse_to_bind(Reason::kCwdMissing);
      return false;
    }
    const CwdCheck check = check_canonical_cwd(path, context_);
    draft.cwd = check.path;
    if (check.problem != Reason::kNone) refuse_to_bind(check.problem);
    return check.problem == Reason::kNone;
  }

  bool pin(PlanDraft& draft) {
    const Environment environment =
        with_overrides(context_.child_environment != nullptr
                           ? *context_.child_environment
                           : sanitized_environment(context_.host_environment, context_.platform),
                       {}, context_.platform);
    const UnwrappedCommand unwrapped = unwrap_command(draft.argv);
    if (text() != nullptr) return true;
    const std::string& word = draft.argv.front();
    const ExecutableLookup found = look_up_executable(trim(word), draft.cwd, environment, context_);
    if (!found.found) {
      refuse_to_bind(Reason::kProgramMissing);
      return false;
    }
    const bool manager = unwrapped.unwrapped() && unwrapped.layers.front().kind == LayerKind::kPackageManager;
    if (manager || (!unwrapped.unwrapped() && !unwrapped.blocked))
      draft.argv.front() = is_network_path(found.real_path) ? found.path : found.real_path;
    return true;
  }

  bool bind_operand(PlanDraft& draft) {
    OperandCheck check = check_operand(draft.argv, text(), draft.cwd, context_);
    if (check.problem != Reason::kNone && context_.older_peer) return true;
    if (check.problem != Reason::kNone) {
      refuse_to_bind(check.problem, hint(check.problem));
      return false;
    }
    // A package manager told to run something, in a way that is not understood: what would run is not known.
    if (hides_package_exec(request_.argv)) {
      refuse_to_bind(Reason::kHiddenCommand, kHowToStartShells);
      return false;
    }
    draft.operand = std::move(check.operand);
    return true;
  }

  // ---- the answer ----

  void finish(const PlanDraft& draft, Security security, Ask ask, const Coverage& coverage) {
    Json plan = {{"argv", draft.argv},
                 {"cwd", text_or_null(draft.cwd)},
                 {"commandText", command_text(draft.argv)},
                 {"commandPreview", text_or_null(draft.preview)},
                 {"agentId", text_or_null(request_.agent_id)},
                 {"sessionKey", text_or_null(request_.session_key)},
                 {"policySnapshot", policy_snapshot(policy_)}};
    if (draft.operand) {
      plan["mutableFileOperand"] = {{"argvIndex", draft.operand->argv_index},
                                    {"path", draft.operand->path},
                                    {"sha256", draft.operand->sha256}};
    }
    out_.remember.policy_snapshot = plan["policySnapshot"];
    Json patterns = Json::array();
    for (const GrantToStore& grant : coverage.patterns) {
      patterns.push_back({{"pattern", grant.pattern}, {"argPattern", grant.arg_pattern.value_or("")}});
    }
    out_.ok = true;
    out_.payload = {
        {"plan", std::move(plan)},
        {"execPolicy", {{"security", to_string(security)}, {"ask", to_string(ask)}}},
        {"allowAlwaysCoverage", {{"complete", coverage.complete}, {"patterns", std::move(patterns)}}}};
  }

  const Json& params_;
  const PolicyDocument& document_;
  EngineContext context_;
  RunRequest request_;
  EffectivePolicy policy_;
  PrepareEvaluation out_;
};

}  // namespace

PrepareEvaluation prepare_run(const Json& params, const PolicyDocument& document,
                              const EngineContext& context) {
  const LocalContext local(context);
  return Preparer(params, document, local.get()).run();
}

std::string plan_key(const Json& plan) {
  const std::optional<RequestPlan> read = read_plan(plan);
  if (!read) return {};
  std::string preimage;
  const auto add = [&](const std::string& text) { preimage += std::to_string(text.size()) + ":" + text; };
  add(std::to_string(read->argv.size()));
  for (const std::string& word : read->argv) add(word);
  for (const std::string* text : {&read->cwd, &read->agent_id, &read->session_key, &read->command_text})
    add(*text);
  return sha256_hex(preimage);
}

}  // namespace hostclaw::policy
