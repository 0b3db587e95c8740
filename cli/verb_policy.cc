// hostclaw policy check: the verdict and its whole trace, without running anything.
#include <iostream>

#include "approvals/policy_cache.h"
#include "approvals/settings.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "node-host/system/file_handles.h"
#include "node-host/system/host_facts.h"
#include "policy/batch.h"
#include "policy/engine.h"

namespace hostclaw::cli {
namespace {

struct CheckFlags {
  std::vector<std::string> argv;
  std::string shell_text;
  bool has_shell_text = false;
  std::string agent = "main";
  std::string cwd;
  std::string strictness;
  bool json = false;
  bool batch = false;
};

constexpr std::size_t kMaxBatchLine = 16'000'000;

policy::EngineContext make_context(const policy::EngineSettings& settings, policy::FileProbe& files) {
  policy::EngineContext context;
  context.settings = settings;
  context.host_environment = node_host::current_environment();
  context.host_cwd = node_host::current_directory();
  context.home = node_host::home_directory();
  context.running_as_root = node_host::running_as_root();
  context.files = &files;
  return context;
}

Json request_params(const CheckFlags& flags) {
  Json params = Json::object();
  if (flags.has_shell_text) {
    // As the gateway carries text to a POSIX node.
    params["command"] = {"/bin/sh", "-lc", flags.shell_text};
    params["rawCommand"] = flags.shell_text;
  } else {
    params["command"] = flags.argv;
  }
  if (!flags.agent.empty()) params["agentId"] = flags.agent;
  params["cwd"] = flags.cwd.empty() ? node_host::current_directory() : flags.cwd;
  return params;
}

Json spawned(const policy::ExecutionPlan& plan) {
  Json lists = Json::array();
  for (const policy::PlannedPipeline& pipeline : plan.pipelines) {
    for (const policy::PlannedCommand& command : pipeline.commands) lists.push_back(command.argv);
  }
  return lists;
}

int report(const policy::RunEvaluation& evaluation, bool json) {
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
    if (!decision.next.empty()) body["next"] = decision.next;
    print_json(body);
  } else {
    for (const policy::TraceStep& step : evaluation.trace) {
      std::string stage = step.stage;
      if (stage.size() < 9) stage.append(9 - stage.size(), ' ');
      print_line("  " + stage + for_terminal(step.text));
    }
    print_line(verdict + "  " + decision.code + (decision.layer.empty() ? "" : " (" + decision.layer + ")"));
    if (!decision.explanation.empty()) print_line(for_terminal(decision.explanation));
    for (const policy::PlannedPipeline& pipeline : evaluation.plan.pipelines) {
      for (const policy::PlannedCommand& command : pipeline.commands) {
        print_line("would run " +
                   for_terminal(command.executable.empty() ? command.argv.front() : command.executable) +
                   "  argv: " + for_terminal(dump_json(Json(command.argv))));
      }
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
    std::cout << policy::check_batch_line(line, make_context(settings, files)) << '\n';
  }
  return kDone;
}

int check(const CheckFlags& flags) {
  if (flags.batch) return check_batch(flags);
  if (flags.has_shell_text == !flags.argv.empty()) {
    fail(make_error("CONFIG_INVALID", "give either a command after -- or --shell TEXT",
                    "hostclaw policy check -- git status"));
    return kUsage;
  }
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store && store.error().code != "STORE_NOT_FOUND") return fail(store.error(), flags.json);
  std::shared_ptr<const policy::PolicyDocument> document;
  policy::EngineSettings settings;
  if (store) {
    approvals::PolicyCache cache;
    document = cache.current(**store);
    settings = approvals::engine_settings(**store);
  } else {
    note("note: nothing is stored yet; this is what a fresh node would decide");
    document = std::make_shared<policy::PolicyDocument>(policy::fresh_document());
  }
  if (const auto strictness = policy::strictness_from(flags.strictness)) settings.strictness = *strictness;
  node_host::OpenedFiles files;
  return report(policy::evaluate_run(request_params(flags), *document, make_context(settings, files)),
                flags.json);
}

}  // namespace

void add_policy(CLI::App& parent, Action& action) {
  const auto flags = std::make_shared<CheckFlags>();
  CLI::App* verb = parent.add_subcommand("policy", "Ask the decision engine, without running anything");
  verb->require_subcommand(1);
  CLI::App* check_verb = verb->add_subcommand("check", "What would be decided, and why, step by step");
  check_verb->add_option("command", flags->argv, "The command and its arguments, after --");
  auto* shell = check_verb->add_option("--shell", flags->shell_text, "Shell text, as an agent writes it");
  check_verb->add_option("--agent", flags->agent, "Decide for this agent; empty: a request that names none")
      ->capture_default_str();
  check_verb->add_option("--cwd", flags->cwd, "Working directory of the command (default: this one)");
  check_verb
      ->add_option("--strictness", flags->strictness, "hardened or official (default: the node's setting)")
      ->check(CLI::IsMember({"hardened", "official"}));
  check_verb->add_flag("--json", flags->json, "Print JSON");
  check_verb->add_flag("--batch", flags->batch,
                       "JSON lines on stdin {id, params, document, pathEnv?}, JSON lines on stdout");
  check_verb->callback([&action, flags, shell] {
    flags->has_shell_text = shell->count() > 0;
    action = [flags] { return check(*flags); };
  });
}

}  // namespace hostclaw::cli
