// SPDX-License-Identifier: Apache-2.0
// Inputs and results of upstream's own functions, answered by ours where we have the same question.
#include <functional>

#include "base/text.h"
#include "policy/decide/run_request.h"
#include "policy/document/arg_pattern.h"
#include "policy/document/effective_policy.h"
#include "policy/document/pattern_index.h"
#include "policy/programs/executable_lookup.h"
#include "policy/request/command_text.h"
#include "policy/request/environment.h"
#include "tests/conformance/replay.h"

namespace hostclaw::conformance {
namespace {

using policy::Platform;
using policy::Verdict;

constexpr const char* kVectorsRoot = "/var/tmp/hostclaw-vectors";

std::string placed(std::string text) {
  for (std::size_t at = text.find("${"); at != std::string::npos; at = text.find("${", at)) {
    const std::size_t end = text.find('}', at);
    if (end == std::string::npos) break;
    const std::string name = text.substr(at + 2, end - at - 2);
    const bool known = name.starts_with("TMP") || name == "HOME" || name == "CWD";
    if (!known) {
      at = end;
      continue;
    }
    const std::string value = std::string(kVectorsRoot) + "/" + to_lower_ascii(name);
    text.replace(at, end - at + 1, value);
    at += value.size();
  }
  return text;
}

struct Vector {
  const OrderedJson& row;
  Json input;
  Json expected;
  policy::Strictness strictness;
  test::CorpusFileProbe* files;
};

// True/false for "the same"; what would be looser is told apart by the caller.
struct Answer {
  bool same = false;
  bool looser = false;
  std::string got;
};
Answer equal(const Json& want, const Json& got, bool looser = false) {
  return {want == got, want != got && looser, got.dump()};
}

Json member_object(const Json& object, const char* name) {
  const bool present = object.is_object() && object.contains(name) && object[name].is_object();
  return present ? object[name] : Json::object();
}

policy::Environment environment_of(const Json& object) {
  policy::Environment out;
  if (!object.is_object()) return out;
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) out.emplace_back(name, value.get<std::string>());
  }
  return out;
}

Json object_of(const policy::Environment& environment) {
  Json out = Json::object();
  for (const auto& [name, value] : environment) out[name] = value;
  return out;
}

bool inherits(const std::string& name) {
  return policy::sanitized_environment({{name, "x"}}, Platform::kPosix).size() > 1;
}

Answer host_env(const Vector& v) {
  const std::string fn = v.row["fn"].get<std::string>();
  const auto key = [&] {
    return v.input.contains("rawKey") ? v.input["rawKey"].get<std::string>() : v.input.get<std::string>();
  };
  if (fn == "isDangerousHostInheritedEnvVarName")
    return equal(v.expected, !inherits(key()), v.expected == true && inherits(key()));
  if (fn == "isDangerousHostEnvOverrideVarName") {
    const bool blocked = to_upper_ascii(trim(key())) != "PATH" &&
                         policy::is_blocked_override(trim(key()), "x", Platform::kPosix);
    return equal(v.expected, blocked, v.expected == true);
  }
  const Json overrides = v.input.value("overrides", Json());
  const policy::OverrideCheck check = policy::check_overrides(overrides, Platform::kPosix);
  if (fn == "sanitizeSystemRunEnvOverrides") {
    policy::Environment accepted = environment_of(overrides);
    if (v.input.value("shellWrapper", false)) accepted = policy::shell_wrapper_overrides(accepted);
    return equal(v.expected, accepted.empty() ? Json() : object_of(accepted));
  }
  if (fn == "inspectHostExecEnvOverrides") {
    return equal(
        v.expected,
        {{"rejectedOverrideBlockedKeys", check.blocked}, {"rejectedOverrideInvalidKeys", check.invalid}},
        true);
  }
  const policy::Environment base =
      policy::sanitized_environment(environment_of(v.input.value("baseEnv", Json())), Platform::kPosix);
  const policy::Environment with = policy::with_overrides(base, check.accepted, Platform::kPosix);
  if (fn == "sanitizeHostExecEnv") return equal(v.expected, object_of(with), true);
  Json got = {{"env", object_of(with)},
              {"rejectedOverrideBlockedKeys", check.blocked},
              {"rejectedOverrideInvalidKeys", check.invalid}};
  return equal(v.expected, got, true);
}

Answer format_command(const Vector& v) {
  return equal(v.expected, policy::command_text(v.input["argv"].get<std::vector<std::string>>()));
}

Answer resolve_request(const Vector& v) {
  policy::EngineContext context;
  context.settings.strictness = v.strictness;
  policy::RunRequest request;
  const policy::RequestFault fault = policy::read_command(v.input, context, request);
  const bool ok = v.expected["ok"].get<bool>();
  const std::string refused(facts_of(fault.reason).text);
  if (!ok) return {static_cast<bool>(fault), !fault, fault ? refused : "accepted"};
  return equal(v.expected["commandText"], fault ? refused : request.command_text);
}

Answer pattern_matches(const Vector& v) {
  policy::AllowlistEntry entry;
  entry.pattern = v.input["pattern"].get<std::string>();
  const std::string target = v.input["target"].get<std::string>();
  const Platform platform =
      v.row["platform"] == "win32" || v.input.value("platform", std::string()) == "win32" ? Platform::kWindows
                                                                                          : Platform::kPosix;
  const policy::PatternIndex index({entry}, platform);
  const std::vector<std::string> none;
  policy::PatternQuery query;
  query.path = target;
  query.name = policy::base_name(target);
  query.arguments = &none;
  const std::string home = std::string(kVectorsRoot) + "/home";
  query.home = home;
  query.strictness = v.strictness;
  const bool got = index.find(query).has_value();
  return equal(v.expected, got, got);
}

Answer match_list(const Vector& v) {
  OrderedJson file = {{"version", 1}};
  file["agents"]["main"]["allowlist"] = OrderedJson::parse(v.input["entries"].dump());
  const Result<policy::PolicyDocument> document =
      policy::read_document(policy::tolerated_document(file), counting_ids());
  if (!document) return {v.expected.is_null(), false, document.error().message};
  const std::vector<policy::AllowlistEntry>& entries = document->agents.at("main").allowlist;
  const Platform platform =
      v.input.value("platform", std::string()) == "win32" ? Platform::kWindows : Platform::kPosix;
  const policy::PatternIndex index(entries, platform);
  const Json resolution = v.input["resolution"];
  std::vector<std::string> argv = v.input.value("argv", Json::array()).get<std::vector<std::string>>();
  const std::vector<std::string> arguments(argv.empty() ? argv.begin() : argv.begin() + 1, argv.end());
  const auto member = [&](const char* name) {
    return resolution.is_object() && resolution.contains(name) && resolution[name].is_string()
               ? resolution[name].get<std::string>()
               : "";
  };
  policy::PatternQuery query;
  const std::string path =
      member("resolvedRealPath").empty() ? member("resolvedPath") : member("resolvedRealPath");
  const std::string raw = member("rawExecutable");
  const std::string name = raw.find_first_of("/\\~") != std::string::npos
                               ? ""
                               : std::string(policy::base_name(member("resolvedPath"), platform));
  query.path = path;
  query.name = name;
  query.arguments = &arguments;
  query.strictness = v.strictness;
  const std::optional<policy::PatternHit> hit = resolution.is_null() ? std::nullopt : index.find(query);
  const Json got = hit ? Json(entries[hit->index].pattern) : Json();
  const Json want = v.expected.is_null() ? Json() : v.expected["pattern"];
  return equal(want, got, want.is_null());
}

Json placed_member(const OrderedJson& row, const char* name) {
  if (!row.contains(name)) return Json::object();
  Result<Json> out = parse_json(placed(dump_json(row[name])));
  return out ? std::move(*out) : Json::object();
}

void lay_out(const Vector& v) {
  if (!v.row.contains("fs")) return;
  const Json nodes = to_plain(v.row["fs"]);
  for (const auto& [path, node] : nodes.items()) {
    if (!node.is_object()) continue;  // a file that was not there
    const std::string place = placed(path);
    if (node.contains("link")) {
      v.files->add_symlink(place, placed(node["link"].get<std::string>()));
    } else if (node.value("dir", false)) {
      v.files->add_directory(place, 1500);
    } else {
      const std::optional<std::vector<std::uint8_t>> bytes = from_base64url(node.value("b64", std::string()));
      const std::string content = bytes ? std::string(bytes->begin(), bytes->end()) : "";
      const bool executable = node.value("mode", std::string()).find_first_of("1357") != std::string::npos;
      v.files->add_file(place, content, executable, 1500);
    }
    for (std::string parent = place.substr(0, place.rfind('/'));
         parent.size() > std::string(kVectorsRoot).size(); parent = parent.substr(0, parent.rfind('/'))) {
      if (!v.files->exists(parent)) v.files->add_directory(parent, 1500);
    }
  }
}

policy::EngineContext context_of(const Vector& v, const Json& env) {
  policy::EngineContext context;
  context.files = v.files;
  context.settings.strictness = v.strictness;
  context.settings.fallback_security = policy::Security::kFull;
  context.settings.fallback_ask = policy::Ask::kOff;
  context.home = std::string(kVectorsRoot) + "/home";
  context.host_cwd = std::string(kVectorsRoot) + "/cwd";
  context.host_environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", context.home}};
  context.host_environment =
      policy::with_overrides(context.host_environment, environment_of(env), Platform::kPosix);
  if (v.input.contains("platform") && v.input["platform"] == "win32") context.platform = Platform::kWindows;
  return context;
}

Answer shell_allowlist(const Vector& v) {
  if (v.input.value("platform", std::string()) == "win32") return {true, false, ""};
  lay_out(v);
  policy::EngineContext context = context_of(v, v.input.value("env", Json()));
  if (v.input.contains("safeBins"))
    context.settings.safe_bins = v.input["safeBins"].get<std::vector<std::string>>();
  OrderedJson file = {{"version", 1}, {"defaults", {{"security", "allowlist"}, {"ask", "off"}}}};
  file["agents"]["main"]["allowlist"] = OrderedJson::parse(v.input["allowlist"].dump());
  const Result<policy::PolicyDocument> document =
      policy::read_document(policy::tolerated_document(file), counting_ids());
  const std::string cwd = v.input.value("cwd", std::string(kVectorsRoot) + "/cwd");
  if (!v.files->exists(cwd)) v.files->add_directory(cwd, 1500);
  v.files->add_file("/bin/sh",
                    "\x7f"
                    "ELF",
                    true);
  const policy::RunEvaluation run = policy::evaluate_run(
      {{"command", {"/bin/sh", "-c", v.input["command"]}}, {"agentId", "main"}, {"cwd", cwd}}, *document,
      context);
  const bool got = run.decision.verdict == Verdict::kAllow;
  Answer answer = equal(v.expected["allowlistSatisfied"], got, got);
  answer.got += " " + std::string(to_string(run.decision.code)) + " " + run.decision.explanation;
  return answer;
}

Answer run_end_to_end(const Vector& v) {
  lay_out(v);
  policy::EngineContext context = context_of(v, placed_member(v.row, "env"));
  context.settings.fallback_security =
      policy::security_from(v.input.value("defaultSecurity", std::string("full")))
          .value_or(policy::Security::kFull);
  context.settings.fallback_ask =
      policy::ask_from(v.input.value("defaultAsk", std::string("off"))).value_or(policy::Ask::kOff);
  context.settings.security_limit = context.settings.fallback_security;
  context.settings.ask_floor = context.settings.fallback_ask;
  const Json config = member_object(v.input, "config");
  if (config.contains("tools") && config["tools"].contains("exec") &&
      config["tools"]["exec"].value("strictInlineEval", false)) {
    context.settings.strict_inline_eval = true;
  }
  const Json given = v.input.value("approvalsFile", Json());
  const OrderedJson file = given.is_null() ? OrderedJson{{"version", 1}} : OrderedJson::parse(given.dump());
  const Result<policy::PolicyDocument> document =
      policy::read_document(policy::tolerated_document(file), counting_ids());
  const policy::RunEvaluation run = policy::evaluate_run(v.input["params"], *document, context);
  const bool got = run.decision.verdict == Verdict::kAllow;
  const bool want = v.expected["outcome"] == "run";
  return {got == want, got && !want,
          std::string(to_string(run.decision.code)) + " " + first_line(told(run.decision))};
}

Answer resolve_path(const Vector& v) {
  lay_out(v);
  const Json options = member_object(v.input, "options");
  policy::EngineContext context = context_of(v, options.value("env", placed_member(v.row, "env")));
  const policy::ExecutableLookup found = policy::look_up_executable(
      v.input["rawExecutable"].get<std::string>(), options.value("cwd", context.host_cwd),
      policy::sanitized_environment(context.host_environment, context.platform), context);
  return equal(v.expected, found.found ? Json(found.path) : Json(), v.expected.is_null());
}

Answer prepare_plan(const Vector& v) {
  lay_out(v);
  const Json env = placed_member(v.row, "env");
  policy::EngineContext context = context_of(v, env);
  if (!env.contains("PATH")) {
    const std::string path =
        std::string(kVectorsRoot) + "/tmp1/bin:" + context.host_environment.front().second;
    context.host_environment =
        policy::with_overrides(context.host_environment, {{"PATH", path}}, Platform::kPosix);
  }
  if (!v.files->exists(context.host_cwd)) v.files->add_directory(context.host_cwd, 1500);
  const policy::PolicyDocument document = policy::deny_all_document("");
  const policy::PrepareEvaluation prepared = policy::prepare_run(v.input, document, context);
  const bool want = v.expected["ok"].get<bool>();
  if (!want) return {!prepared.ok, prepared.ok, first_line(told_at_prepare(prepared))};
  if (!prepared.ok) return {false, false, first_line(told_at_prepare(prepared))};
  Json plan = prepared.payload["plan"];
  plan.erase("policySnapshot");
  Json expected_plan = v.expected["plan"];
  expected_plan.erase("policySnapshot");
  return equal(expected_plan, plan);
}

Answer resolve_file(const Vector& v) {
  const OrderedJson file = OrderedJson::parse(v.input["file"].dump());
  const Result<policy::PolicyDocument> document =
      policy::read_document(policy::tolerated_document(file), counting_ids());
  if (!document) return {false, false, document.error().message};
  policy::EngineSettings settings;
  settings.strictness = policy::Strictness::kOfficial;
  settings.fallback_security = policy::Security::kFull;
  settings.fallback_ask = policy::Ask::kOff;
  const policy::EffectivePolicy policy =
      policy::resolve_policy(*document, v.input.value("agentId", std::string()), settings, Platform::kPosix);
  Json got = {{"security", policy::to_string(policy.security)},
              {"ask", policy::to_string(policy.ask)},
              {"askFallback", policy::to_string(policy.ask_fallback)},
              {"autoAllowSkills", policy.auto_allow_skills}};
  return equal(v.expected["agent"], got);
}

using Answerer = Answer (*)(const Vector&);
const std::map<std::string, Answerer>& answerers() {
  static const std::map<std::string, Answerer> kAnswerers = {
      {"isDangerousHostInheritedEnvVarName", host_env},
      {"isDangerousHostEnvOverrideVarName", host_env},
      {"sanitizeHostExecEnv", host_env},
      {"sanitizeHostExecEnvWithDiagnostics", host_env},
      {"sanitizeSystemRunEnvOverrides", host_env},
      {"inspectHostExecEnvOverrides", host_env},
      {"formatExecCommand", format_command},
      {"resolveSystemRunCommandRequest", resolve_request},
      {"matchesExecAllowlistPattern", pattern_matches},
      {"matchAllowlist", match_list},
      {"evaluateShellAllowlistWithAuthorization", shell_allowlist},
      {"handleSystemRunInvoke", run_end_to_end},
      {"resolveExecutablePath", resolve_path},
      {"buildSystemRunApprovalPlan", prepare_plan},
      {"resolveExecApprovalsFromFile", resolve_file},
  };
  return kAnswerers;
}

}  // namespace

Comparisons replay_upstream(const Options& options) {
  Comparisons out;
  for (const char* name :
       {"01-allowlist-match", "02-allowlist-eval", "05-command-resolution", "07-host-env",
        "08-system-run-command", "14-approvals-file", "17-approval-plan", "18-system-run-e2e"}) {
    for (const OrderedJson& row : read_rows(options.cases + "/upstream/" + name + ".jsonl")) {
      const auto it = answerers().find(row["fn"].get<std::string>());
      if (it == answerers().end()) continue;
      test::CorpusFileProbe files;
      files.uid = 0;  // the recording ran as root
      files.own_prefixes = {kVectorsRoot};
      files.add_directory(kVectorsRoot, 1500);
      files.add_directory(std::string(kVectorsRoot) + "/cwd", 1500);
      files.add_directory(std::string(kVectorsRoot) + "/home", 1500);
      Result<Json> input =
          parse_json(placed(dump_json(row.contains("input") ? row["input"] : OrderedJson())));
      Result<Json> expected =
          parse_json(placed(dump_json(row.contains("expected") ? row["expected"] : OrderedJson())));
      Comparison comparison;
      comparison.group = name;
      comparison.id = row["id"].get<std::string>();
      const bool current = row.contains("verified_2026_9_6") && row["verified_2026_9_6"].is_boolean() &&
                           row["verified_2026_9_6"].get<bool>();
      // Two names are rewritten rather than dropped, and PATH is never a request's to set here.
      const std::string name_of_variable =
          input && input->is_object() ? input->value("rawKey", std::string()) : "";
      const bool other_question = name_of_variable == "GIT_ALLOW_PROTOCOL" ||
                                  name_of_variable == "GIT_PROTOCOL_FROM_USER" ||
                                  (input && input->is_object() && input->contains("blockPathOverrides") &&
                                   (*input)["blockPathOverrides"] == false);
      if (other_question || !input || !expected || !current || row["platform"] != "linux") {
        comparison.outcome = Outcome::kSkipped;
        out.push_back(std::move(comparison));
        continue;
      }
      if (input->is_null()) *input = Json::object();
      const Vector vector{row, std::move(*input), std::move(*expected), options.strictness, &files};
      const Answer answer = it->second(vector);
      comparison.outcome = answer.same     ? Outcome::kSame
                           : answer.looser ? Outcome::kLooser
                                           : Outcome::kStricter;
      comparison.expected = vector.expected.dump().substr(0, 300);
      comparison.got = answer.got.substr(0, 300);
      comparison.what = row["fn"].get<std::string>() + " " + vector.input.dump().substr(0, 200);
      comparison.code = row["fn"].get<std::string>();
      out.push_back(std::move(comparison));
    }
  }
  return out;
}

}  // namespace hostclaw::conformance
