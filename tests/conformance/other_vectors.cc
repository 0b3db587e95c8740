// SPDX-License-Identifier: Apache-2.0
// The recorded vectors of what stands around the decision: bindings, policy arithmetic, what a person is
// shown, device authentication, and the Windows node's own tests. Where this program has no such function,
// the reason is printed instead.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "approvals/shown/shown_text.h"
#include "base/sha256.h"
#include "base/text.h"
#include "gateway-proto/device_identity.h"
#include "policy/decide/run_request.h"
#include "policy/document/arg_pattern.h"
#include "policy/programs/wrappers.h"
#include "policy/request/command_text.h"
#include "policy/request/environment.h"
#include "tests/conformance/replay.h"

namespace hostclaw::conformance {
namespace {

using policy::Platform;
using policy::Verdict;

struct Row {
  Json& input;
  Json& expected;
  policy::Strictness strictness;
  std::string fn;
};
struct Reply {
  Outcome outcome = Outcome::kSame;
  std::string got;
};

Reply same_or(Outcome otherwise, const Json& want, const Json& got) {
  return {want == got ? Outcome::kSame : otherwise, got.dump()};
}

std::vector<std::string> words(const Json& list) {
  std::vector<std::string> out;
  for (const Json& word : list) out.push_back(word.is_string() ? word.get<std::string>() : word.dump());
  return out;
}

std::string text_of(const Json& object, const char* name) {
  return object.is_object() && object.contains(name) && object[name].is_string()
             ? object[name].get<std::string>()
             : std::string();
}

// ---- bindings and plans ----

Reply plan(const Row& row) {
  const std::optional<policy::RequestPlan> read = policy::read_plan(row.input);
  if (row.expected.is_null())
    return {read ? Outcome::kLooser : Outcome::kSame, read ? "accepted" : "refused"};
  if (!read) return {Outcome::kStricter, "refused"};
  const bool same = read->argv == words(row.expected["argv"]) &&
                    read->command_text == text_of(row.expected, "commandText") &&
                    read->command_preview == text_of(row.expected, "commandPreview") &&
                    read->cwd == text_of(row.expected, "cwd") &&
                    read->agent_id == text_of(row.expected, "agentId") &&
                    read->session_key == text_of(row.expected, "sessionKey") &&
                    read->operand.has_value() == row.expected.contains("mutableFileOperand");
  return {same ? Outcome::kSame : Outcome::kDifferent, read->command_text};
}

// ---- policy arithmetic ----

Reply policy_word(const Row& row) {
  const std::string given(trim(text_of(row.input, "value")));
  Json got;
  if (row.fn == "normalizeExecAsk") {
    if (const auto ask = policy::ask_from(given)) got = policy::to_string(*ask);
  } else if (const auto security = policy::security_from(given)) {
    got = policy::to_string(*security);
  }
  // A document's words are exact here; one that is not known is an error that names the member.
  return {row.expected == got ? Outcome::kSame
          : got.is_null()     ? Outcome::kStricter
                              : Outcome::kLooser,
          got.dump()};
}

Reply strictest(const Row& row) {
  const std::string a = text_of(row.input, "a");
  const std::string b = text_of(row.input, "b");
  Json got;
  if (row.fn == "maxAsk") {
    got = policy::to_string(std::max(*policy::ask_from(a), *policy::ask_from(b)));
  } else {
    got = policy::to_string(std::min(*policy::security_from(a), *policy::security_from(b)));
  }
  return same_or(Outcome::kLooser, row.expected, got);
}

// A request that has the properties which the vector names, decided as a whole.
Reply decision(const Row& row) {
  if (row.input.value("isWindows", false)) return {Outcome::kSkipped, ""};
  test::CorpusFileProbe files;
  files.uid = 1500;
  const std::string root = "/var/tmp/hostclaw-vectors";
  files.add_directory(root, 1500);
  files.add_directory(root + "/bin", 0);
  for (const char* name : {"/listed", "/other"})
    files.add_file(root + "/bin" + name,
                   "\x7f"
                   "ELF",
                   true);
  policy::EngineContext context;
  context.files = &files;
  context.settings.strictness = row.strictness;
  context.settings.fallback_security = policy::Security::kFull;
  context.settings.fallback_ask = policy::Ask::kOff;
  context.home = context.host_cwd = root;
  context.host_environment = {{"PATH", root + "/bin:/usr/bin:/bin"}, {"HOME", root}};
  const bool listed = row.input.value("allowlistSatisfied", false);
  const bool understood = row.input.value("analysisOk", false);
  const std::string tool = listed ? root + "/bin/listed" : root + "/bin/other";
  Json command = {tool};
  if (!understood) command = {"/bin/sh", "-c", tool + " $(id)"};
  if (understood && row.input.value("shellWrapperInvocation", false)) command = {"/bin/sh", "-c", tool};
  Json params = {{"command", command}, {"agentId", "main"}, {"cwd", root}};
  // A decision travels with the plan that it was taken on.
  const Json given = row.input.value("approvalDecision", Json());
  OrderedJson file = {
      {"version", 1},
      {"defaults", {{"security", text_of(row.input, "security")}, {"ask", text_of(row.input, "ask")}}}};
  file["agents"]["main"]["allowlist"] = OrderedJson::array({{{"pattern", root + "/bin/listed"}}});
  const Result<policy::PolicyDocument> document = policy::read_document(file, counting_ids());
  const policy::RunEvaluation run = policy::evaluate_run(params, *document, context);
  const Verdict verdict = run.decision.verdict;
  if (row.fn == "requiresExecApproval")
    return same_or(row.expected == true ? Outcome::kLooser : Outcome::kStricter, row.expected,
                   verdict == Verdict::kAsk);
  if (!given.is_null()) {
    // Without the plan the same request has to be asked about.
    return {verdict == Verdict::kAsk ? Outcome::kSame : Outcome::kDifferent,
            std::string(to_string(run.decision.code))};
  }
  const bool want = row.expected["allowed"].get<bool>();
  const bool got = verdict == Verdict::kAllow;
  return {want == got ? Outcome::kSame
          : got       ? Outcome::kLooser
                      : Outcome::kStricter,
          std::string(to_string(run.decision.code))};
}

// ---- what a person is shown ----

// Upstream writes a character that cannot be seen as \u{HEX}; such a character may not reach a person raw
// here.
Reply shown(const Row& row) {
  const bool windows = row.input.contains("text");
  const std::string given = text_of(row.input, windows ? "text" : "commandText");
  const std::string want =
      row.expected.is_string() ? row.expected.get<std::string>() : text_of(row.expected, "equals");
  const std::string got = approvals::shown_command({given});
  for (std::size_t at = want.find("\\u{"); at != std::string::npos; at = want.find("\\u{", at + 1)) {
    const auto point = static_cast<std::uint32_t>(std::strtoul(want.c_str() + at + 3, nullptr, 16));
    std::string raw;
    if (point < 0x80) {
      raw.push_back(static_cast<char>(point));
    } else if (point < 0x800) {
      raw = {static_cast<char>(0xC0U | point >> 6U), static_cast<char>(0x80U | (point & 0x3FU))};
    } else if (point < 0x10000) {
      raw = {static_cast<char>(0xE0U | point >> 12U), static_cast<char>(0x80U | (point >> 6U & 0x3FU)),
             static_cast<char>(0x80U | (point & 0x3FU))};
    } else {
      continue;
    }
    if (got.find(raw) != std::string::npos) return {Outcome::kLooser, got};
  }
  return {got == want ? Outcome::kSame : Outcome::kOtherText, got};
}

// ---- device authentication ----

Reply signature_payload(const Row& row) {
  gateway_proto::SignatureFields fields;
  fields.device_id = text_of(row.input, "deviceId");
  fields.client_id = text_of(row.input, "clientId");
  fields.client_mode = text_of(row.input, "clientMode");
  fields.role = text_of(row.input, "role");
  std::string scopes;
  for (const std::string& scope : words(row.input["scopes"])) scopes += (scopes.empty() ? "" : ",") + scope;
  fields.scopes = scopes;
  fields.signed_at_ms = row.input["signedAtMs"].get<std::int64_t>();
  fields.token = text_of(row.input, "token");
  fields.nonce = text_of(row.input, "nonce");
  fields.platform = text_of(row.input, "platform");
  fields.device_family = text_of(row.input, "deviceFamily");
  return same_or(Outcome::kDifferent, row.expected,
                 row.fn == "buildDeviceAuthPayload" ? gateway_proto::signature_payload_v2(fields)
                                                    : gateway_proto::signature_payload_v3(fields));
}

Reply sign(const Row& row) {
  const auto identity =
      gateway_proto::DeviceIdentity::from_private_key_pem(text_of(row.input, "privateKeyPem"));
  if (!identity) return {Outcome::kDifferent, identity.error().code};
  return same_or(Outcome::kDifferent, row.expected, identity->sign(text_of(row.input, "payload")));
}

Reply metadata(const Row& row) {
  gateway_proto::SignatureFields fields;
  fields.platform = text_of(row.input, "value");
  const std::string payload = gateway_proto::signature_payload_v3(fields);
  const std::vector<std::string> parts = split(payload, '|');
  return same_or(Outcome::kDifferent, row.expected, parts[parts.size() - 2]);
}

Reply verify(const Row& row) {
  const bool got = gateway_proto::is_signed_by(text_of(row.input, "publicKey"), text_of(row.input, "payload"),
                                               text_of(row.input, "signatureBase64Url"));
  return {row.expected == got ? Outcome::kSame
          : got               ? Outcome::kLooser
                              : Outcome::kStricter,
          got ? "yes" : "no"};
}

// ---- the Windows node ----

const Json& argument(const Row& row) { return row.input["args"][0]; }

std::string argument_text(const Row& row) {
  return argument(row).is_string() ? argument(row).get<std::string>() : std::string();
}

Reply token(const Row& row) {
  const std::string name = policy::executable_token(argument_text(row));
  if (row.fn == "ExecCommandToken.IsEnv") return same_or(Outcome::kDifferent, row.expected, name == "env");
  // A batch file is known by its name without the ending here.
  const bool batch = row.expected.get<std::string>().find('.') != std::string::npos;
  return same_or(batch && name.find('.') == std::string::npos ? Outcome::kIntended : Outcome::kDifferent,
                 row.expected, name);
}

// Names which that node blocks and the official host does not (credentials, mostly) are still not among the
// few that hardened passes on.
Reply blocked_variable(const Row& row) {
  const Json overrides = {{argument_text(row), "x"}};
  const policy::OverrideCheck check = policy::check_overrides(overrides, Platform::kWindows);
  const bool got = check.rejected() || policy::permitted_overrides(check.accepted).kept.empty();
  return same_or(row.expected == true ? Outcome::kLooser : Outcome::kStricter, row.expected, got);
}

Reply sanitized(const Row& row) {
  const policy::OverrideCheck check = policy::check_overrides(row.input["env"], Platform::kWindows);
  for (const std::string& name : words(row.expected["blocked"])) {
    if (std::find(check.blocked.begin(), check.blocked.end(), to_upper_ascii(name)) == check.blocked.end())
      return {Outcome::kLooser, name + " is not blocked"};
  }
  return {check.blocked.size() == row.expected["blocked"].size() ? Outcome::kSame : Outcome::kStricter,
          std::to_string(check.blocked.size()) + " blocked"};
}

policy::UnwrappedCommand unwrapped(const Json& argv) {
  policy::UnwrapOptions options;
  options.platform = Platform::kWindows;
  return policy::unwrap_command(words(argv), options);
}

Reply environment_wrapper(const Row& row) {
  if (row.fn == "ExecEnvInvocationUnwrapper.HasModifiers") {
    const policy::UnwrappedCommand command = unwrapped(argument(row));
    const bool refused = command.blocked || !command.transparent() || !command.unwrapped();
    // `env` alone modifies nothing and runs nothing.
    if (row.expected == false) return {Outcome::kSame, "no modifier"};
    return {refused ? Outcome::kSame : Outcome::kLooser, refused ? "refused" : command.argv.front()};
  }
  const policy::UnwrappedCommand command = unwrapped(row.input["argv"]);
  const bool found = command.unwrapped() && !command.blocked;
  if (row.expected.contains("first")) {
    if (!found) return {Outcome::kStricter, command.blocked_reason};
    return same_or(Outcome::kDifferent, row.expected["first"], command.argv.front());
  }
  if (row.expected["result"].is_null())
    return {found ? Outcome::kLooser : Outcome::kSame, found ? command.argv.front() : command.blocked_reason};
  if (!found) return {Outcome::kStricter, command.blocked_reason};
  return same_or(Outcome::kDifferent, row.expected["result"], command.argv);
}

Reply shell_text_of(const Row& row) {
  const auto shell = policy::find_shell_wrapper(words(row.input["argv"]), policy::RawCommandForm::kAbsent,
                                                Platform::kWindows);
  const bool got = shell && shell->invocation.payload;
  if (row.expected["isWrapper"] != got)
    return {Outcome::kDifferent, got ? "a shell with text" : "no shell with text"};
  if (!got) return {Outcome::kSame, ""};
  return same_or(Outcome::kDifferent, row.expected.value("inlineCommand", Json()),
                 *shell->invocation.payload);
}

Reply consistent(const Row& row) {
  const Json& raw = row.input["args"][0];
  const std::vector<std::string> argv = words(row.input["args"][1]);
  const bool got =
      policy::classify_raw_command(argv, raw.is_string() ? raw.get<std::string>() : "",
                                   policy::command_text(argv)) != policy::RawCommandForm::kMismatch;
  return {row.expected == got ? Outcome::kSame
          : got               ? Outcome::kLooser
                              : Outcome::kStricter,
          got ? "yes" : "no"};
}

Reply pattern(const Row& row) {
  const policy::ArgPattern compiled(text_of(row.input, "pattern"));
  std::vector<std::string> arguments = words(row.input["argv"]);
  arguments.erase(arguments.begin());
  const bool got = compiled.found_in(arguments);
  return {row.expected == got ? Outcome::kSame
          : got               ? Outcome::kLooser
                              : Outcome::kStricter,
          compiled.problem()};
}

struct Mapping {
  const char* fn;
  Reply (*reply)(const Row&);  // null: not replayed, because of `reason`
  const char* reason;
};

constexpr const char* kGateway = "the gateway's function, a node has no such question";
constexpr const char* kForm = "our own form of the same text, tested in unit tests";
const Mapping kMappings[] = {
    {"buildSystemRunApprovalBinding", nullptr, kGateway},
    {"buildSystemRunApprovalEnvBinding", nullptr, kGateway},
    {"evaluateSystemRunApprovalMatch", nullptr, kGateway},
    {"matchSystemRunApprovalBinding", nullptr, kGateway},
    {"matchSystemRunApprovalEnvHash", nullptr, kGateway},
    {"missingSystemRunApprovalBinding", nullptr, kGateway},
    {"resolveSystemRunApprovalRequestContext", nullptr, kGateway},
    {"resolveSystemRunApprovalRuntimeContext", nullptr, kGateway},
    {"toSystemRunApprovalMismatchError", nullptr, kGateway},
    {"normalizeSystemRunApprovalPlan", plan, nullptr},
    {"parsePreparedSystemRunPayload", nullptr, kGateway},
    {"evaluateSystemRunPolicy", decision, nullptr},
    {"requiresExecApproval", decision, nullptr},
    {"maxAsk", strictest, nullptr},
    {"minSecurity", strictest, nullptr},
    {"normalizeExecAsk", policy_word, nullptr},
    {"normalizeExecSecurity", policy_word, nullptr},
    {"formatSystemRunAllowlistMissMessage", nullptr, "the words are compared in decisions-observed"},
    {"resolveExecApprovalDecision", nullptr, "read together with its plan, in decisions-observed"},
    {"sanitizeExecApprovalDisplayText", shown, nullptr},
    {"sanitizeExecApprovalWarningText", nullptr, "warnings of the gateway's chat plugins"},
    {"resolveExecApprovalCommandDisplay", nullptr, kGateway},
    {"buildExecApprovalCommandText", nullptr, "chat commands of the gateway"},
    {"parseExecApprovalCommandText", nullptr, "chat commands of the gateway"},
    {"buildDeviceAuthPayload", signature_payload, nullptr},
    {"buildDeviceAuthPayloadV3", signature_payload, nullptr},
    {"signDevicePayload", sign, nullptr},
    {"verifyDeviceSignature", verify, nullptr},
    {"normalizeDeviceMetadataForAuth", metadata, nullptr},
    {"ExecCommandToken.NormalizedBasename", token, nullptr},
    {"ExecCommandToken.IsEnv", token, nullptr},
    {"ExecEnvSanitizer.IsBlocked", blocked_variable, nullptr},
    {"ExecEnvSanitizer.Sanitize", sanitized, nullptr},
    {"ShellQuoting.FormatExecCommand", nullptr, "the official host's form is used, 08-system-run-command"},
    {"ExecEnvInvocationUnwrapper.HasModifiers", environment_wrapper, nullptr},
    {"ExecEnvInvocationUnwrapper.Unwrap", environment_wrapper, nullptr},
    {"ExecEnvInvocationUnwrapper.UnwrapForResolution", environment_wrapper, nullptr},
    {"ExecShellWrapperNormalizer.Extract", shell_text_of, nullptr},
    {"ExecRawCommandConsistency.IsConsistent", consistent, nullptr},
    {"ExecArgPattern.Matches", pattern, nullptr},
    {"ExecApprovalCommandDisplaySanitizer.Sanitize", shown, nullptr},
    {"ExecArgPattern.BuildArgPattern", nullptr, "generated entries are hashes here"},
    {"ExecArgPattern.Matches(Build(args))", nullptr, "generated entries are hashes here"},
    {"ExecApprovalConfusableDetector.HasMixedScriptConfusable", nullptr, "no such warning here"},
    {"ShellQuoting.NeedsQuoting", nullptr, kForm},
    {"ShellQuoting.QuoteForShell", nullptr, kForm},
    {"WslShellQuoting.QuotePosixSingleQuote", nullptr, "no WSL here"},
    {"WslShellQuoting.EscapePosixSingleQuoteInner", nullptr, "no WSL here"},
    {"ExecCommandToken.BasenameLower", nullptr, "used together with NormalizedBasename only"},
    {"ExecCommandToken.IsLegacyQuarantinedHost", nullptr, "interpreters are judged by their arguments here"},
    {"ExecShellWrapperParser.Expand", nullptr, "text is analysed into programs, not into further texts"},
    {"durable-allow binder (TryBind)", nullptr,
     "that node pins a path into cmd.exe text; here cmd.exe text asks"},
    {"CanonicalCmdCarrier.TryBuildPinnedCarrier", nullptr,
     "that node pins a path into cmd.exe text; here cmd.exe text asks"},
    {"CanonicalCmdCarrier.TryGetCanonicalPayload", nullptr,
     "that node pins a path into cmd.exe text; here cmd.exe text asks"},
    {"CanonicalCmdCarrier.PinnedCarrierMatchesRequest", nullptr,
     "that node pins a path into cmd.exe text; here cmd.exe text asks"},
    {"CanonicalCmdCarrier.IsTrustedCarrierExecutable", nullptr,
     "that node pins a path into cmd.exe text; here cmd.exe text asks"},
    {"BuildApprovedExecution", nullptr, "the plan is the execution here; raced in the integration tests"},
    {"ExecCommandResolver.ResolveForAllowlist", nullptr, "counts only, of an analysis that differs"},
    {"ExecCommandResolver.ResolveAllowAlwaysPatterns", nullptr, "counts only, of an analysis that differs"},
    {"ExecAllowlistMatcher.Match", nullptr,
     "needs the files of that machine; lists are compared in 01-allowlist-match"},
    {"system.run params validation", nullptr, "that node takes other parameters than the official host"},
};

const Mapping* mapping_of(const std::string& fn) {
  for (const Mapping& mapping : kMappings) {
    if (fn == mapping.fn) return &mapping;
  }
  return nullptr;
}

}  // namespace

Comparisons replay_others(const Options& options) {
  Comparisons out;
  std::map<std::string, std::map<std::string, std::pair<int, std::string>>> left_out;
  for (const char* name :
       {"upstream/09-approval-binding", "upstream/10-exec-policy", "upstream/12-approval-display",
        "upstream/15-device-auth", "upstream/16-node-command-policy", "windows-node/windows-node-vectors"}) {
    for (const OrderedJson& ordered : read_rows(options.cases + "/" + name + ".jsonl")) {
      const Json row = to_plain(ordered);
      const std::string fn = row["fn"].get<std::string>();
      const Mapping* mapping = mapping_of(fn);
      Comparison comparison;
      comparison.group = std::string(name).substr(std::string(name).find('/') + 1);
      comparison.id = row["id"].get<std::string>();
      const bool stale = row.contains("verified_2026_9_6") && row["verified_2026_9_6"] != true;
      if (stale || mapping == nullptr || mapping->reply == nullptr) {
        comparison.outcome = Outcome::kSkipped;
        auto& [count, why] = left_out[comparison.group][stale ? fn + " (stale)" : fn];
        ++count;
        why = stale ? "the release answers otherwise" : mapping != nullptr ? mapping->reason : kGateway;
      } else {
        Json input = row.value("input", Json::object());
        Json expected = row.value("expected", Json());
        Reply reply;
        try {
          reply = mapping->reply({input, expected, options.strictness, fn});
        } catch (const Json::exception& problem) {
          reply = {Outcome::kDifferent, problem.what()};
        }
        comparison.outcome = reply.outcome;
        comparison.got = reply.got.substr(0, 300);
        comparison.expected = expected.dump().substr(0, 300);
        comparison.what = fn + " " + input.dump(-1, ' ', true).substr(0, 200);
        comparison.code = fn;
      }
      out.push_back(std::move(comparison));
    }
  }
  std::printf("\nvectors that are not replayed\n");
  for (const auto& [group, functions] : left_out) {
    for (const auto& [fn, why] : functions)
      std::printf("  %-22s %4d %-56s %s\n", group.c_str(), why.first, fn.c_str(), why.second.c_str());
  }
  return out;
}

}  // namespace hostclaw::conformance
