// SPDX-License-Identifier: Apache-2.0
// hostclaw policy check | explain | lint: the verdict and its whole trace, without running anything.
#include <chrono>
#include <iostream>

#include "approvals/policy/policy_cache.h"
#include "approvals/policy/rule_store.h"
#include "approvals/store/settings.h"
#include "base/clock.h"
#include "base/profile.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/question_text.h"
#include "cli/this_system.h"
#include "cli/verb_policy.h"
#include "node-host/app/node_config.h"
#include "node-host/doors/gateway/gateway_origin.h"
#include "node-host/questions/local_questions.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/files/own_program.h"
#include "node-host/system/host/host_facts.h"
#include "policy/decide/batch.h"
#include "policy/decide/engine.h"
#include "policy/model/decision_codes.h"
#include "policy/request/command_text.h"

namespace hostclaw::cli {
namespace {

struct CheckFlags {
  CheckRequest request;
  std::string shell_text;
  std::string strictness;
  std::string via;
  bool json = false;
  bool batch = false;
};

constexpr std::size_t kMaxBatchLine = 16'000'000;

Json spawned(const policy::ExecutionPlan& plan) {
  Json lists = Json::array();
  for (const policy::PlannedPipeline& pipeline : plan.pipelines) {
    for (const policy::PlannedCommand& command : pipeline.commands) lists.push_back(command.argv);
  }
  return lists;
}

// What answers have allowed the gateway's callers before. Where that covers what would be asked about, nobody
// is asked, and `evaluation` becomes what runs then. Looks only: nothing is used up.
Result<std::vector<approvals::Grant>> apply_grants(approvals::Store& store, const Json& params,
                                                   const policy::PolicyDocument& document,
                                                   policy::EngineContext context,
                                                   policy::RunDecision& decided) {
  context.answer = policy::LocalAnswer::kGranted;
  policy::RunDecision granted = policy::decide_run(params, document, context);
  if (granted.evaluation.decision.verdict != policy::Verdict::kAllow) return std::vector<approvals::Grant>();
  const auto config = node_host::load_node_config(store);
  if (!config) return config.error();
  const std::string who = node_host::gateway_origin(config->gateway).who();
  auto grants = approvals::Questions(store).covering(node_host::askable(decided, granted, who).request,
                                                     *context.now_ms);
  if (grants && !grants->empty()) decided = std::move(granted);
  return grants;
}

int report(const policy::RunEvaluation& evaluation, const std::vector<approvals::Grant>& grants, bool json) {
  const policy::Decision& decision = evaluation.decision;
  const std::string verdict(policy::to_string(decision.verdict));
  if (json) {
    Json trace = Json::array();
    for (const policy::TraceStep& step : evaluation.trace)
      trace.push_back({{"stage", step.stage}, {"text", step.text}});
    Json body{{"verdict", verdict},
              {"code", decision.code},
              {"layer", decision.layer},
              {"reason", decision.explanation},
              {"command", evaluation.command_text},
              {"security", policy::to_string(evaluation.security)},
              {"ask", policy::to_string(evaluation.ask)},
              {"argv", spawned(evaluation.plan)},
              {"trace", std::move(trace)}};
    if (!decision.next.empty()) body["next"] = naming_profile(decision.next);
    if (!evaluation.rules.empty()) body["rules"] = evaluation.rules;
    for (const approvals::Grant& grant : grants) body["grants"].push_back(grant_json(grant, unix_ms_now()));
    if (evaluation.would_have) {
      body["wouldHave"] = {{"verdict", policy::to_string(evaluation.would_have->verdict)},
                           {"code", evaluation.would_have->code}};
    }
    print_json(body);
  } else {
    for (const policy::TraceStep& step : evaluation.trace) {
      std::string stage = step.stage;
      if (stage.size() < 9) stage.append(9 - stage.size(), ' ');
      print_line("  " + stage + for_terminal(step.text));
    }
    print_line(verdict_in_colour(verdict, verdict) + "  " + std::string(to_string(decision.code)) +
               (decision.layer.empty() ? "" : " (" + std::string(decision.layer) + ")"));
    if (!decision.explanation.empty()) print_line(for_terminal(decision.explanation));
    for (const policy::PlannedPipeline& pipeline : evaluation.plan.pipelines) {
      for (const policy::PlannedCommand& command : pipeline.commands) {
        print_line("would run " +
                   for_terminal(command.executable.empty() ? command.argv.front() : command.executable) +
                   "  argv: " + for_terminal(dump_json(Json(command.argv))));
      }
    }
    for (const approvals::Grant& grant : grants) {
      print_line("grant " + grant.id.substr(0, 8) + "  " + grant_opens(grant) + "  " + grant_ends(grant) +
                 ", given by " + for_terminal(grant.created_by.who));
    }
    if (!decision.next.empty()) note("next: " + for_terminal(decision.next));
  }
  return decision.verdict == policy::Verdict::kAllow ? kDone : kFailed;
}

int check_batch(const CheckFlags& flags) {
  policy::EngineSettings settings;
  if (const auto strictness = policy::strictness_from(flags.strictness)) settings.strictness = *strictness;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (trim(line).empty()) continue;
    if (line.size() > kMaxBatchLine) line = "";  // answered as a malformed line
    node_host::OpenedFiles files;
    std::cout << policy::check_batch_line(line, check_context(settings, files)) << '\n';
  }
  return kDone;
}

int check(const CheckFlags& flags) {
  if (flags.batch) return check_batch(flags);
  if (flags.request.shell_text.has_value() == !flags.request.argv.empty()) {
    fail(make_error("CONFIG_INVALID", "give either a command or --shell TEXT",
                    "hostclaw policy check git status"));
    return kUsage;
  }
  auto in_force = read_policy();
  if (!in_force) return fail(in_force.error(), flags.json);
  policy::EngineSettings& settings = in_force->settings;
  if (const auto strictness = policy::strictness_from(flags.strictness)) settings.strictness = *strictness;
  if (!flags.via.empty()) return check_via_gateway(flags.request, *in_force, flags.json);
  node_host::OpenedFiles files;
  const Json params = request_params(flags.request);
  const policy::EngineContext context = check_context(settings, files);
  policy::RunDecision decided = policy::decide_run(params, *in_force->document, context);
  std::vector<approvals::Grant> grants;
  if (in_force->store != nullptr && decided.evaluation.decision.verdict == policy::Verdict::kAsk) {
    auto covering = apply_grants(*in_force->store, params, *in_force->document, context, decided);
    if (!covering) return fail(covering.error(), flags.json);
    grants = std::move(*covering);
  }
  return report(decided.evaluation, grants, flags.json);
}

// ---- explain

int explain(const std::string& name, bool json) {
  if (const auto code = policy::decision_code_from(name); code && *code != policy::DecisionCode::kNone) {
    const policy::DecisionCodeFacts& facts = policy::facts_of(*code);
    const std::string layer(policy::to_string(facts.layer));
    if (json) {
      print_json(Json{{"code", facts.name}, {"layer", layer}, {"meaning", facts.meaning}});
    } else {
      print_line(std::string(facts.name) + " (" + layer + ")");
      print_line(std::string(facts.meaning));
    }
    return kDone;
  }
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error(), json);
  auto rules = approvals::stored_rules(**store);
  if (!rules) return fail(rules.error(), json);
  for (const approvals::StoredRule& stored : *rules) {
    const policy::Rule& rule = stored.rule;
    if (rule.id != name) continue;
    if (json) {
      Json body = policy::rule_to_json(rule);
      body["source"] = approvals::to_string(stored.source);
      print_json(body);
      return kDone;
    }
    print_line("rule      " + rule.id + " (" + std::string(approvals::to_string(stored.source)) + ")");
    print_line("effect    " + std::string(policy::to_string(rule.effect)));
    print_line("agent     " + for_terminal(rule.agent == "*" ? "every agent" : rule.agent));
    print_line("program   " + for_terminal(rule.program));
    print_line("arguments " +
               (rule.arguments ? for_terminal(dump_json(Json(*rule.arguments))) : std::string("any")));
    if (rule.directory) print_line("directory " + for_terminal(*rule.directory));
    if (!rule.of_template.empty()) print_line("template  " + for_terminal(rule.of_template));
    if (!rule.note.empty()) print_line("note      " + for_terminal(rule.note));
    for (const auto& example : rule.match)
      print_line("covers    " + for_terminal(policy::command_text(example)));
    for (const auto& example : rule.not_match)
      print_line("not       " + for_terminal(policy::command_text(example)));
    if (!rule.interpreter.empty()) print_line("read by   " + for_terminal(rule.interpreter));
    if (rule.content_sha256) print_line("content   " + *rule.content_sha256);
    if (rule.expires_at_ms) print_line("until     " + format_time(*rule.expires_at_ms));
    return kDone;
  }
  return fail(
      make_error("NOT_FOUND", "there is no rule and no decision code " + name, "hostclaw policy rules"),
      json);
}

// ---- lint

int lint(bool json) {
  auto in_force = read_policy();
  if (!in_force) return fail(in_force.error(), json);
  node_host::OpenedFiles files;
  const policy::EngineContext context = check_context(in_force->settings, files);
  auto findings = policy::lint_policy(*in_force->document, context);
  if (in_force->settings.rules) {
    for (auto& finding : policy::lint_rules(in_force->settings.rules->rules(), context))
      findings.push_back(std::move(finding));
  }
  if (in_force->settings.observe) {
    findings.push_back({policy::LintFinding::Severity::kWarning, "ONLY_OBSERVING", "", 0, "",
                        "mode=observe runs what would be asked about or denied.",
                        "hostclaw exec-policy set --mode enforce"});
  }
  bool warned = false;
  Json out = Json::array();
  for (const policy::LintFinding& finding : findings) {
    const bool warning = finding.severity == policy::LintFinding::Severity::kWarning;
    warned = warned || warning;
    if (json) {
      Json item{
          {"severity", warning ? "warning" : "note"}, {"code", finding.code}, {"message", finding.message}};
      if (!finding.agent.empty()) item["agent"] = finding.agent;
      if (!finding.pattern.empty()) item["pattern"] = finding.pattern;
      if (!finding.instead.empty()) item["instead"] = finding.instead;
      out.push_back(std::move(item));
      continue;
    }
    std::string line = (warning ? "warning  " : "note     ") + finding.code + "  ";
    if (!finding.pattern.empty())
      line += for_terminal(finding.agent) + " " + for_terminal(finding.pattern) + "  ";
    print_line(line + for_terminal(finding.message));
    if (!finding.instead.empty()) print_line("         instead: " + for_terminal(finding.instead));
  }
  if (json) print_json(Json{{"findings", std::move(out)}});
  if (!json && findings.empty()) print_line("nothing to say about this policy");
  return warned ? kFailed : kDone;
}

}  // namespace

policy::EngineContext check_context(const policy::EngineSettings& settings, policy::FileProbe& files) {
  policy::EngineContext context;
  context.platform = node_host::host_policy_platform();
  context.settings = settings;
  context.host_environment = node_host::current_environment();
  context.host_cwd = node_host::current_directory();
  context.home = node_host::home_directory();
  context.running_as_root = node_host::running_as_root();
  context.files = &files;
  context.own_program = &node_host::own_program();
  context.now_ms = unix_ms_now();
  return context;
}

Result<InForce> read_policy() {
  InForce out;
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store && store.error().code != "STORE_NOT_FOUND") return store.error();
  if (!store) {
    note("note: nothing is stored yet; this is what a fresh node would decide");
    out.document = std::make_shared<policy::PolicyDocument>(policy::fresh_document());
    return out;
  }
  approvals::PolicyCache cache;
  out.document = cache.current(**store);
  out.settings = approvals::engine_settings(**store);
  approvals::RuleCache rules;
  rules.apply(**store, out.settings);
  if (!rules.problem().empty()) note("warning: nothing may run: " + for_terminal(rules.problem()));
  out.store = std::move(*store);
  return out;
}

Json request_params(const CheckRequest& request) {
  Json params = Json::object();
  if (request.shell_text) {
    params["command"] = gateway_carrier(*request.shell_text);
    params["rawCommand"] = *request.shell_text;
  } else {
    params["command"] = request.argv;
  }
  if (!request.agent.empty()) params["agentId"] = request.agent;
  if (!request.session.empty()) params["sessionKey"] = request.session;
  params["cwd"] = request.cwd.empty() ? node_host::current_directory() : request.cwd;
  return params;
}

void note_findings(const std::vector<policy::LintFinding>& findings) {
  for (const policy::LintFinding& finding : findings) {
    // Who has just typed a path is told; later it is a note: a list may be meant for several machines.
    const bool told =
        finding.severity == policy::LintFinding::Severity::kWarning || finding.code == "PATH_MISSING";
    if (!told) continue;
    note("warning: " + for_terminal(finding.message));
    if (!finding.instead.empty()) note("instead: " + for_terminal(finding.instead));
  }
}

void add_policy(CLI::App& parent, Action& action) {
  const auto flags = std::make_shared<CheckFlags>();
  CLI::App* verb =
      parent.add_subcommand("policy", "Rules, and questions to the decision engine without running anything");
  verb->require_subcommand(1);
  CLI::App* check_verb = verb->add_subcommand("check", "What would be decided, and why, step by step");
  check_verb->add_option("command", flags->request.argv,
                         "The command and its arguments; options of check stand in front of it");
  auto* shell = check_verb->add_option("--shell", flags->shell_text, "Shell text, as an agent writes it");
  check_verb
      ->add_option("--agent", flags->request.agent, "Decide for this agent; empty: a request that names none")
      ->capture_default_str();
  check_verb->add_option("--session", flags->request.session,
                         "Decide for this session, for grants that name one");
  check_verb->add_option("--cwd", flags->request.cwd, "Working directory of the command (default: this one)");
  check_verb
      ->add_option("--strictness", flags->strictness, "hardened or official (default: the node's setting)")
      ->check(CLI::IsMember({"hardened", "official"}));
  check_verb->add_option("--via", flags->via, "gateway: what a gateway does with it, and this node then")
      ->check(CLI::IsMember({"gateway"}));
  check_verb->add_flag("--json", flags->json, "Print JSON");
  check_verb->add_flag("--batch", flags->batch,
                       "JSON lines on stdin {id, params, document, pathEnv?}, JSON lines on stdout");
  check_verb->callback([&action, flags, shell] {
    if (shell->count() > 0) flags->request.shell_text = flags->shell_text;
    action = [flags] { return check(*flags); };
  });

  const auto name = std::make_shared<std::string>();
  CLI::App* explain_verb = verb->add_subcommand("explain", "What a rule or the code of a decision means");
  explain_verb->add_option("name", *name, "Id of a rule, or a code such as ALLOWLIST_MISS")->required();
  explain_verb->add_flag("--json", flags->json, "Print JSON");
  explain_verb->callback(
      [&action, flags, name] { action = [flags, name] { return explain(*name, flags->json); }; });

  CLI::App* lint_verb =
      verb->add_subcommand("lint", "Entries and rules that open more than they seem to, or never match");
  lint_verb->add_flag("--json", flags->json, "Print JSON");
  lint_verb->callback([&action, flags] { action = [flags] { return lint(flags->json); }; });
  add_policy_rules(*verb, action);
  add_policy_template(*verb, action);
  add_policy_file(*verb, action);
  add_policy_script(*verb, action);
  add_policy_suggest(*verb, action);
}

}  // namespace hostclaw::cli
