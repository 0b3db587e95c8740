// SPDX-License-Identifier: Apache-2.0
// hostclaw exec-policy show | set | preset: the policy in one step.
#include "approvals/policy/policy_cache.h"
#include "approvals/store/settings.h"
#include "cli/command_line.h"
#include "cli/times.h"
#include "node-host/doors/gateway/exec_approvals.h"

namespace hostclaw::cli {
namespace {

using policy::Ask;
using policy::Security;

struct Preset {
  const char* name;
  node_host::DefaultsEdit edit;
};

// The official names. `cautious` is what a fresh install has.
const Preset kPresets[] = {
    {"yolo", {Security::kFull, Ask::kOff, Security::kFull}},
    {"cautious", {Security::kAllowlist, Ask::kOnMiss, Security::kDeny}},
    {"deny-all", {Security::kDeny, Ask::kOff, Security::kDeny}},
};

struct PolicyFlags {
  bool json = false;
  std::string preset;
  std::string security;
  std::string ask;
  std::string ask_fallback;
  std::string strictness;
  std::string mode;
  std::string rule_doubt;
  std::string ask_via;
  std::string ask_wait;
  std::string remote_edits;
  std::string host;

  bool nothing_to_set() const {
    return security.empty() && ask.empty() && ask_fallback.empty() && strictness.empty() && mode.empty() &&
           rule_doubt.empty() && ask_via.empty() && ask_wait.empty() && remote_edits.empty();
  }
};

// What is shown; of a fresh node where nothing is stored.
struct ShownPolicy {
  OrderedJson snapshot;
  approvals::ExecSettingsReading reading;
  std::shared_ptr<const policy::PolicyDocument> document;
};

Result<ShownPolicy> read_shown(approvals::Store& store) {
  approvals::PolicyCache cache;
  auto snapshot = node_host::approvals_snapshot(store, cache);
  if (!snapshot) return snapshot.error();
  return ShownPolicy{std::move(*snapshot), approvals::read_exec_settings(store), cache.current(store)};
}

ShownPolicy fresh_policy(const std::string& directory) {
  return {node_host::fresh_approvals_snapshot(directory),
          {},
          std::make_shared<policy::PolicyDocument>(policy::fresh_document())};
}

int show(const ShownPolicy& shown, bool json) {
  const OrderedJson& snapshot = shown.snapshot;
  const approvals::ExecSettingsReading& reading = shown.reading;
  const policy::EngineSettings& engine = reading.settings.engine;
  const auto& document = shown.document;
  const OrderedJson& resolved = snapshot.at("resolvedDefaults");
  if (json) {
    Json body{
        {"effective", Json::parse(dump_json(resolved))},
        {"strictness", policy::to_string(engine.strictness)},
        {"mode", engine.observe ? "observe" : "enforce"},
        {"ruleDoubt", policy::to_string(engine.rule_doubt)},
        {"owner",
         {{"securityLimit", policy::to_string(engine.security_limit)},
          {"askFloor", policy::to_string(engine.ask_floor)},
          {"remoteEdits", to_string(reading.settings.remote_edits)}}},
        {"askVia", to_string(reading.settings.ask_via)},
        {"askWaitMs", reading.settings.ask_wait_ms},
        {"document", {{"hash", snapshot.at("hash").get<std::string>()}, {"malformed", document->malformed}}}};
    const auto defaults = snapshot.at("file").find("defaults");
    if (defaults != snapshot.at("file").end())
      body["document"]["defaults"] = Json::parse(dump_json(*defaults));
    Json problems = Json::array();
    for (const Error& problem : reading.problems)
      problems.push_back({{"code", problem.code}, {"message", problem.message}});
    body["problems"] = problems;
    print_json(body);
    return kDone;
  }
  print_line("effective    security=" + resolved.value("security", "?") +
             " ask=" + resolved.value("ask", "?") + " askFallback=" + resolved.value("askFallback", "?"));
  print_line("strictness   " + std::string(policy::to_string(engine.strictness)));
  if (engine.rule_doubt != policy::RuleEffect::kAsk)
    print_line("rule doubt   " + std::string(policy::to_string(engine.rule_doubt)) +
               ": what a text hides from the rules");
  if (engine.observe) {
    print_line("mode         observe: what would be asked about or denied runs, and is counted");
    note("next: hostclaw policy observed; hostclaw exec-policy set --mode enforce");
  }
  print_line("limits       set by the owner: at most security=" +
             std::string(policy::to_string(engine.security_limit)) +
             ", at least ask=" + std::string(policy::to_string(engine.ask_floor)) +
             ", remote edits: " + std::string(to_string(reading.settings.remote_edits)));
  std::string asking = "asks         via " + std::string(to_string(reading.settings.ask_via));
  if (reading.settings.ask_via != approvals::AskVia::kGateway)
    asking += "; a question of this node waits " + duration_text(reading.settings.ask_wait_ms);
  print_line(asking);
  if (document->malformed) {
    print_line("document     MALFORMED, everything is denied: " + for_terminal(document->malformed_reason));
    note("next: hostclaw approvals set --file FILE");
  }
  for (const Error& problem : reading.problems) note("warning: " + problem.message);
  for (const auto& [agent, agent_policy] : document->agents) {
    std::string line =
        "agent " + for_terminal(agent) + ": " + std::to_string(agent_policy.allowlist.size()) + " entries";
    if (agent_policy.scalars.security)
      line += " security=" + std::string(policy::to_string(*agent_policy.scalars.security));
    if (agent_policy.scalars.ask) line += " ask=" + std::string(policy::to_string(*agent_policy.scalars.ask));
    print_line(line);
  }
  if (resolved.value("security", "") == "full") {
    note("note: security=full runs whatever the gateway sends; next: hostclaw exec-policy preset cautious");
  }
  return kDone;
}

int with_store(const PolicyFlags& flags, const std::function<Result<void>(approvals::Store&)>& change) {
  auto store = open_store(change ? approvals::OpenMode::kReadWrite : approvals::OpenMode::kReadOnly);
  if (!store && store.error().code == "STORE_NOT_FOUND") {
    const auto directory = state_directory();
    if (!directory) return fail(directory.error(), flags.json);
    note("note: nothing is stored yet; this is what a fresh node has");
    return show(fresh_policy(*directory), flags.json);
  }
  if (!store) return fail(store.error(), flags.json);
  if (change) {
    if (auto done = change(**store); !done) return fail(done.error(), flags.json);
  }
  const auto shown = read_shown(**store);
  return shown ? show(*shown, flags.json) : fail(shown.error(), flags.json);
}

Result<void> apply(approvals::Store& store, const node_host::DefaultsEdit& edit) {
  approvals::PolicyCache cache;
  auto written = node_host::edit_defaults(store, cache, edit, local_actor());
  if (!written) return written.error();
  return {};
}

Result<void> set(approvals::Store& store, const PolicyFlags& flags) {
  node_host::DefaultsEdit edit;
  edit.security = policy::security_from(flags.security);
  edit.ask = policy::ask_from(flags.ask);
  edit.ask_fallback = policy::security_from(flags.ask_fallback);
  std::vector<std::pair<const char*, Json>> settings;
  if (!flags.strictness.empty()) settings.emplace_back("exec.strictness", flags.strictness);
  if (!flags.mode.empty()) settings.emplace_back("exec.mode", flags.mode);
  if (!flags.rule_doubt.empty()) settings.emplace_back("exec.ruleDoubt", flags.rule_doubt);
  if (!flags.ask_via.empty()) settings.emplace_back("exec.askVia", flags.ask_via);
  if (!flags.remote_edits.empty()) settings.emplace_back("exec.remoteEdits", flags.remote_edits);
  if (!flags.ask_wait.empty()) {
    const auto wait = parse_duration(flags.ask_wait, "--ask-wait");
    if (!wait) return wait.error();
    settings.emplace_back("exec.askWaitMs", *wait);
  }
  // All of them or none.
  for (const auto& [key, value] : settings) {
    if (auto checked = approvals::check_exec_setting(key, value); !checked) return checked;
  }
  for (const auto& [key, value] : settings) {
    if (auto stored = approvals::put_exec_setting(store, key, value, local_actor()); !stored) return stored;
  }
  if (!edit.security && !edit.ask && !edit.ask_fallback) return {};
  return apply(store, edit);
}

}  // namespace

void add_exec_policy(CLI::App& parent, Action& action) {
  const auto flags = std::make_shared<PolicyFlags>();
  CLI::App* verb = parent.add_subcommand("exec-policy", "What holds when nothing more specific is said");
  verb->require_subcommand(1);

  CLI::App* show_verb = verb->add_subcommand("show", "The effective policy and where it comes from");
  show_verb->add_flag("--json", flags->json, "Print JSON");
  show_verb->callback([&action, flags] { action = [flags] { return with_store(*flags, nullptr); }; });

  CLI::App* set_verb = verb->add_subcommand("set", "Change some of it");
  set_verb->add_option("--security", flags->security, "What may run")
      ->check(CLI::IsMember({"deny", "allowlist", "full"}));
  set_verb->add_option("--ask", flags->ask, "When a human is asked")
      ->check(CLI::IsMember({"off", "on-miss", "always"}));
  set_verb->add_option("--ask-fallback", flags->ask_fallback, "What holds when nobody answers")
      ->check(CLI::IsMember({"deny", "allowlist", "full"}));
  set_verb
      ->add_option("--strictness", flags->strictness,
                   "hardened also asks for what is listed but carries other code")
      ->check(CLI::IsMember({"hardened", "official"}));
  set_verb
      ->add_option("--mode", flags->mode, "observe runs what would be asked about or denied, and counts it")
      ->check(CLI::IsMember({"observe", "enforce"}));
  set_verb
      ->add_option("--rule-doubt", flags->rule_doubt,
                   "What holds where a text hides whether a rule that denies or asks applies")
      ->check(CLI::IsMember({"deny", "ask", "allow"}));
  set_verb
      ->add_option("--ask-via", flags->ask_via,
                   "Who asks the human: the gateway, this node (hostclaw approvals pending), or both")
      ->check(CLI::IsMember({"gateway", "local", "both"}));
  set_verb->add_option("--ask-wait", flags->ask_wait,
                       "How long a question of this node waits, for example 90s or 10m (1s to 24h)");
  set_verb
      ->add_option("--remote-edits", flags->remote_edits,
                   "What the gateway may change: everything, only towards less, or nothing")
      ->check(CLI::IsMember({"allow", "tighten-only", "none"}));
  set_verb->add_option("--host", flags->host, "Accepted for compatibility")->group("");
  set_verb->add_flag("--json", flags->json, "Print JSON");
  set_verb->callback([&action, flags] {
    action = [flags] {
      if (!flags->host.empty()) note("note: --host has no meaning here: this is the node's own policy");
      if (flags->nothing_to_set()) {
        fail(make_error("CONFIG_INVALID", "nothing to set", "hostclaw exec-policy set --help"));
        return kUsage;
      }
      return with_store(*flags, [flags](approvals::Store& store) { return set(store, *flags); });
    };
  });

  CLI::App* preset_verb =
      verb->add_subcommand("preset", "yolo: run everything; cautious: list, ask for the rest; deny-all");
  preset_verb->add_option("name", flags->preset, "yolo, cautious or deny-all")
      ->required()
      ->check(CLI::IsMember({"yolo", "cautious", "deny-all"}));
  preset_verb->add_flag("--json", flags->json, "Print JSON");
  preset_verb->callback([&action, flags] {
    action = [flags] {
      return with_store(*flags, [flags](approvals::Store& store) -> Result<void> {
        for (const Preset& preset : kPresets) {
          if (flags->preset == preset.name) return apply(store, preset.edit);
        }
        return make_error("NOT_FOUND", "no such preset");
      });
    };
  });
}

}  // namespace hostclaw::cli
